using BenchmarkDotNet.Attributes;
using Cluster.Messages.Identity;
using Cluster.Sampling.Decisions;

namespace Cluster.Benchmarks;

/// <summary>The four policies of the published figures: the pass over arriving spans, and decisions.</summary>
[MemoryDiagnoser]
public class PolicyPassBenchmarks
{
    private readonly byte[][] _requests = BenchmarkRequests.All();
    private readonly ulong[] _conditions;
    private readonly Vote[] _votes;
    private readonly Range[][] _spans;
    private readonly PolicyProgram _program;
    private readonly TokenBuckets _budgets;
    private int _next;

    /// <summary>Compiles the policies and finds the spans.</summary>
    public PolicyPassBenchmarks()
    {
        PolicySet policies = BenchmarkRequests.Compile(BenchmarkRequests.Policies);
        _spans = [.. _requests.Select(BenchmarkRequests.Spans)];
        _program = policies.CreateProgram();
        _budgets = new TokenBuckets(policies.Budgets);
        _conditions = new ulong[policies.ConditionWords];
        _votes = new Vote[policies.Policies.Count];
    }

    /// <summary>One pass over every span of a request.</summary>
    [Benchmark]
    public int ScanRequest()
    {
        _next = (_next + 1) % _requests.Length;
        byte[] request = _requests[_next];
        int roots = 0;
        foreach (Range range in _spans[_next])
        {
            _program.ScanSpan(request.AsSpan(range), _conditions, out SpanFacts facts);
            roots += facts.ParentSpanId == 0 ? 1 : 0;
        }

        return roots;
    }

    /// <summary>One decision about a trace that no policy but the probabilistic one may keep.</summary>
    [Benchmark]
    public int Decide()
    {
        _next++;
        _conditions.AsSpan().Clear();
        var evidence = new TraceEvidence
        {
            TraceId = new TraceId((ulong)_next * 0x9E3779B97F4A7C15, (ulong)_next),
            SpanCount = 14,
            Bytes = 7000,
            StartUnixNano = 1_767_225_600_000_000_000,
            EndUnixNano = 1_767_225_600_040_000_000,
            Conditions = _conditions,
        };
        return (int)_program.Decide(evidence, _budgets, _next, _votes).Decision;
    }
}
