using Cluster.Sharding.Traces;

namespace Cluster.Sharding.Tests.Traces;

public sealed class SpanIdSetsTests
{
    [Theory]
    [InlineData(20)] // long runs of slots: few different hashes, so that removing moves others back
    [InlineData(3000)]
    [InlineData(int.MaxValue)]
    public void AddRemoveContains_AtRandom_AreThoseOfASet(int differentHashes)
    {
        Random random = new(differentHashes);
        using SpanIdSets sets = new();
        SpanIdSet[] actual = new SpanIdSet[4];
        HashSet<ulong>[] expected = [.. actual.Select(_ => new HashSet<ulong>())];
        for (int step = 0; step < 60_000; step++)
        {
            int which = random.Next(actual.Length);
            ulong hash = ((ulong)random.Next(differentHashes) << random.Next(3)) + 1;
            switch (random.Next(8))
            {
                case < 4:
                    Assert.Equal(expected[which].Add(hash), sets.Add(ref actual[which], hash));
                    break;
                case < 6:
                    Assert.Equal(expected[which].Remove(hash), SpanIdSets.Remove(ref actual[which], hash));
                    break;
                case 6:
                    Assert.Equal(expected[which].Contains(hash), SpanIdSets.Contains(actual[which], hash));
                    break;
                default:
                    if (random.Next(500) == 0)
                    {
                        sets.Free(ref actual[which]);
                        expected[which].Clear();
                    }

                    break;
            }

            Assert.Equal(expected[which].Count, actual[which].Count);
        }

        for (int i = 0; i < actual.Length; i++)
        {
            Assert.All(expected[i], hash => Assert.True(SpanIdSets.Contains(actual[i], hash)));
            sets.Free(ref actual[i]);
        }

        Assert.Equal(0, sets.Bytes);
    }

    [Fact]
    public void Remove_EveryOrderOfASmallFullTable_FindsTheRest()
    {
        // Seven of eight slots, all wanting the last ones: chains that go around the end.
        ulong[] hashes = [7, 15, 23, 6, 14, 31, 8];
        using SpanIdSets sets = new();
        for (int first = 0; first < hashes.Length; first++)
        {
            for (int second = 0; second < hashes.Length; second++)
            {
                SpanIdSet set = default;
                Assert.All(hashes, hash => Assert.True(sets.Add(ref set, hash)));
                SpanIdSets.Remove(ref set, hashes[first]);
                SpanIdSets.Remove(ref set, hashes[second]);
                for (int i = 0; i < hashes.Length; i++)
                {
                    Assert.Equal(i != first && i != second, SpanIdSets.Contains(set, hashes[i]));
                }

                sets.Free(ref set);
            }
        }
    }

    [Fact]
    public void Free_FloodOfEverySize_ReturnsTheMemory()
    {
        using SpanIdSets sets = new();
        for (int size = 4; size <= 16_384; size *= 2)
        {
            SpanIdSet[] flood = new SpanIdSet[2_000_000 / size];
            for (int i = 0; i < flood.Length; i++)
            {
                for (int hash = 1; hash <= size / 2 + 1; hash++)
                {
                    sets.Add(ref flood[i], (ulong)hash);
                }
            }

            Assert.True(sets.Bytes > 4_000_000);
            Random.Shared.Shuffle(flood);
            for (int i = 0; i < flood.Length; i++)
            {
                sets.Free(ref flood[i]);
            }

            Assert.Equal(0, sets.Bytes);
        }
    }

    [Fact]
    public void Add_TablesThatComeAndGo_AllocatesNothing()
    {
        using SpanIdSets sets = new();
        Churn(sets);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Churn(sets);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        static void Churn(SpanIdSets sets)
        {
            SpanIdSet set = default;
            for (int round = 0; round < 50; round++)
            {
                for (ulong hash = 1; hash < 1000; hash++)
                {
                    sets.Add(ref set, hash);
                }

                sets.Free(ref set);
            }
        }
    }
}
