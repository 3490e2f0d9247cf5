using System.Runtime.CompilerServices;

namespace Cluster.Simulation.Engine;

/// <summary>The latest events of a run in words; costs nothing while it is off. A failing seed is run once more with it on.</summary>
internal sealed class EventLog(Scheduler scheduler, int limit)
{
    private readonly Queue<string> _lines = new();

    /// <summary>Whether anything is written down.</summary>
    public bool IsOn => limit > 0;

    /// <summary>What was written last, oldest first.</summary>
    public IReadOnlyCollection<string> Lines => _lines;

    /// <summary>Writes an event down.</summary>
    public void Write([InterpolatedStringHandlerArgument("")] ref Line text)
    {
        if (!IsOn)
        {
            return;
        }

        if (_lines.Count == limit)
        {
            _lines.Dequeue();
        }

        _lines.Enqueue($"{scheduler.Now / 1e6,10:F6} {text.Text.ToStringAndClear()}");
    }

    /// <summary>An event's words, put together only when the log is on.</summary>
    [InterpolatedStringHandler]
    public ref struct Line
    {
        internal DefaultInterpolatedStringHandler Text;

        /// <summary>Called by the compiler.</summary>
        public Line(int literalLength, int formattedCount, EventLog log, out bool enabled)
        {
            enabled = log.IsOn;
            Text = enabled ? new DefaultInterpolatedStringHandler(literalLength, formattedCount) : default;
        }

        /// <summary>Called by the compiler.</summary>
        public void AppendLiteral(string value) => Text.AppendLiteral(value);

        /// <summary>Called by the compiler.</summary>
        public void AppendFormatted<T>(T value) => Text.AppendFormatted(value);

        /// <summary>Called by the compiler.</summary>
        public void AppendFormatted<T>(T value, string format) => Text.AppendFormatted(value, format);
    }
}
