using Cluster.Messages.Identity;
using Cluster.Messages.Otlp;
using Cluster.Sampling.Configuration;
using Cluster.Sampling.Decisions;
using Cluster.Sampling.Policies;

namespace Cluster.Sampling.Tests;

/// <summary>A compiled file and one trace that is put before it, gathered as a trace actor gathers it.</summary>
internal sealed class TraceTester
{
    private readonly PolicyProgram _program;
    private readonly ulong[] _conditions;
    private int _spans;
    private long _bytes;
    private ulong _start;
    private ulong _end;
    private bool _decided;

    public TraceTester(PolicySet set)
    {
        Set = set;
        _program = set.CreateProgram();
        _conditions = new ulong[set.ConditionWords];
        Budgets = new TokenBuckets(set.Budgets);
        Votes = new Vote[set.Policies.Count];
    }

    public PolicySet Set { get; }

    public IBudgets Budgets { get; init; }

    public Vote[] Votes { get; }

    public TraceId TraceId { get; set; } = new(0x0102030405060708, 0x090A0B0C0D0E0F10);

    public long Now { get; set; } = 1_000_000;

    /// <summary>A whole file's policies.</summary>
    public static TraceTester Parse(string yaml)
    {
        ConfigurationErrors errors = new();
        PolicySet? set = PolicyCompiler.Parse(yaml, errors);
        Assert.True(set is not null, string.Join('\n', errors.All));
        return new TraceTester(set);
    }

    /// <summary>One policy: what stands after <c>type:</c>, in flow style.</summary>
    public static TraceTester Policy(string typeAndBlock) => Parse($"policies: [{{name: p, type: {typeAndBlock}}}]");

    public TraceTester Span(Action<SpanBuilder>? build = null)
    {
        SpanBuilder span = new();
        build?.Invoke(span);
        return Span(span.Build());
    }

    public TraceTester Span(byte[] span)
    {
        _program.ScanSpan(span, _conditions, out SpanFacts facts);
        _spans++;
        _decided = false;
        _bytes += span.Length;
        _start = facts.StartUnixNano != 0 && (_start == 0 || facts.StartUnixNano < _start) ? facts.StartUnixNano : _start;
        _end = Math.Max(_end, facts.EndUnixNano);
        return this;
    }

    public TraceTester Attribute(string key, object? value) => Span(s => s.Attribute(key, value));

    public TraceTester Resource(string key, object? value) =>
        Resource(MessageBuilder.Empty.Bytes(OtlpFields.Resource.Attributes, Any.KeyValue(key, value)).Build());

    public TraceTester Resource(byte[] resource)
    {
        _program.ScanResource(resource, _conditions);
        return this;
    }

    /// <summary>That many spans of nothing.</summary>
    public TraceTester Spans(int count, long bytes = 0)
    {
        _spans += count;
        _decided = false;
        _bytes += bytes;
        return this;
    }

    public TraceTester Duration(long nanoseconds)
    {
        const long Start = 1_700_000_000_000_000_000;
        return Span(s => s.Times(Start, (ulong)(Start + nanoseconds)));
    }

    public TraceTester Another()
    {
        Array.Clear(_conditions);
        _decided = false;
        (_spans, _bytes, _start, _end) = (0, 0, 0, 0);
        return this;
    }

    public TraceEvidence Evidence => new()
    {
        TraceId = TraceId,
        SpanCount = _spans,
        Bytes = _bytes,
        StartUnixNano = _start,
        EndUnixNano = _end,
        Conditions = _conditions,
    };

    public Verdict Verdict()
    {
        _decided = true;
        return _program.Decide(Evidence, Budgets, Now, Votes);
    }

    public Decision Decide() => Verdict().Decision;

    /// <summary>Name of the policy that decided, or "-".</summary>
    public string Decider() => Verdict() is { Policy: >= 0 and var policy } ? Set.Policies[policy].Name : "-";

    public bool Keeps() => Decide() == Decision.Sampled;

    /// <summary>A policy's reason for its last vote on this trace.</summary>
    public string Reason(int policy = 0)
    {
        if (!_decided)
        {
            Verdict();
        }

        return _program.Explain(Evidence, Votes)[policy].Reason;
    }
}
