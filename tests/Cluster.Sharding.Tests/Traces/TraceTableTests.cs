using Cluster.Messages.Identity;
using Cluster.Sharding.Traces;

namespace Cluster.Sharding.Tests.Traces;

public sealed class TraceTableTests
{
    private readonly TraceIdHasher _hasher = new(11);

    [Fact]
    public void EverythingAtRandom_IsWhatAModelSays()
    {
        Random random = new(4);
        TraceTable table = new(_hasher, 2);
        List<(TraceId Id, int Number, List<int> Slices)> model = [];
        for (int step = 0; step < 30_000; step++)
        {
            int what = random.Next(10);
            if (what < 4 || model.Count == 0)
            {
                TraceId id = new((ulong)random.Next(3), (ulong)step + 1);
                int number = table.Add(id, step);
                Assert.Equal([0ul, 0ul], table.Conditions(number).ToArray());
                table.Conditions(number)[1] = (ulong)step;
                model.Add((id, number, []));
            }
            else if (what < 8)
            {
                var trace = model[random.Next(model.Count)];
                table.AddSlice(trace.Number, new Slice { Offset = step });
                trace.Slices.Add(step);
            }
            else if (random.Next(100) < 45)
            {
                int at = random.Next(model.Count);
                Drain(table, model[at].Number, model[at].Slices);
                table.Remove(model[at].Number);
                Assert.Equal(0, table.Find(model[at].Id));
                model.RemoveAt(at);
            }

            Assert.Equal(model.Count, table.Count);
            Assert.Equal(model.FirstOrDefault().Number, table.Oldest);
            Assert.Equal(model.LastOrDefault().Number, table.Youngest);
        }

        AssertSame(table, model);
    }

    [Fact]
    public void Adopt_EveryTrace_IsTheSameInATableOfItsSize()
    {
        TraceTable table = new(_hasher, 2);
        for (int i = 1; i <= 10_000; i++)
        {
            int number = table.Add(new TraceId(5, (ulong)i), i);
            table.AddSlice(number, new Slice { Offset = i });
        }

        List<(TraceId Id, int Number, List<int> Slices)> model = [];
        for (int trace = table.Oldest, i = 1; trace != 0; i++)
        {
            int next = table[trace].Younger;
            if (i % 10 == 3)
            {
                table.Conditions(trace)[1] = (ulong)i;
                table[trace].SpanCount = i;
                model.Add((table[trace].TraceId, trace, [i]));
            }
            else
            {
                Drain(table, trace, [i]);
                table.Remove(trace);
            }

            trace = next;
        }

        Assert.True(table.IsSparse);
        TraceTable smaller = new(_hasher, 2);
        for (int i = 0; i < model.Count; i++)
        {
            int adopted = smaller.Adopt(table, model[i].Number);
            while (table.TryRemoveSlice(model[i].Number, out Slice slice))
            {
                smaller.AddSlice(adopted, slice);
            }

            Assert.Equal(model[i].Slices[0], smaller[adopted].SpanCount);
            Assert.Equal((ulong)model[i].Slices[0], smaller.Conditions(adopted)[1]);
            model[i] = model[i] with { Number = adopted };
        }

        Assert.False(smaller.IsSparse);
        AssertSame(smaller, model);
    }

    private static void AssertSame(TraceTable table, List<(TraceId Id, int Number, List<int> Slices)> model)
    {
        int byAge = table.Oldest;
        foreach (var trace in model)
        {
            Assert.Equal(trace.Number, byAge);
            Assert.Equal(trace.Number, table.Find(trace.Id));
            byAge = table[byAge].Younger;
        }

        Assert.Equal(0, byAge);
        for (int i = model.Count - 1, back = table.Youngest; i >= 0; i--, back = table[back].Older)
        {
            Assert.Equal(model[i].Number, back);
        }

        Assert.All(model, trace => Drain(table, trace.Number, trace.Slices));
    }

    private static void Drain(TraceTable table, int trace, List<int> expected)
    {
        List<int> actual = [];
        while (table.TryRemoveSlice(trace, out Slice slice))
        {
            actual.Add(slice.Offset);
        }

        Assert.Equal(expected, actual);
    }
}
