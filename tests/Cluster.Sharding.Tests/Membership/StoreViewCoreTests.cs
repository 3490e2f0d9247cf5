using Cluster.Messages.Sharding;
using Cluster.Sharding.Membership;
using Cluster.Sharding.Store;

namespace Cluster.Sharding.Tests.Membership;

public sealed class StoreViewCoreTests
{
    private readonly Effects _effects = new();
    private readonly StoreViewCore _view;

    public StoreViewCoreTests() => _view = new StoreViewCore(1, 10_000, _effects);

    [Fact]
    public void Answered_WithTheFirstList_ShowsItAndWatchesFromThere()
    {
        List(5, Member("a", 3));
        Assert.Equal((true, 5L), (_view.IsRead, _view.Revision));
        Assert.Equal("a", Assert.Single(_view.Members).Id.Node);
        Assert.Equal(5, Assert.Single(_effects.Watches));
        Assert.True(_view.TakeChanged());
        Assert.False(_view.TakeChanged());
    }

    [Fact]
    public void Answered_WithAnOlderList_ChangesNothing()
    {
        List(5, Member("a", 3));
        _view.Changed(new StoreChanges(7, [Member("b", 7)], []), 0);
        _view.Refresh();
        List(6, Member("a", 3));
        Assert.Equal(7, _view.Revision);
        Assert.Equal(["a", "b"], _view.Members.Select(member => member.Id.Node));
        Assert.Single(_effects.Watches);
    }

    [Fact]
    public void Answered_WithANewerList_ForgetsWhatIsGone()
    {
        List(5, Member("a", 3), Allocation(4, 1), new StoreEntry("coordinator", StoredDocuments.WriteCoordinator(new MemberId("a", 1)), 5, 5, 1));
        _view.Refresh();
        List(9, Member("b", 8));
        Assert.Equal(["b"], _view.Members.Select(member => member.Id.Node));
        Assert.Equal((default, 0L, 0L), (_view.Coordinator, _view.CoordinatorRevision, _view.AllocationRevision));
        Assert.Equal((1L, false), (_view.Allocation.Version, _view.AllocationIsStored));
        Assert.Equal([5, 9], _effects.Watches);
    }

    [Fact]
    public void Changed_ToALowerVersionOrGarbage_KeepsTheAllocation()
    {
        List(5, Allocation(5, 7));
        _view.Changed(new StoreChanges(6, [Allocation(6, 3)], []), 0);
        Assert.Equal((7L, 6L, false), (_view.Allocation.Version, _view.AllocationRevision, _view.AllocationIsStored));
        _view.Changed(new StoreChanges(7, [new StoreEntry("allocation", "?"u8.ToArray(), 7, 7, 0)], []), 0);
        Assert.Equal((7L, 7L, false), (_view.Allocation.Version, _view.AllocationRevision, _view.AllocationIsStored));
        _view.Changed(new StoreChanges(8, [Allocation(8, 8)], []), 0);
        Assert.Equal((8L, 8L, true), (_view.Allocation.Version, _view.AllocationRevision, _view.AllocationIsStored));
    }

    [Fact]
    public void Changed_BeforeTheFirstList_IsPassedOver()
    {
        _view.Changed(new StoreChanges(6, [Member("a", 6)], []), 0);
        Assert.False(_view.IsRead);
        Assert.Empty(_view.Members);
    }

    [Fact]
    public void Step_AfterSilenceOrAWriteThatDoesNotShow_ListsAgain()
    {
        List(5);
        _view.Step(9_999);
        Assert.Single(_effects.Requests);
        _view.Step(10_000);
        Assert.Equal(2, _effects.Requests.Count);
        Answer(5, 10_000);

        _view.Await(6, 10_000);
        _view.Step(10_999);
        Assert.Equal(2, _effects.Requests.Count);
        _view.Step(11_000);
        Assert.Equal(3, _effects.Requests.Count);
        Answer(6, 11_000);
        _view.Step(13_000);
        Assert.Equal(3, _effects.Requests.Count);
    }

    [Fact]
    public void Step_AfterAListThatFailed_WaitsLongerEachTime()
    {
        long now = 0;
        List<long> asked = [];
        for (; now < 5000; now += 10)
        {
            int before = _effects.Requests.Count;
            _view.Step(now);
            if (_effects.Requests.Count > before)
            {
                asked.Add(now);
                Assert.True(_view.Answered(_effects.Requests[^1], new StoreAnswer.Failed("away"), now));
            }
        }

        Assert.Equal([0, 100, 300, 700, 1500, 2500, 3500, 4500], asked);
        Assert.False(_view.Answered(new StoreRequest.List(""), new StoreAnswer.Failed("away"), now));
    }

    private static StoreEntry Member(string node, long revision) => new(
        $"members/{node}", StoredDocuments.WriteMember(new Member(new MemberId(node, 1), $"{node}:1")), revision, revision, 1);

    private static StoreEntry Allocation(long revision, long version) => new(
        "allocation",
        StoredDocuments.WriteAllocation(new ShardAllocation(version, [new ShardAssignment(new MemberId("a", 1), 1, [])])),
        revision,
        revision,
        0);

    private void List(long revision, params StoreEntry[] entries)
    {
        _view.Step(0);
        Answer(revision, 0, entries);
    }

    private void Answer(long revision, long now, params StoreEntry[] entries) =>
        Assert.True(_view.Answered(_effects.Requests[^1], new StoreAnswer.Listed(new StoreSnapshot(revision, entries)), now));

    private sealed class Effects : IClusterControlEffects
    {
        public List<StoreRequest> Requests { get; } = [];

        public List<long> Watches { get; } = [];

        public void Request(StoreRequest request) => Requests.Add(request);

        public void Watch(string prefix, long afterRevision) => Watches.Add(afterRevision);

        public void Publish(ClusterSnapshot snapshot) => throw new InvalidOperationException();

        public void SetAuthority(long validUntil) => throw new InvalidOperationException();

        public void Fenced() => throw new InvalidOperationException();

        public void Unfenced(long milliseconds) => throw new InvalidOperationException();

        public void Reject(string problem) => throw new InvalidOperationException();
    }
}
