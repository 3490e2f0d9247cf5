using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Cluster.Node.Telemetry;
using Cluster.Sampling.Decisions;

namespace Cluster.Node.Commands;

/// <summary>Prints what was decided about each trace.</summary>
internal abstract class VerdictWriter
{
    /// <summary>Prints one.</summary>
    /// <param name="trace">The trace.</param>
    /// <param name="verdict">What was decided.</param>
    /// <param name="votes">Every policy's vote, in evaluation order.</param>
    public abstract void Write(CollectedTrace trace, in Verdict verdict, IReadOnlyList<PolicyVote> votes);

    /// <summary>Called after the last.</summary>
    public abstract void End();
}

/// <summary>One JSON object a trace, for programs.</summary>
internal sealed class JsonVerdictWriter(TextWriter output) : VerdictWriter
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <inheritdoc/>
    public override void Write(CollectedTrace trace, in Verdict verdict, IReadOnlyList<PolicyVote> votes)
    {
        using MemoryStream line = new();
        using (Utf8JsonWriter json = new(line, Options))
        {
            json.WriteStartObject();
            json.WriteString("traceId", trace.TraceId.ToString());
            json.WriteString("decision", Names.Of(verdict.Decision));
            json.WriteString("policy", verdict.Policy < 0 ? null : votes[verdict.Policy].Policy);
            json.WriteStartArray("votes");
            foreach (PolicyVote vote in votes)
            {
                json.WriteStartObject();
                json.WriteString("policy", vote.Policy);
                json.WriteString("vote", Names.Of(vote.Vote));
                json.WriteString("reason", vote.Reason);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        output.Write(Encoding.UTF8.GetString(line.GetBuffer(), 0, (int)line.Length));
        output.Write('\n');
    }

    /// <inheritdoc/>
    public override void End()
    {
    }
}

/// <summary>A table, for people.</summary>
internal sealed class TextVerdictWriter(TextWriter output, bool explain) : VerdictWriter
{
    private readonly int[] _decisions = new int[3];

    /// <inheritdoc/>
    public override void Write(CollectedTrace trace, in Verdict verdict, IReadOnlyList<PolicyVote> votes)
    {
        if (_decisions.Sum() == 0)
        {
            Row("TRACE", "SPANS", "DURATION", "DECISION", "POLICY");
        }

        _decisions[(int)verdict.Decision]++;
        string duration = string.Create(CultureInfo.InvariantCulture, $"{trace.Evidence.DurationMilliseconds} ms");
        string spans = trace.SpanCount.ToString(CultureInfo.InvariantCulture);
        Row(trace.TraceId.ToString(), spans, duration, Names.Of(verdict.Decision), verdict.Policy < 0 ? "-" : votes[verdict.Policy].Policy);
        if (!explain)
        {
            return;
        }

        int width = votes.Count == 0 ? 0 : votes.Max(v => v.Policy.Length);
        foreach (PolicyVote vote in votes)
        {
            output.WriteLine($"  {vote.Policy.PadRight(width)}  {Names.Of(vote.Vote),-13}  {vote.Reason}");
        }
    }

    /// <inheritdoc/>
    public override void End()
    {
        if (_decisions.Sum() > 0)
        {
            output.WriteLine();
        }

        (int sampled, int dropped) = (_decisions[(int)Decision.Sampled], _decisions[(int)Decision.Dropped]);
        int all = _decisions.Sum();
        output.WriteLine($"{Text.Count(all, "trace")}: {sampled} sampled, {all - sampled - dropped} not sampled, {dropped} dropped");
    }

    private void Row(string trace, string spans, string duration, string decision, string policy) =>
        output.WriteLine($"{trace,-32}  {spans,6}  {duration,10}  {decision,-11}  {policy}");
}
