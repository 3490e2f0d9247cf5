using Cluster.Testing;

namespace Cluster.Messages.Tests;

public sealed class ManualTimeProviderTests
{
    [Fact]
    public void Advance_PastSeveralTimers_FiresThemInOrderAtTheirTimes()
    {
        ManualTimeProvider clock = new();
        DateTimeOffset start = clock.GetUtcNow();
        List<(string Name, double At)> fired = [];
        void Fire(string name) => fired.Add((name, (clock.GetUtcNow() - start).TotalSeconds));
        void Start(string name, int due, int period) =>
            clock.CreateTimer(_ => Fire(name), null, TimeSpan.FromSeconds(due), TimeSpan.FromSeconds(period));
        Start("later", 3, 0);
        Start("sooner", 1, 0);
        Start("often", 2, 2);
        Start("tie", 3, 0);

        clock.Advance(TimeSpan.FromSeconds(4));

        Assert.Equal([("sooner", 1), ("often", 2), ("later", 3), ("tie", 3), ("often", 4)], fired);
        Assert.Equal(TimeSpan.FromSeconds(2), clock.UntilNextTimer);
        Assert.Equal(TimeSpan.FromSeconds(4), clock.GetElapsedTime(0));
    }

    [Fact]
    public void Advance_TimerStartedByACallback_FiresInTheSameCall()
    {
        ManualTimeProvider clock = new();
        int fired = 0;
        clock.CreateTimer(_ => clock.CreateTimer(_ => fired++, null, TimeSpan.FromSeconds(1), Timeout.InfiniteTimeSpan), null,
            TimeSpan.FromSeconds(1), Timeout.InfiniteTimeSpan);

        clock.Advance(TimeSpan.FromSeconds(2));

        Assert.Equal(1, fired);
        Assert.Equal(0, clock.ActiveTimers);
        Assert.Null(clock.UntilNextTimer);
    }

    [Fact]
    public async Task Delay_UntilAdvanced_Waits()
    {
        ManualTimeProvider clock = new();
        Task delay = Task.Delay(TimeSpan.FromMinutes(1), clock, TestContext.Current.CancellationToken);

        clock.Advance(TimeSpan.FromSeconds(59));
        Assert.False(delay.IsCompleted);
        clock.Advance(TimeSpan.FromSeconds(1));

        await delay;
    }

    [Fact]
    public void Dispose_Timer_NeverFires()
    {
        ManualTimeProvider clock = new();
        ITimer timer = clock.CreateTimer(_ => throw new InvalidOperationException(), null, TimeSpan.FromSeconds(1), TimeSpan.Zero);

        timer.Dispose();
        clock.Advance(TimeSpan.FromSeconds(2));

        Assert.False(timer.Change(TimeSpan.Zero, TimeSpan.Zero));
        Assert.Equal(0, clock.ActiveTimers);
    }
}
