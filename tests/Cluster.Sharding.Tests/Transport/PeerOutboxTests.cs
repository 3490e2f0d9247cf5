using Cluster.Messages.Frames;
using Cluster.Messages.Transport;
using Cluster.Sharding.Transport;

namespace Cluster.Sharding.Tests.Transport;

public sealed class PeerOutboxTests
{
    private const int Bound = 300_000;
    private const int MaxMessage = 200_000;

    [Fact]
    public async Task TakeAsync_MessagesThatWait_ComeInOnePacketUpToItsSize()
    {
        PeerOutbox outbox = Open();
        for (ulong id = 0; id < 14; id++)
        {
            Assert.Equal(PeerSend.Queued, Append(outbox, 20_000 - PeerMessageHeader.Size, id));
        }

        Assert.Equal(14 * 20_000, outbox.BufferedBytes);
        List<int> counts = [];
        while (outbox.BufferedBytes > 0)
        {
            OutgoingPacket packet = (await outbox.TakeAsync())!.Value;
            Assert.Equal(PeerPacketFormat.HeaderSize + 20_000 * packet.Messages, packet.Length);
            Assert.Equal(packet.Messages, PeerPacketReader.Count(packet.Bytes.AsSpan(PeerPacketFormat.HeaderSize, packet.Length - PeerPacketFormat.HeaderSize)));
            counts.Add(packet.Messages);
            outbox.Return(packet);
        }

        Assert.Equal([6, 6, 2], counts);
    }

    [Fact]
    public async Task TakeAsync_MessageLargerThanAPacketOfMany_IsAlone()
    {
        PeerOutbox outbox = Open();
        Append(outbox, 10, 1);
        Append(outbox, 150_000, 2);
        Append(outbox, 10, 3);
        for (int i = 0; i < 3; i++)
        {
            OutgoingPacket packet = (await outbox.TakeAsync())!.Value;
            Assert.Equal((1, PeerPacketFormat.HeaderSize + PeerMessageHeader.Size + (i == 1 ? 150_000 : 10)), (packet.Messages, packet.Length));
            outbox.Return(packet);
        }
    }

    [Fact]
    public void Append_AtTheBound_IsBusyButForAnswersUpToTwiceOfIt()
    {
        PeerOutbox outbox = Open();
        Assert.Equal(PeerSend.Queued, Append(outbox, 150_000 - 16, 1));
        Assert.Equal(PeerSend.Queued, Append(outbox, 150_000 - 16, 2));
        Assert.Equal(PeerSend.Busy, Append(outbox, 0, 3));
        foreach (PeerMessageKind kind in new[] { PeerMessageKind.Delivered, PeerMessageKind.Replicated, PeerMessageKind.Answer })
        {
            Assert.Equal(PeerSend.Queued, Append(outbox, 100_000 - 16, 4, kind));
        }

        Assert.Equal(PeerSend.Busy, Append(outbox, 0, 5, PeerMessageKind.Delivered));
        Assert.Equal((2 * Bound, 2), (outbox.BufferedBytes, outbox.Refused));
    }

    [Fact]
    public void Append_OneMessageLargerThanTheBound_IsQueuedAlone()
    {
        PeerOutbox outbox = new(maxBufferedBytes: 1000);
        outbox.Open(MaxMessage);
        Assert.Equal(PeerSend.Queued, Append(outbox, 5000, 1));
        Assert.Equal(PeerSend.Busy, Append(outbox, 0, 2));
    }

    [Fact]
    public async Task Return_APacket_MakesRoom()
    {
        PeerOutbox outbox = Open();
        Append(outbox, 150_000 - 16, 1);
        Append(outbox, 150_000 - 16, 2);
        OutgoingPacket packet = (await outbox.TakeAsync())!.Value;
        Assert.Equal(PeerSend.Busy, Append(outbox, 0, 3));
        outbox.Return(packet);
        Assert.Equal(150_000, outbox.BufferedBytes);
        Assert.Equal(PeerSend.Queued, Append(outbox, 0, 3));
    }

    [Theory]
    [InlineData(MaxMessage - 16, PeerSend.Queued)]
    [InlineData(MaxMessage - 15, PeerSend.TooLarge)]
    public void Append_LargestMessage_IsTheLimit(int payload, PeerSend expected) => Assert.Equal(expected, Append(Open(), payload, 1));

    [Theory]
    [InlineData(0, PeerSend.Queued)]
    [InlineData(1, PeerSend.TooLarge)]
    public void Append_LongestFrameForACopy_FillsTheLargestMessage(int over, PeerSend expected)
    {
        PeerOutbox outbox = new(1000);
        outbox.Open(PeerPacketFormat.MaxMessageBytes);
        outbox.Enter();
        PeerSend sent = outbox.Append(
            PeerMessageKind.Replicate, 1, 1, new byte[ReplicationItemHeader.Size], new byte[FrameFormat.MaxLength + over]);
        outbox.Leave();
        Assert.Equal(expected, sent);
    }

    [Fact]
    public async Task Close_WhatWaits_IsGoneAndTheTakerGetsNothing()
    {
        PeerOutbox outbox = Open();
        Task<OutgoingPacket?> taker = outbox.TakeAsync().AsTask();
        Assert.False(taker.IsCompleted);
        outbox.Close();
        Assert.Null(await taker);
        Assert.Equal(PeerSend.NotConnected, Append(outbox, 1, 1));

        outbox.Open(MaxMessage);
        Append(outbox, 150_000, 1);
        Append(outbox, 100, 2);
        OutgoingPacket taken = (await outbox.TakeAsync())!.Value;
        outbox.Close();
        Assert.Equal(150_016, outbox.BufferedBytes);
        outbox.Return(taken);
        Assert.Equal(0, outbox.BufferedBytes);
        Assert.Null(await outbox.TakeAsync());

        outbox.Open(MaxMessage);
        Append(outbox, 3, 3);
        OutgoingPacket packet = (await outbox.TakeAsync())!.Value;
        Assert.Equal((1, 27), (packet.Messages, packet.Length));
    }

    [Fact]
    public async Task Finish_WhatWaits_IsTakenFirst()
    {
        PeerOutbox outbox = Open();
        Append(outbox, 1, 1);
        outbox.Finish();
        Assert.Equal(PeerSend.NotConnected, Append(outbox, 1, 2));
        Assert.Equal(1, (await outbox.TakeAsync())!.Value.Messages);
        Assert.Null(await outbox.TakeAsync());
    }

    [Fact]
    public async Task Nudge_NothingSaid_GivesAnEmptyPacket()
    {
        PeerOutbox outbox = Open();
        Task<OutgoingPacket?> taker = outbox.TakeAsync().AsTask();
        outbox.Nudge();
        Assert.Equal((0, 8), ((await taker)!.Value.Messages, (await taker)!.Value.Length));

        Append(outbox, 1, 1);
        outbox.Return((await outbox.TakeAsync())!.Value);
        taker = outbox.TakeAsync().AsTask();
        outbox.Nudge();
        Assert.False(taker.IsCompleted);
        outbox.Nudge();
        Assert.Equal(0, (await taker)!.Value.Messages);
    }

    private static PeerOutbox Open()
    {
        PeerOutbox outbox = new(Bound);
        outbox.Open(MaxMessage);
        return outbox;
    }

    private static PeerSend Append(PeerOutbox outbox, int payload, ulong id, PeerMessageKind kind = PeerMessageKind.Deliver)
    {
        outbox.Enter();
        try
        {
            return outbox.Append(kind, 1, id, new byte[payload], []);
        }
        finally
        {
            outbox.Leave();
        }
    }
}
