using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Cluster.Node.Tests.Exporters;

/// <summary>Remembers which events were logged.</summary>
internal sealed class RecordingLogger : ILogger
{
    private readonly ConcurrentQueue<int> _events = new();

    public int Count(int eventId) => _events.Count(logged => logged == eventId);

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        Assert.NotEmpty(formatter(state, exception));
        _events.Enqueue(eventId.Id);
    }
}
