using System.Runtime.InteropServices;

namespace Cluster.Messages.Transport;

/// <summary>
/// What nodes say to each other: a header of 16 bytes and a payload, little-endian. Messages travel in packets over one connection a
/// direction; they may be lost with the connection, so each kind knows how it is repeated.
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct PeerMessageHeader
{
    /// <summary>Bytes of a header.</summary>
    public const int Size = 16;

    /// <summary>What it is.</summary>
    public PeerMessageKind Kind;

    /// <summary>0.</summary>
    public byte Reserved;

    /// <summary>The shard that it is about; 0 when about none.</summary>
    public ushort Shard;

    /// <summary>Bytes of the payload.</summary>
    public int Length;

    /// <summary>What this number means depends on the kind.</summary>
    public ulong Id;
}

/// <summary>Kinds of <see cref="PeerMessageHeader"/>. Values cross wires.</summary>
public enum PeerMessageKind : byte
{
    /// <summary>A frame for a shard's owner; <c>Id</c> names the delivery, payload is the frame.</summary>
    Deliver = 1,

    /// <summary>The answer: <c>Id</c> of the delivery, payload one byte, a <see cref="Cluster.Messages.Sharding.Refusal"/>.</summary>
    Delivered = 2,

    /// <summary>Primary to copy; <c>Id</c> is the position in the stream, payload a <see cref="ReplicationItemHeader"/> and its body.</summary>
    Replicate = 3,

    /// <summary>Copy to primary; <c>Id</c> is the last position that it has, payload a <see cref="ReplicationAnswer"/>.</summary>
    Replicated = 4,

    /// <summary>A question of people to a node; <c>Id</c> names it, payload is its text in UTF-8.</summary>
    Ask = 5,

    /// <summary>The answer: <c>Id</c> of the question, payload JSON.</summary>
    Answer = 6,

    /// <summary>A node to the coordinator: what its shards wish to spend. Payload is the budget protocol's.</summary>
    BudgetDemand = 7,

    /// <summary>The coordinator to a node: what its shards may spend.</summary>
    BudgetGrant = 8,
}

/// <summary>The first bytes of the payload of <see cref="PeerMessageKind.Replicate"/>.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct ReplicationItemHeader
{
    /// <summary>Bytes of a header.</summary>
    public const int Size = 32;

    /// <summary>The primary's term.</summary>
    public uint Term;

    /// <summary>What the body is.</summary>
    public ReplicationItemKind Kind;

    /// <summary>0 or 1; what it says depends on the kind.</summary>
    public byte Flag;

    /// <summary>0.</summary>
    public ushort Reserved;

    /// <summary>Which stay of the copy the stream is for (<see cref="Cluster.Messages.Sharding.ShardCopy.Since"/>).</summary>
    public long Since;

    /// <summary>Index in the shard's log; 0 where the item is no log entry.</summary>
    public ulong Index;

    /// <summary>How long ago it happened when it was sent, milliseconds.</summary>
    public uint AgeMilliseconds;

    /// <summary>0.</summary>
    public uint Reserved2;
}

/// <summary>Kinds of items in the stream from a primary to a copy. Values cross wires.</summary>
public enum ReplicationItemKind : byte
{
    /// <summary>
    /// The first item of every stream. <c>Index</c> is the last index in the primary's log: what the copy has beyond is taken back.
    /// <c>Flag</c> 1: the copy begins from nothing. The copy's answer says what its last index is then.
    /// </summary>
    Begin = 1,

    /// <summary>A log entry: a frame.</summary>
    Frame = 2,

    /// <summary>A log entry: verdicts.</summary>
    Verdicts = 3,

    /// <summary>
    /// Entries that are not needed any more, and traces whose export was confirmed. <c>Flag</c> 1: the copy has everything that was acknowledged, up
    /// to <c>Index</c>.
    /// </summary>
    Trim = 4,

    /// <summary>Remembered decisions, for a copy that is filled.</summary>
    Decisions = 5,
}

/// <summary>Payload of <see cref="PeerMessageKind.Replicated"/>.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct ReplicationAnswer
{
    /// <summary>Bytes of an answer.</summary>
    public const int Size = 24;

    /// <summary>The highest term that the copy knows: above the primary's, and the primary is one no more.</summary>
    public uint Term;

    /// <summary>0.</summary>
    public uint Reserved;

    /// <summary>The stay that is answered for.</summary>
    public long Since;

    /// <summary>Last index in the copy's log.</summary>
    public ulong LastIndex;
}
