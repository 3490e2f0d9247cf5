using Cluster.Messages.Sharding;
using Cluster.Sharding.Coordination;

namespace Cluster.Sharding.Tests.Coordination;

public sealed class InMemoryClusterStoreTests
{
    private readonly InMemoryClusterStore _store = new();

    [Fact]
    public async Task TrySet_OnlyAtTheRevisionThatWasRead()
    {
        Assert.Null(await _store.GetAsync("a", default));
        Assert.Null(await _store.TrySetAsync("a", new byte[] { 1 }, 5, default));
        Assert.Equal(1, await _store.TrySetAsync("a", new byte[] { 1 }, 0, default));
        Assert.Null(await _store.TrySetAsync("a", new byte[] { 2 }, 0, default));
        Assert.Equal(2, await _store.TrySetAsync("b", new byte[] { 9 }, 0, default));
        Assert.Equal(3, await _store.TrySetAsync("a", new byte[] { 3 }, 1, default));
        StoreEntry entry = (await _store.GetAsync("a", default))!;
        Assert.Equal(3, entry.Value.Span[0]);
        Assert.Equal(3, entry.Revision);
    }

    [Fact]
    public async Task TrySet_KeepsACopy()
    {
        byte[] value = [1];
        await _store.TrySetAsync("a", value, 0, default);
        value[0] = 2;
        Assert.Equal(1, (await _store.GetAsync("a", default))!.Value.Span[0]);
    }

    [Fact]
    public async Task Allocate_ManyAtOnce_EachIsItsOwnTerm()
    {
        ShardCoordinator coordinator = new(_store);
        uint[] terms = new uint[50];
        await Parallel.ForEachAsync(Enumerable.Range(0, terms.Length), async (i, stop) =>
        {
            ShardAllocation allocation = await coordinator.AllocateToAsync("node " + i, 3, stop);
            Assert.Equal("node " + i, allocation[2].Node);
            terms[i] = allocation[2].Term;
        });
        Assert.Equal(Enumerable.Range(1, 50).Select(i => (uint)i), terms.Order());
    }
}
