using System.Text;
using Cluster.Sharding.Store;

namespace Cluster.Sharding.Tests.Store;

/// <summary>What only the pure store can show: exact revisions and ends.</summary>
public sealed class StoreCoreTests
{
    private readonly StoreCore _store = new(history: 4);

    [Fact]
    public void Revision_OfANewStore_IsOne() => Assert.Equal(1, _store.Revision);

    [Fact]
    public void Commit_WithChanges_RaisesTheRevisionByOne()
    {
        Assert.Equal(2, Put("a"));
        Assert.Equal(3, _store.Commit(new([], [new("b", Bytes("1")), new("c", Bytes("1"))], ["a"])));
        Assert.Equal(3, _store.Revision);
    }

    [Fact]
    public void Commit_ThatDeletesNothing_LeavesTheRevision()
    {
        Put("a");
        Assert.Equal(2, _store.Commit(new([], [], ["nothing"])));
        Assert.Equal(2, _store.Revision);
    }

    [Fact]
    public void Commit_OfABufferThatChangesLater_KeepsItsOwnCopy()
    {
        byte[] value = [1, 2, 3];
        _store.Commit(new([], [new("a", value)], []));
        value[0] = 9;
        Assert.Equal([1, 2, 3], Assert.Single(_store.List("").Entries).Value.ToArray());
    }

    [Fact]
    public void Commit_ThatPutsAndDeletesAKey_IsRefused() =>
        Assert.Throws<ArgumentException>(() => _store.Commit(new([], [new("a", Bytes("1"))], ["a"])));

    [Fact]
    public void Advance_ToTheEndOfLeases_EndsEachInARevisionOfItsOwn()
    {
        long slow = _store.Grant(2000, 0);
        long quick = _store.Grant(1000, 0);
        _store.Commit(new([], [new("a", Bytes("1"), slow), new("b", Bytes("1"), quick), new("c", Bytes("1"), quick)], []));

        _store.Advance(999);
        Assert.Equal(2, _store.Revision);
        _store.Advance(3000);

        Assert.Equal(4, _store.Revision);
        IReadOnlyList<StoreChanges> changes = _store.ChangesAfter(2, "");
        Assert.Equal([3, 4], changes.Select(change => change.Revision));
        Assert.Equal(["b", "c"], changes[0].Deleted);
        Assert.Equal(["a"], changes[1].Deleted);
    }

    [Fact]
    public void Advance_PastALeaseWithoutKeys_LeavesTheRevision()
    {
        long lease = _store.Grant(1000, 0);
        _store.Advance(1000);
        Assert.Equal(1, _store.Revision);
        Assert.False(_store.KeepAlive(lease, 1000));
    }

    [Fact]
    public void KeepAlive_BeforeTheEnd_MovesIt()
    {
        long lease = _store.Grant(1000, 0);
        Assert.Equal(1000, _store.NextEnd);
        Assert.True(_store.KeepAlive(lease, 999));
        Assert.Equal(1999, _store.NextEnd);
        Assert.False(_store.KeepAlive(lease, 1999));
        Assert.Null(_store.NextEnd);
    }

    [Fact]
    public void ChangesAfter_WhatIsForgotten_IsASnapshot()
    {
        for (int i = 0; i < 6; i++)
        {
            Put($"k{i}");
        }

        Assert.Equal([4L, 5, 6, 7], _store.ChangesAfter(3, "k").Select(change => change.Revision));
        StoreChanges change = Assert.Single(_store.ChangesAfter(2, "k"));
        Assert.Equal(7, change.Revision);
        Assert.Equal(7, change.Snapshot?.Revision);
        Assert.Equal(6, change.Snapshot?.Entries.Count);
        Assert.Empty(change.Put);
        Assert.Empty(change.Deleted);
    }

    private long? Put(string key) => _store.Commit(new([], [new(key, Bytes("1"))], []));

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);
}
