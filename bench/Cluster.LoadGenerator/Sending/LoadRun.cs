using System.Diagnostics;
using System.Net;
using Cluster.LoadGenerator.Workload;

namespace Cluster.LoadGenerator.Sending;

/// <summary>A point in a run: what was accepted, and what it cost, until then.</summary>
/// <param name="Timestamp"><see cref="Stopwatch"/> time.</param>
/// <param name="AcceptedSpans">Spans accepted.</param>
/// <param name="OwnCpuSeconds">User and system time of this process.</param>
internal readonly record struct LoadMark(long Timestamp, long AcceptedSpans, double OwnCpuSeconds);

/// <summary>One run: senders on threads of their own, from a common schedule.</summary>
internal sealed class LoadRun
{
    private readonly LoadOptions _options;
    private readonly RequestSchedule _schedule;
    private readonly Sender[] _senders;
    private long _measuredFrom = long.MaxValue;

    /// <summary>Prepares everything that is to be sent; with gzip that takes a while.</summary>
    public LoadRun(LoadOptions options)
    {
        _options = options;
        var workload = TraceWorkload.Draw();
        RequestTemplate[] requests = [.. workload.Cells.SelectMany(cell => cell.Requests)];
        BytesPerSpan = requests.Sum(request => (double)request.Bytes.Length) / requests.Sum(request => request.SpanCount);
        var grpc = new GrpcFormat(options.Targets[0].Authority, options.Gzip);
        WireFormat format = options.IsGrpc ? grpc : new Http1Format(options.Targets[0].Authority);
        Payloads payloads = options.Gzip
            ? CompressedPayloads.Prepare(workload, format, options.Seed, options.GzipMemoryBytes, options.MaxSpans)
            : new PatchedPayloads(workload, format, options.Seed);
        _schedule = new RequestSchedule(workload, new ScheduleOptions
        {
            Rate = options.Rate,
            Duration = TimeSpan.FromSeconds(options.WarmUpSeconds + options.Seconds),
            MaxSpans = payloads is CompressedPayloads compressed ? compressed.SpanCount : options.MaxSpans,
            Seed = options.Seed,
        });

        int connections = Math.Max(options.Targets.Count, options.IsGrpc ? options.Connections : options.InFlight);
        int capacity = Math.Max(1, options.InFlight / connections);
        _senders = new Sender[connections];
        for (int i = 0; i < connections; i++)
        {
            IPEndPoint target = options.EndPoint(i);
            _senders[i] = new Sender(
                _schedule,
                completed => options.IsGrpc
                    ? new GrpcConnection(target, grpc, payloads, capacity, completed)
                    : new Http1Connection(target, payloads, completed),
                () => Volatile.Read(ref _measuredFrom));
        }
    }

    /// <summary>Truth about all that was sent.</summary>
    public TraceTruth Truth => _schedule.Truth;

    /// <summary>Mean size of a span, uncompressed, its share of resource and scope included.</summary>
    public double BytesPerSpan { get; }

    /// <summary>What the senders did.</summary>
    public IEnumerable<SenderCounters> Counters => _senders.Select(sender => sender.Counters);

    /// <summary>Where the run stands now.</summary>
    public LoadMark Mark() => new(
        Stopwatch.GetTimestamp(),
        _senders.Sum(sender => Volatile.Read(ref sender.Counters.AcceptedSpans)),
        Environment.CpuUsage.TotalTime.TotalSeconds);

    /// <summary>
    /// Runs to the end. <paramref name="marked"/> is called at the start, at the start of the measured window, and at its end, which is
    /// when the schedule is over or its time has come.
    /// </summary>
    public void Run(Action<LoadMark> marked)
    {
        _schedule.Start();
        marked(Mark());
        Thread[] threads = [.. _senders.Select((sender, i) => new Thread(() => RunSender(sender)) { Name = $"sender {i}" })];
        Array.ForEach(threads, thread => thread.Start());
        WaitFor(threads, _options.WarmUpSeconds);
        _schedule.ForgiveDebt();
        Volatile.Write(ref _measuredFrom, Stopwatch.GetTimestamp());
        marked(Mark());
        WaitFor(threads, _options.Seconds);
        marked(Mark());
        Volatile.Write(ref _measuredFrom, long.MaxValue);
        Array.ForEach(threads, thread => thread.Join());
    }

    private void RunSender(Sender sender)
    {
        try
        {
            sender.Run();
        }
        catch (System.Net.Sockets.SocketException e)
        {
            // Nobody there for a long time: the others need not go on either.
            sender.Counters.Failed++;
            sender.Counters.LastReason = e.Message;
            _schedule.Stop();
        }
    }

    private static void WaitFor(Thread[] threads, double seconds)
    {
        long start = Stopwatch.GetTimestamp();
        foreach (Thread thread in threads)
        {
            TimeSpan left = TimeSpan.FromSeconds(seconds) - Stopwatch.GetElapsedTime(start);
            if (left > TimeSpan.Zero)
            {
                thread.Join(left);
            }
        }
    }
}
