using Cluster.Sampling.Decisions;

namespace Cluster.Sampling.Policies;

/// <summary><c>span_count</c>: by the number of spans received; both bounds inclusive, no upper one when it is 0.</summary>
internal sealed class SpanCountPolicy(long minimum, long maximum) : Policy
{
    public static Policy Read(PolicyConfiguration configuration)
    {
        long minimum = configuration.Block.Int64("min_spans", 0, int.MinValue, int.MaxValue);
        long maximum = configuration.Block.Int64("max_spans", 0, int.MinValue, int.MaxValue);
        if (maximum != 0 && (maximum < minimum || maximum < 0))
        {
            configuration.Block.Warning(
                "max_spans",
                $"no trace has from {minimum} to {maximum} spans: keeps nothing",
                "use min_spans or more, or leave it out for no upper bound");
        }

        return new SpanCountPolicy(minimum, maximum) { Name = configuration.Name, Type = configuration.Type };
    }

    public override bool Matches(in TraceEvidence trace, in Purse purse) =>
        trace.SpanCount >= minimum && (maximum == 0 || trace.SpanCount <= maximum);

    public override string Reason(in TraceEvidence trace, bool matched) =>
        trace.SpanCount < minimum ? $"{Words.Spans(trace.SpanCount)} < min_spans {minimum}"
        : !matched ? $"{Words.Spans(trace.SpanCount)} > max_spans {maximum}"
        : maximum == 0 ? $"{Words.Spans(trace.SpanCount)} >= min_spans {minimum}"
        : $"{Words.Spans(trace.SpanCount)} from min_spans {minimum} to max_spans {maximum}";
}
