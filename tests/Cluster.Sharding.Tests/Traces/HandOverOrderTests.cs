using System.Buffers;
using Cluster.Sharding.Traces;

namespace Cluster.Sharding.Tests.Traces;

public sealed class HandOverOrderTests
{
    [Fact]
    public void Add_AnyOrder_RisesOverWhatIsWhole()
    {
        HandOverOrder order = new();
        Assert.False(order.Add(2));
        Assert.False(order.Add(4));
        Assert.Equal(0, order.UpTo);
        Assert.True(order.Add(1));
        Assert.Equal(2, order.UpTo);
        Assert.True(order.Add(3));
        Assert.Equal(4, order.UpTo);
    }

    [Fact]
    public void Release_LastHolder_SaysThatTheHandOverIsDone()
    {
        List<long> done = [];
        KeptTraces traces = new(ArrayPool<byte>.Shared.Rent(1), 1, 1, 1, new HandOver(7, done.Add));
        traces.Retain();
        traces.Release();
        Assert.Empty(done);
        traces.Release();
        Assert.Equal([7L], done);
    }
}
