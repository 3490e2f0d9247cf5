using System.Buffers;

namespace Cluster.Sharding.Traces;

/// <summary>
/// Kept traces on their way out: one <c>ExportTraceServiceRequest</c> in pooled memory, each trace whole and its spans together.
/// Shared by all exporters and counted by references: it is made with one, every further holder calls <see cref="Retain"/>, and the
/// last <see cref="Release"/> returns the memory. The bytes never change. Thread-safe.
/// </summary>
public sealed class KeptTraces
{
    private byte[] _bytes;
    private readonly int _length;
    private readonly HandOver? _handOver;
    private int _references = 1;

    /// <summary>Takes over <paramref name="bytes"/>, an array from <see cref="ArrayPool{T}.Shared"/>.</summary>
    /// <param name="bytes">The array.</param>
    /// <param name="length">Bytes in use.</param>
    /// <param name="traceCount">Traces in it.</param>
    /// <param name="spanCount">Spans in it.</param>
    /// <param name="handOver">Told when the last holder is done; null when nobody wants to know.</param>
    public KeptTraces(byte[] bytes, int length, int traceCount, int spanCount, HandOver? handOver = null)
    {
        _handOver = handOver;
        _bytes = bytes;
        _length = length;
        TraceCount = traceCount;
        SpanCount = spanCount;
    }

    /// <summary>The request's bytes. Two requests one after the other are one request of both.</summary>
    public ReadOnlyMemory<byte> Request => _bytes.AsMemory(0, _length);

    /// <summary>Size of <see cref="Request"/>.</summary>
    public int Bytes => _length;

    /// <summary>Traces (or late parts of traces) in it.</summary>
    public int TraceCount { get; }

    /// <summary>Spans in it.</summary>
    public int SpanCount { get; }

    /// <summary>One more holder.</summary>
    public void Retain() => Interlocked.Increment(ref _references);

    /// <summary>One holder less; the last gives the memory back.</summary>
    public void Release()
    {
        int left = Interlocked.Decrement(ref _references);
        if (left == 0)
        {
            byte[] bytes = _bytes;
            _bytes = [];
            ArrayPool<byte>.Shared.Return(bytes);
            _handOver?.Done(_handOver.Number);
        }

        ObjectDisposedException.ThrowIf(left < 0, this);
    }
}

/// <summary>Who wants to know when the exporters are done with some kept traces: sent, or given up for good.</summary>
/// <param name="Number">The hand-over, counted from 1.</param>
/// <param name="Done">Called once, by whoever releases last, on any thread; must be quick.</param>
public sealed record HandOver(long Number, Action<long> Done);

/// <summary>Where shards put kept traces: in front of every exporter's sending queue.</summary>
public interface IKeptTraceQueue
{
    /// <summary>
    /// False while some exporter's queue is full. Shards then put off their decisions and the gateways refuse new spans, so that a queue
    /// never grows beyond its size by more than one request a worker loop. Cheap; thread-safe.
    /// </summary>
    bool HasRoom { get; }

    /// <summary>Hands over one reference to <paramref name="traces"/>. Never refuses, never waits. Thread-safe.</summary>
    void Enqueue(KeptTraces traces);
}
