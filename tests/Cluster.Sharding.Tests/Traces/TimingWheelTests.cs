using Cluster.Messages.Identity;
using Cluster.Sharding.Traces;

namespace Cluster.Sharding.Tests.Traces;

public sealed class TimingWheelTests
{
    private readonly TraceTable _traces = new(new TraceIdHasher(1), 1);
    private readonly TimingWheel _wheel;
    private ulong _next;

    public TimingWheelTests()
    {
        _wheel = new TimingWheel(_traces);
        _wheel.Start(1000);
    }

    [Theory]
    [InlineData(1, 300)]
    [InlineData(2, 50_000)] // more than two turns
    [InlineData(3, 21_000)]
    public void NextDue_AtRandom_IsWhatASortedListSays(int seed, int longest)
    {
        // Steps of any length, jumps of the clock, additions and removals between two answers, and turns that are broken off.
        Random random = new(seed);
        Dictionary<int, long> expected = [];
        long now = 1000;
        for (int round = 0; round < 3000; round++)
        {
            now += random.Next(20) switch { 0 => random.Next(2 * longest), 1 => 0, < 8 => 10, _ => random.Next(40) };
            bool brokenOff = random.Next(4) == 0;
            while (!brokenOff || random.Next(5) > 0)
            {
                int due = _wheel.NextDue(now);
                if (due == 0)
                {
                    Assert.DoesNotContain(expected.Values, deadline => deadline / TimingWheel.StepMilliseconds < now / TimingWheel.StepMilliseconds);
                    break;
                }

                Assert.True(expected[due] <= now);
                End(due, expected);
                if (random.Next(8) == 0)
                {
                    Change(random, now, longest, expected);
                }
            }

            Change(random, now, longest, expected);
        }

        now += 2L * longest + 100;
        for (int due = _wheel.NextDue(now); due != 0; due = _wheel.NextDue(now))
        {
            End(due, expected);
        }

        Assert.Empty(expected);
    }

    [Fact]
    public void NextDue_ClockStandsOrGoesBack_FindsNothing()
    {
        int trace = Begin(1010);
        Assert.Equal(0, _wheel.NextDue(1000));
        Assert.Equal(0, _wheel.NextDue(500));
        Assert.Equal(0, _wheel.NextDue(1019));
        Assert.Equal(trace, _wheel.NextDue(1020));
    }

    [Fact]
    public void Add_DeadlinePassed_IsDueInTheNextStep()
    {
        int trace = Begin(3);
        Assert.Equal(1000, _traces[trace].Deadline);
        Assert.Equal(trace, _wheel.NextDue(1010));
    }

    [Fact]
    public void Add_WhileATurnIsBrokenOff_IsFoundWithinThatTurn()
    {
        int first = Begin(1005);
        int second = Begin(1006);
        int due = _wheel.NextDue(2000);
        Assert.Contains(due, new[] { first, second });
        int third = Begin(1001);
        _wheel.Remove(due);

        Assert.Equal(first + second - due, _wheel.NextDue(2000));
        Assert.Equal(third, _wheel.NextDue(2000));
    }

    [Fact]
    public void NextDue_ReturnedTraceLeftInPlace_IsNotReturnedTwiceInOneTurn()
    {
        int first = Begin(1005);
        int second = Begin(1005);
        Assert.Equal(second, _wheel.NextDue(2000));
        Assert.Equal(first, _wheel.NextDue(2000));
        Assert.Equal(0, _wheel.NextDue(2000));
    }

    private int Begin(long deadline)
    {
        int trace = _traces.Add(new TraceId(1, ++_next), 0);
        _traces[trace].Deadline = deadline;
        _wheel.Add(trace);
        return trace;
    }

    private void Change(Random random, long now, int longest, Dictionary<int, long> expected)
    {
        for (int additions = random.Next(4); additions > 0; additions--)
        {
            int trace = Begin(now + random.Next(longest));
            expected[trace] = _traces[trace].Deadline;
        }

        if (expected.Count > 0 && random.Next(3) == 0)
        {
            int trace = expected.Keys.ElementAt(random.Next(expected.Count));
            if (random.Next(2) == 0)
            {
                End(trace, expected);
            }
            else
            {
                _wheel.Remove(trace);
                _traces[trace].Deadline = now + random.Next(longest);
                _wheel.Add(trace);
                expected[trace] = _traces[trace].Deadline;
            }
        }
    }

    private void End(int trace, Dictionary<int, long> expected)
    {
        _wheel.Remove(trace);
        _traces.Remove(trace);
        Assert.True(expected.Remove(trace));
    }
}
