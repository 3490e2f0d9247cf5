using Cluster.Messages.Identity;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Traces;

namespace Cluster.Sharding.Tests.Traces;

public sealed class DecisionCacheTests
{
    [Theory]
    [InlineData(7, 300)]
    [InlineData(1, 1)]
    [InlineData(0, 50)]
    public void AddTouchFind_AtRandom_ForgetTheLeastRecentlyUsedOfTheirKind(int sampledCapacity, int otherCapacity)
    {
        Random random = new(sampledCapacity);
        DecisionCache cache = new(new TraceIdHasher(3), sampledCapacity, otherCapacity, 20, 1);
        List<TraceId> sampled = [];
        List<TraceId> others = [];
        for (int step = 0; step < 20_000; step++)
        {
            // The same low half, so that all 16 bytes must count.
            TraceId id = new((ulong)random.Next(1000), 7);
            int entry = cache.Find(id);
            Assert.Equal(sampled.Contains(id) || others.Contains(id), entry != 0);
            if (entry != 0)
            {
                List<TraceId> list = cache[entry].Decision == Decision.Sampled ? sampled : others;
                Assert.True(list.Remove(id));
                list.Add(id);
                cache.Touch(entry);
                continue;
            }

            Decision decision = (Decision)random.Next(3);
            cache.Add(new RememberedDecision { TraceId = id, Decision = decision }, new Vote[20], [0]);
            List<TraceId> kind = decision == Decision.Sampled ? sampled : others;
            kind.Add(id);
            if (kind.Count > (decision == Decision.Sampled ? sampledCapacity : otherCapacity))
            {
                kind.RemoveAt(0);
            }

            Assert.Equal(sampled.Count + others.Count, cache.Count);
        }

        Assert.Equal(Enumerable.Reverse(sampled), NewestFirst(cache, true));
        Assert.Equal(Enumerable.Reverse(others), NewestFirst(cache, false));
    }

    [Fact]
    public void Votes_OfManyPolicies_ComeBackAsTheyWereAfterGrowth()
    {
        DecisionCache cache = new(new TraceIdHasher(3), 500, 0, 37, 2);
        Vote[] VotesOf(int i) => [.. Enumerable.Range(0, 37).Select(policy => (Vote)((i + policy) % 5))];
        for (int i = 1; i <= 500; i++)
        {
            cache.Add(new RememberedDecision { TraceId = new TraceId(1, (ulong)i), Decision = Decision.Sampled }, VotesOf(i), [(ulong)i, 9]);
        }

        for (int i = 1; i <= 500; i++)
        {
            int entry = cache.Find(new TraceId(1, (ulong)i));
            Assert.Equal(VotesOf(i), cache.Votes(entry));
            Assert.Equal([(ulong)i, 9ul], cache.Conditions(entry).ToArray());
        }
    }

    [Fact]
    public void Add_Full_AllocatesNothing()
    {
        DecisionCache cache = new(new TraceIdHasher(3), 100, 100, 3, 1);
        Vote[] votes = new Vote[3];
        ulong[] conditions = new ulong[1];
        Fill(0);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Fill(10_000);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Fill(int from)
        {
            for (int i = 1; i <= 1000; i++)
            {
                cache.Add(new RememberedDecision { TraceId = new TraceId(1, (ulong)(from + i)), Decision = (Decision)(i % 2) }, votes, conditions);
            }
        }
    }

    private static List<TraceId> NewestFirst(DecisionCache cache, bool sampled)
    {
        List<TraceId> ids = [];
        for (int entry = cache.Newest(sampled); entry != 0; entry = cache.Next(entry))
        {
            ids.Add(cache[entry].TraceId);
        }

        return ids;
    }
}
