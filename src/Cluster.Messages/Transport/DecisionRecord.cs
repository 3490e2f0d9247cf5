using System.Runtime.InteropServices;
using Cluster.Messages.Identity;
using Cluster.Messages.Protobuf;

namespace Cluster.Messages.Transport;

/// <summary>
/// One decision in the body of <see cref="ReplicationItemKind.Verdicts"/> or <see cref="ReplicationItemKind.Decisions"/>, which are such records
/// one after the other, each followed by its details: words of votes, then words of condition bits.
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 1, Size = Size)]
public struct DecisionRecord
{
    /// <summary>Bytes of a record without its details.</summary>
    public const int Size = 64;

    /// <summary>Votes in a word of details, 4 bits each, the first lowest.</summary>
    public const int VotesPerWord = 16;

    /// <summary>The trace.</summary>
    public TraceId TraceId;

    /// <summary>Index of the verdict in the shard's log; 0 among verdicts, whose entry has it.</summary>
    public ulong Index;

    /// <summary>Latest end minus earliest start, nanoseconds.</summary>
    public long DurationNanoseconds;

    /// <summary>Bytes of the trace as received.</summary>
    public long Bytes;

    /// <summary>How long before the item was made it was decided, milliseconds; 0 among verdicts, whose entry has it.</summary>
    public uint AgeMilliseconds;

    /// <summary>Spans.</summary>
    public int SpanCount;

    /// <summary>Index of the deciding policy; -1 for none.</summary>
    public short Policy;

    /// <summary>What was decided; a stable number.</summary>
    public byte Decision;

    /// <summary>Why it was decided when it was; a stable number.</summary>
    public byte Reason;

    /// <summary>Votes in the details.</summary>
    public ushort VoteCount;

    /// <summary>Words of condition bits in the details.</summary>
    public ushort ConditionWords;

    /// <summary>1 when the exporters are done with it.</summary>
    public byte Exported;

    /// <summary>Words that so many votes take.</summary>
    public static int VoteWords(int votes) => (votes + VotesPerWord - 1) / VotesPerWord;

    /// <summary>Appends a record with its details.</summary>
    /// <param name="buffer">Where to.</param>
    /// <param name="record">The record; its counts must be those of the details.</param>
    /// <param name="details">Words of votes, then words of condition bits.</param>
    public static void Write(PooledBuffer buffer, in DecisionRecord record, ReadOnlySpan<ulong> details)
    {
        buffer.Write(MemoryMarshal.AsBytes(new ReadOnlySpan<DecisionRecord>(in record)));
        buffer.Write(MemoryMarshal.AsBytes(details));
    }

    /// <summary>Reads the next record of a body, and moves <paramref name="body"/> behind it.</summary>
    /// <param name="body">What is left to read.</param>
    /// <param name="record">The record.</param>
    /// <param name="details">Words of votes, then words of condition bits: as many as the record says.</param>
    /// <returns>False when there is no whole record.</returns>
    public static bool TryRead(ref ReadOnlySpan<byte> body, out DecisionRecord record, out ReadOnlySpan<ulong> details)
    {
        details = default;
        if (!MemoryMarshal.TryRead(body, out record))
        {
            return false;
        }

        int length = (VoteWords(record.VoteCount) + record.ConditionWords) * sizeof(ulong);
        if (body.Length - Size < length)
        {
            return false;
        }

        details = MemoryMarshal.Cast<byte, ulong>(body.Slice(Size, length));
        body = body[(Size + length)..];
        return true;
    }

    /// <summary>Whether a body is whole records from end to end.</summary>
    public static bool AreWhole(ReadOnlySpan<byte> body)
    {
        while (!body.IsEmpty)
        {
            if (!TryRead(ref body, out _, out _))
            {
                return false;
            }
        }

        return true;
    }
}
