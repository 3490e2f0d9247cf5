using System.Text;
using System.Text.Json;
using Cluster.Sharding.Store;

namespace Cluster.Sharding.Tests.Store;

/// <summary>Revisions are given out whole, in order and once.</summary>
public sealed class EtcdWatchAssemblerTests
{
    private readonly EtcdWatchAssembler _assembler = new(new EtcdKeys("c"), afterRevision: 10);
    private readonly List<StoreChanges> _changes = [];

    [Fact]
    public void Take_OfSeveralRevisions_GivesEach()
    {
        Assert.True(Take(fragment: false, Put("a", 11), Delete("b", 11), Put("a", 12)));
        Assert.Equal(["11: a -b", "12: a"], Given());
        Assert.Equal(12, _assembler.Revision);
    }

    [Fact]
    public void Take_OfFragments_GivesARevisionWhenItIsWhole()
    {
        Assert.True(Take(fragment: true, Put("a", 11), Put("a", 12)));
        Assert.Equal(["11: a"], Given());
        Assert.Equal(11, _assembler.Revision);
        Assert.True(Take(fragment: true, Put("b", 12)));
        Assert.Single(_changes);
        Assert.True(Take(fragment: false, Delete("c", 12), Put("a", 13)));
        Assert.Equal(["11: a", "12: a b -c", "13: a"], Given());
    }

    [Fact]
    public void Take_AfterALostConnection_GivesWhatWasNotWholeOnce()
    {
        Take(fragment: true, Put("a", 11));
        _assembler.Drop();
        Assert.True(Take(fragment: false, Put("a", 11), Put("b", 11)));
        Assert.Equal(["11: a b"], Given());
    }

    [Fact]
    public void Take_OfWhatWasGivenOut_GivesNothing()
    {
        Assert.True(Take(fragment: false, Put("a", 9), Put("a", 10)));
        Assert.Empty(_changes);
    }

    [Fact]
    public void Take_OfARevisionThatIsTooLarge_WantsAList()
    {
        EtcdEvent large = new() { Kv = new() { Key = Key("a"), Value = new byte[16 << 20], ModRevision = 11 } };
        Assert.True(Take(fragment: true, large, large, large));
        Assert.False(Take(fragment: true, large));
    }

    [Fact]
    public void Take_OfACancelledWatch_WantsAListOrSaysWhy()
    {
        Assert.False(_assembler.Take(new() { Canceled = true, CompactRevision = 20 }, _changes));
        ClusterStoreException error = Assert.Throws<ClusterStoreException>(
            () => _assembler.Take(new() { Created = true, Canceled = true, CancelReason = "permission denied" }, _changes));
        Assert.Contains("permission denied", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Take_OfAMemberThatIsBehind_WantsAList()
    {
        Assert.False(_assembler.Take(new() { Created = true, Header = new() { Revision = 9 } }, _changes));
        Assert.True(_assembler.Take(new() { Created = true, Header = new() { Revision = 10 } }, _changes));
    }

    [Fact]
    public void Take_OfWhatIsNoEvent_IsAnError()
    {
        Assert.Throws<JsonException>(() => Take(fragment: false, [null!]));
        Assert.Throws<JsonException>(() => Take(fragment: false, new EtcdEvent()));
        Assert.Throws<JsonException>(() => Take(fragment: false, new EtcdEvent { Kv = new() { Key = [1], ModRevision = 11 } }));
    }

    private static byte[] Key(string key) => Encoding.UTF8.GetBytes($"/actorsampling/c/{key}");

    private static EtcdEvent Put(string key, long revision) => new() { Kv = new() { Key = Key(key), ModRevision = revision } };

    private static EtcdEvent Delete(string key, long revision) => Put(key, revision) with { Type = "DELETE" };

    private bool Take(bool fragment, params EtcdEvent[] events) => _assembler.Take(new() { Fragment = fragment, Events = events }, _changes);

    private IEnumerable<string> Given() => _changes.Select(change =>
        $"{change.Revision}: {string.Join(' ', change.Put.Select(entry => entry.Key).Concat(change.Deleted.Select(key => "-" + key)))}");
}
