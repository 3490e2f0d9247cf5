using Cluster.Sharding.Log;

namespace Cluster.Sharding.Tests.Log;

public sealed class LogOrderTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(3, 50)]
    public void AddRemoveFind_AtRandom_AreThoseOfASortedDictionary(int seed, int largestGap)
    {
        Random random = new(seed);
        LogOrder order = new();
        SortedDictionary<ulong, int> expected = [];
        ulong last = 0;
        for (int step = 0; step < 20_000; step++)
        {
            if (random.Next(2000) == 0)
            {
                // Taken back: they may come again.
                foreach (ulong index in expected.Keys.Where(index => index > last / 2).Reverse().ToList())
                {
                    order.Remove(index);
                    expected.Remove(index);
                }

                last = Math.Max(last / 2, expected.Keys.LastOrDefault());
            }
            else if (expected.Count < 200 || random.Next(2) == 0)
            {
                last += (ulong)random.Next(1, largestGap + 1);
                order.Add(last, step);
                expected.Add(last, step);
            }
            else
            {
                ulong index = expected.Keys.ElementAt(random.Next(3) == 0 ? random.Next(expected.Count) : random.Next(20));
                order.Remove(index);
                expected.Remove(index);
            }

            ulong wanted = (ulong)random.NextInt64((long)last + 3);
            Assert.Equal(expected.TryGetValue(wanted, out int entry) ? entry : -1, order.Find(wanted));
            Assert.Equal(expected.Where(e => e.Key >= wanted).Select(e => e.Value).FirstOrDefault(-1), order.FindFrom(wanted));
            Assert.Equal(expected.Keys.FirstOrDefault(), order.First);
        }
    }
}
