using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Cluster.Messages.Identity;
using Cluster.Messages.Protobuf;
using Cluster.Messages.Transport;

namespace Cluster.Messages.Tests.Transport;

public sealed class ReplicationItemTests
{
    [Fact]
    public void Structs_OnTheWire_HaveTheirSizes()
    {
        Assert.Equal(PeerMessageHeader.Size, Unsafe.SizeOf<PeerMessageHeader>());
        Assert.Equal(ReplicationItemHeader.Size, Unsafe.SizeOf<ReplicationItemHeader>());
        Assert.Equal(ReplicationAnswer.Size, Unsafe.SizeOf<ReplicationAnswer>());
        Assert.Equal(DecisionRecord.Size, Unsafe.SizeOf<DecisionRecord>());
        Assert.Equal(IndexRange.Size, Unsafe.SizeOf<IndexRange>());
        Assert.Equal(TraceId.Size, Unsafe.SizeOf<TraceId>());
    }

    [Fact]
    public void TryRead_ItemAndAnswer_AreWhatWasWritten()
    {
        ReplicationItemHeader header = new() { Term = 3, Kind = ReplicationItemKind.Verdicts, Flag = 1, Since = -4, Index = 5, AgeMilliseconds = 6 };
        byte[] payload = [.. ReplicationItem.Bytes(header), 7, 8];
        Assert.True(ReplicationItem.TryRead(payload, out ReplicationItemHeader read, out ReadOnlySpan<byte> body));
        Assert.Equal(header, read);
        Assert.Equal([7, 8], body.ToArray());

        ReplicationAnswer answer = new() { Term = 1, Since = 2, LastIndex = 3 };
        Assert.True(ReplicationItem.TryRead(ReplicationItem.Bytes(answer), out ReplicationAnswer readAnswer));
        Assert.Equal(answer, readAnswer);
    }

    [Fact]
    public void TryRead_TooShortOrOfNoKind_IsFalse()
    {
        byte[] payload = [.. ReplicationItem.Bytes(new ReplicationItemHeader { Kind = ReplicationItemKind.Begin })];
        Assert.False(ReplicationItem.TryRead(payload.AsSpan(..31), out _, out _));
        Assert.False(ReplicationItem.TryRead(new byte[23], out ReplicationAnswer _));
        payload[4] = 0;
        Assert.False(ReplicationItem.TryRead(payload, out _, out _));
        payload[4] = 6;
        Assert.False(ReplicationItem.TryRead(payload, out _, out _));
    }

    [Fact]
    public void DecisionRecords_WrittenAndRead_AreTheSame()
    {
        using PooledBuffer buffer = new();
        List<(DecisionRecord Record, ulong[] Details)> written = [];
        for (int i = 0; i < 5; i++)
        {
            DecisionRecord record = new()
            {
                TraceId = new TraceId((ulong)i, 9),
                Index = 10,
                DurationNanoseconds = 11,
                Bytes = 12,
                AgeMilliseconds = 13,
                SpanCount = 14,
                Policy = -1,
                Decision = 1,
                Reason = 2,
                VoteCount = (ushort)(i * 16),
                ConditionWords = 1,
                Exported = 1,
            };
            ulong[] details = [.. Enumerable.Range(0, i + 1).Select(d => (ulong)d + 100)];
            written.Add((record, details));
            DecisionRecord.Write(buffer, record, details);
        }

        ReadOnlySpan<byte> body = buffer.WrittenSpan;
        Assert.True(DecisionRecord.AreWhole(body));
        foreach ((DecisionRecord record, ulong[] details) in written)
        {
            Assert.True(DecisionRecord.TryRead(ref body, out DecisionRecord read, out ReadOnlySpan<ulong> readDetails));
            Assert.Equal(record, read);
            Assert.Equal(details, readDetails.ToArray());
        }

        Assert.True(body.IsEmpty);
        Assert.False(DecisionRecord.TryRead(ref body, out _, out _));
        for (int length = 1; length < DecisionRecord.Size + 8; length++)
        {
            Assert.False(DecisionRecord.AreWhole(buffer.WrittenSpan[..length]));
        }
    }

    [Fact]
    public void TrimBody_WrittenAndRead_IsTheSame()
    {
        using PooledBuffer buffer = new();
        TrimBody.Write(buffer, [new IndexRange(1, 2), new IndexRange(4, ulong.MaxValue)], [new TraceId(5, 6)]);
        Assert.True(TrimBody.TryRead(buffer.WrittenSpan, out ReadOnlySpan<IndexRange> ranges, out ReadOnlySpan<TraceId> exported));
        Assert.Equal([new IndexRange(1, 2), new IndexRange(4, ulong.MaxValue)], ranges.ToArray());
        Assert.Equal([new TraceId(5, 6)], exported.ToArray());
        for (int length = 0; length < buffer.Length; length++)
        {
            Assert.False(TrimBody.TryRead(buffer.WrittenSpan[..length], out _, out _));
        }

        byte[] absurd = [255, 255, 255, 255, 255, 255, 255, 255];
        Assert.False(TrimBody.TryRead(absurd, out _, out _));
    }

    [Fact]
    public void TryRead_MutatedBytes_NeverLeadsOutside()
    {
        using PooledBuffer trim = new();
        TrimBody.Write(trim, [new IndexRange(1, 2)], [new TraceId(5, 6), new TraceId(7, 8)]);
        using PooledBuffer records = new();
        for (int i = 0; i < 3; i++)
        {
            DecisionRecord.Write(records, new DecisionRecord { VoteCount = 3, ConditionWords = 1 }, [1, 2]);
        }

        Random random = new(1);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] mutant = Mutation.Of(trim.WrittenSpan.ToArray(), random);
            if (TrimBody.TryRead(mutant, out ReadOnlySpan<IndexRange> ranges, out ReadOnlySpan<TraceId> exported))
            {
                Assert.InRange(ranges.Length + exported.Length, 0, 10);
            }

            mutant = Mutation.Of(records.WrittenSpan.ToArray(), random);
            ReadOnlySpan<byte> body = mutant;
            int count = 0;
            while (DecisionRecord.TryRead(ref body, out DecisionRecord record, out ReadOnlySpan<ulong> details))
            {
                Assert.Equal(DecisionRecord.VoteWords(record.VoteCount) + record.ConditionWords, details.Length);
                count++;
            }

            Assert.InRange(count, 0, mutant.Length / DecisionRecord.Size);
        }
    }

    [Fact]
    public void Record_OnTheWire_IsLittleEndianInTheOrderOfItsFields()
    {
        DecisionRecord record = new() { TraceId = new TraceId(1, 2), Index = 3, SpanCount = 4, VoteCount = 5, Exported = 1 };
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(new ReadOnlySpan<DecisionRecord>(in record));
        Assert.Equal((1, 2, 3, 4, 5, 1), (bytes[0], bytes[8], bytes[16], bytes[44], bytes[52], bytes[56]));
    }
}
