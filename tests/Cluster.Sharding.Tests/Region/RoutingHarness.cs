using System.Runtime.InteropServices;
using Cluster.Messages.Frames;
using Cluster.Messages.Sharding;
using Cluster.Sharding.Region;

namespace Cluster.Sharding.Tests.Region;

/// <summary>One send that a routing core asked for, with the frame's header as it was at that moment.</summary>
internal sealed record RoutedSend(int Frame, int Attempt, MemberId Owner, uint Term, FrameHeader Header);

/// <summary>A routing core with a request of one frame for each of some shards, whose sends are recorded.</summary>
internal sealed class RoutingHarness : IRoutingEffects
{
    public const long Deadline = 10_000;

    public static readonly MemberId A = new("a", 1);
    public static readonly MemberId B = new("b", 2);
    public static readonly MemberId C = new("c", 3);

    public RoutingCore Core { get; } = new();

    public FrameBatch Batch { get; } = new();

    public List<RoutedSend> Sends { get; } = [];

    public bool Records { get; set; } = true;

    public static ShardAllocation Allocation(long version, params (MemberId Owner, uint Term)[] shards) =>
        new(version, shards.Select(s => new ShardAssignment(s.Owner, s.Term, [])));

    /// <summary>Headers only: nothing else of a frame is looked at.</summary>
    public static void Fill(FrameBatch batch, int frames)
    {
        Span<byte> bytes = batch.Reset(frames * FrameHeader.Size);
        for (int i = 0; i < frames; i++)
        {
            FrameHeader header = new()
            {
                Version = FrameFormat.Version,
                Shard = (ushort)i,
                Length = FrameHeader.Size,
                Term = 77,
                Sender = 99,
                Sequence = 1000 + (ulong)i,
            };
            MemoryMarshal.Write(bytes[(i * FrameHeader.Size)..], header);
            batch.Add(i, i * FrameHeader.Size, FrameHeader.Size, spanCount: 0);
        }
    }

    public RoutingHarness Begin(int frames, ShardAllocation allocation, long deadline = Deadline)
    {
        Fill(Batch, frames);
        Core.Begin(Batch, allocation, deadline, this);
        return this;
    }

    /// <summary>The sends since the last look: frame, attempt, owner, term.</summary>
    public (int Frame, int Attempt, MemberId Owner, uint Term)[] Take()
    {
        var sends = Sends.Select(s => (s.Frame, s.Attempt, s.Owner, s.Term)).ToArray();
        Sends.Clear();
        return sends;
    }

    public void Send(int frame, int attempt, MemberId owner, uint term)
    {
        if (Records)
        {
            Sends.Add(new RoutedSend(frame, attempt, owner, term, MemoryMarshal.Read<FrameHeader>(Batch.Frame(frame))));
        }
    }
}
