using Cluster.Messages.Identity;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Traces;

namespace Cluster.Sharding.Tests.Traces;

public sealed class TreeTrackerTests : IDisposable
{
    private readonly SpanIdSets _sets = new();
    private readonly TraceIdHasher _hasher = new(5);

    public void Dispose() => _sets.Dispose();

    [Fact]
    public void Receive_TreesInAnyOrder_AreClosedExactlyWhenNoParentIsMissing()
    {
        Random random = new(8);
        TreeTracker tracker = new(_sets, _hasher);
        for (int trace = 1; trace <= 300; trace++)
        {
            SpanFacts[] spans = [.. Enumerable.Range(1, random.Next(1, 40)).Select(id => new SpanFacts
            {
                SpanId = (ulong)id,
                ParentSpanId = (ulong)random.Next(id), // 0 is a root
            })];
            random.Shuffle(spans);
            HashSet<ulong> received = [];
            HashSet<ulong> named = [];
            foreach (SpanFacts span in spans)
            {
                tracker.Receive(trace, span);
                received.Add(span.SpanId);
                named.Add(span.ParentSpanId);
                Assert.Equal(named.All(id => id == 0 || received.Contains(id)), tracker.IsClosed(trace));
            }

            Assert.True(tracker.IsClosed(trace));
            if (trace % 2 == 0)
            {
                tracker.Forget(trace);
            }
        }

        TreeTracker adopting = new(_sets, _hasher);
        for (int trace = 1; trace <= 299; trace += 2)
        {
            adopting.Adopt(tracker, trace, trace / 2 + 1);
            Assert.True(adopting.IsClosed(trace / 2 + 1));
            adopting.Forget(trace / 2 + 1);
        }

        Assert.Equal(0, _sets.Bytes);
    }

    [Fact]
    public void Receive_SpanThatIsItsOwnParent_IsClosed()
    {
        TreeTracker tracker = new(_sets, _hasher);
        tracker.Receive(1, new SpanFacts { SpanId = 4, ParentSpanId = 4 });
        Assert.True(tracker.IsClosed(1));
        tracker.Forget(1);
        tracker.Forget(999);
        Assert.False(tracker.IsClosed(999));
    }
}
