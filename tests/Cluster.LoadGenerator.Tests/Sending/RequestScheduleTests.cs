using System.Diagnostics;
using Cluster.LoadGenerator.Sending;
using Cluster.LoadGenerator.Workload;

namespace Cluster.LoadGenerator.Tests.Sending;

public sealed class RequestScheduleTests
{
    private static readonly TraceWorkload s_workload = TraceWorkload.Draw(cells: 8);

    [Fact]
    public void TryTake_MaxSpans_EndsBetweenBlocks()
    {
        List<ScheduledRequest> taken = TakeAll(new ScheduleOptions { MaxSpans = 20_000 }, out RequestSchedule schedule);

        // Two blocks of four cells of twelve requests.
        Assert.Equal(96, taken.Count);
        Assert.Equal(96, taken.Select(request => (request.Cell, request.Service)).Distinct().Count());
        Assert.Equal(Enumerable.Range(0, 96), taken.Select(request => request.Sequence));
        Assert.All(taken.Take(48), request => Assert.InRange(request.Cell, 0, 3));
        Assert.Equal(1920, schedule.Truth.Traces);
        Assert.Equal(s_workload.Cells.Sum(cell => (long)cell.SpanCount), schedule.Truth.Spans);
        Assert.Equal(schedule.Truth.Spans, schedule.SpansPlanned);
    }

    [Fact]
    public void TryTake_SameSeed_SameOrder() =>
        Assert.Equal(
            TakeAll(new ScheduleOptions { MaxSpans = 20_000 }, out _).Select(request => (request.Cell, request.Service)),
            TakeAll(new ScheduleOptions { MaxSpans = 20_000 }, out _).Select(request => (request.Cell, request.Service)));

    [Fact]
    public void TryTake_Rate_DueTimesFollowTheSpans()
    {
        List<ScheduledRequest> taken = TakeAll(new ScheduleOptions { MaxSpans = 1, Rate = 10_000 }, out _);

        long spans = 0;
        foreach (ScheduledRequest request in taken)
        {
            TimeSpan due = Stopwatch.GetElapsedTime(taken[0].DueTimestamp, request.DueTimestamp);
            Assert.Equal(spans / 10_000.0, due.TotalSeconds, 6);
            spans += request.SpanCount;
        }
    }

    [Fact]
    public void ForgiveDebt_Behind_NextIsDueNow()
    {
        var schedule = new RequestSchedule(s_workload, new ScheduleOptions { MaxSpans = 1, Rate = 1 });
        schedule.Start();
        schedule.TryTake(out _);
        schedule.ForgiveDebt();

        schedule.TryTake(out ScheduledRequest next);
        schedule.TryTake(out ScheduledRequest afterNext);

        Assert.InRange(next.DueTimestamp, 1, Stopwatch.GetTimestamp());
        Assert.Equal(next.SpanCount, Stopwatch.GetElapsedTime(next.DueTimestamp, afterNext.DueTimestamp).TotalSeconds, 6);
    }

    private static List<ScheduledRequest> TakeAll(ScheduleOptions options, out RequestSchedule schedule)
    {
        schedule = new RequestSchedule(s_workload, options);
        schedule.Start();
        var taken = new List<ScheduledRequest>();
        while (schedule.TryTake(out ScheduledRequest request))
        {
            taken.Add(request);
        }

        return taken;
    }
}
