using Cluster.Sharding.Transport;

namespace Cluster.Sharding.Tests.Transport;

public sealed class ReceiveBlockTests
{
    [Fact]
    public async Task Release_TheLastOne_MakesRoomForWhoWaits()
    {
        ReceiveWindow window = new(limit: 1000);
        Assert.True(window.WaitAsync().IsCompleted);
        ReceiveBlock first = new(window, 600);
        ReceiveBlock second = new(window, 600);
        PeerPacket packet = new(first, 10, 5);
        Assert.Equal(5, packet.Messages.Length);
        packet.Retain();
        Assert.False(first.IsOnlyTheReaders);
        first.Release();
        Assert.True(first.IsOnlyTheReaders);
        Task room = window.WaitAsync();
        Assert.False(room.IsCompleted);
        packet.Release();
        await room;
        second.Release();
    }

    [Fact]
    public async Task Close_WhoWaits_WaitsNoMore()
    {
        ReceiveWindow window = new(limit: 1000);
        ReceiveBlock block = new(window, 1000);
        Task room = window.WaitAsync();
        Assert.False(room.IsCompleted);
        window.Close();
        await room;
        Assert.True(window.WaitAsync().IsCompleted);
        block.Release();
    }

    [Fact]
    public void Release_MoreOftenThanRetained_Throws()
    {
        ReceiveBlock block = new(new ReceiveWindow(limit: 1000), 100);
        block.Release();
        Assert.Throws<InvalidOperationException>(block.Release);
    }
}
