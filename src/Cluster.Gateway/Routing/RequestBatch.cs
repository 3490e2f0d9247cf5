using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Cluster.Gateway.Receivers;
using Cluster.Gateway.Splitting;
using Cluster.Messages.Frames;
using Cluster.Messages.Sharding;

namespace Cluster.Gateway.Routing;

/// <summary>
/// Requests whose frames go together: a shard gets one frame for all of them. Used again and again, by one thread at a time.
/// </summary>
/// <param name="sender">This run of this node.</param>
/// <param name="delivered">Called when the region has answered: from inside <see cref="Await"/>, or later on another thread.</param>
internal sealed class RequestBatch(ulong sender, Action<RequestBatch> delivered)
{
    /// <summary>Requests in a batch at most.</summary>
    public const int MostRequests = 8;

    /// <summary>No more requests are added once those in it have so many bytes.</summary>
    public const int EnoughBytes = 1 << 20;

    private readonly FrameWriter _writer = new(sender);
    private readonly List<SplitRequest> _splits = new(MostRequests);
    private ValueTaskAwaiter<Refusal> _delivery;
    private Action? _continue;

    /// <summary>The requests, in order of arrival.</summary>
    public List<IncomingRequest> Requests { get; } = new(MostRequests);

    /// <summary>Their frames, once written.</summary>
    public FrameBatch Frames { get; } = new();

    /// <summary>Bytes of frames that are charged for it.</summary>
    public long ChargedBytes { get; set; }

    /// <summary>Adds one request.</summary>
    public void Add(IncomingRequest request)
    {
        Requests.Add(request);
        _splits.Add(request.Split);
    }

    /// <summary>Adds what waits, as far as it goes.</summary>
    public void Take(ConcurrentQueue<IncomingRequest> waiting)
    {
        long bytes = 0;
        while (Requests.Count < MostRequests && bytes < EnoughBytes && waiting.TryDequeue(out IncomingRequest? request))
        {
            bytes += request.Split.Body.Length;
            Add(request);
        }
    }

    /// <inheritdoc cref="FrameWriter.Plan"/>
    public FramePlan Plan(ShardAllocation allocation) => _writer.Plan(_splits, allocation);

    /// <summary>Writes the planned frames, with numbers from <paramref name="sequence"/> on.</summary>
    public void Write(in FramePlan plan, ulong sequence) => _writer.Write(plan, ref sequence, Frames);

    /// <summary>Waits for the region's answer.</summary>
    public void Await(ValueTask<Refusal> delivery)
    {
        _delivery = delivery.GetAwaiter();
        if (_delivery.IsCompleted)
        {
            delivered(this);
        }
        else
        {
            _delivery.UnsafeOnCompleted(_continue ??= () => delivered(this));
        }
    }

    /// <summary>The region's answer; throws what went wrong there. To be read once.</summary>
    public Refusal ReadAnswer() => _delivery.GetResult();

    /// <summary>It holds nothing any more.</summary>
    public void Clear()
    {
        Requests.Clear();
        _splits.Clear();
        _delivery = default;
        ChargedBytes = 0;
    }
}
