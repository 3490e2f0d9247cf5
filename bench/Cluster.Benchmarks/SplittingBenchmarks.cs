using BenchmarkDotNet.Attributes;
using Cluster.Gateway.Splitting;
using Cluster.Messages.Frames;
using Cluster.Messages.Identity;
using Cluster.Messages.Protobuf;
using Cluster.Messages.Sharding;

namespace Cluster.Benchmarks;

/// <summary>What the gateway does to a request between its door and the shards.</summary>
[MemoryDiagnoser]
public class SplittingBenchmarks
{
    private readonly byte[][] _requests = BenchmarkRequests.All();
    private readonly SplitRequest _split;
    private readonly SplitRequest[] _splits;
    private readonly FrameWriter _writer = new(sender: 1);
    private readonly FrameBatch _batch = new();
    private readonly ShardAllocation _allocation = ShardAllocation.Alone(new MemberId("node", 1), 128);
    private ulong _sequence;
    private int _next;

    /// <summary>Nothing is split yet.</summary>
    public SplittingBenchmarks() => _splits = [_split = new(new TraceIdHasher(1))];

    /// <summary>Finds traces, resources and scopes in a request.</summary>
    [Benchmark]
    public int Split() => Split(Next());

    /// <summary>The same, and writes one frame for each of the shards, 128 at most.</summary>
    [Benchmark]
    public int SplitAndFrame()
    {
        Split(Next());
        _writer.Write(_writer.Plan(_splits, _allocation), ref _sequence, _batch);
        return _batch.Count;
    }

    private int Split(byte[] request) => TraceSplitter.Split(request, _split, out int offset) == WireError.None
        ? _split.GroupCount
        : throw new InvalidOperationException($"malformed at {offset}");

    private byte[] Next() => _requests[_next++ % _requests.Length];
}
