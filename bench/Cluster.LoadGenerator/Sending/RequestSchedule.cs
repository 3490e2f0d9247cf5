using System.Diagnostics;
using System.Runtime.InteropServices;
using Cluster.LoadGenerator.Workload;

namespace Cluster.LoadGenerator.Sending;

/// <summary>One request to be sent: a template, the cell instance it belongs to, and when it is due.</summary>
/// <param name="Sequence">Its place in the order of all requests, from 0.</param>
/// <param name="Cell">Index of the cell in the workload.</param>
/// <param name="Service">Index of the request in its cell.</param>
/// <param name="FirstTrace">Number of the cell instance's first trace.</param>
/// <param name="BaseNano">The cell instance's time base, nanoseconds since 1970.</param>
/// <param name="DueTimestamp"><see cref="Stopwatch"/> time; 0 in a closed loop.</param>
/// <param name="SpanCount">Spans in it.</param>
internal readonly record struct ScheduledRequest(
    int Sequence, int Cell, int Service, ulong FirstTrace, long BaseNano, long DueTimestamp, int SpanCount);

/// <summary>
/// The order of requests: blocks of four cells, their 48 requests shuffled, the next block when all are handed out. A trace so arrives in
/// pieces, among those of a thousand others. It ends only between blocks, so that every trace begun is also completed. Thread-safe.
/// </summary>
internal sealed class RequestSchedule
{
    private const int CellsPerBlock = 4;

    private readonly Lock _gate = new();
    private readonly TraceWorkload _workload;
    private readonly SplitMix64 _random;
    private readonly ScheduleOptions _options;
    private readonly List<ScheduledRequest> _block = [];
    private long _rateTimestamp;
    private long _rateSpans;
    private long _endTimestamp = long.MaxValue;
    private int _cellInstances;
    private bool _stopped;

    /// <summary>A schedule that begins with <see cref="Start"/>.</summary>
    public RequestSchedule(TraceWorkload workload, ScheduleOptions options)
    {
        _workload = workload;
        _options = options;
        _random = new SplitMix64(options.Seed ^ SplitMix64.Golden);
    }

    /// <summary>Spans handed out so far.</summary>
    public long SpansPlanned { get; private set; }

    /// <summary>Requests handed out so far.</summary>
    public int RequestsPlanned { get; private set; }

    /// <summary>What all traces begun so far are: the truth that a back end's findings are compared with.</summary>
    public TraceTruth Truth { get; } = new();

    /// <summary>Due times count from now.</summary>
    public void Start()
    {
        _rateTimestamp = Stopwatch.GetTimestamp();
        if (_options.Duration is { } duration)
        {
            _endTimestamp = _rateTimestamp + (long)(duration.TotalSeconds * Stopwatch.Frequency);
        }
    }

    /// <summary>
    /// Forgives what is overdue: due times count anew from now. A node whose code is still being compiled falls behind, and catching up
    /// is not what a run is to measure.
    /// </summary>
    public void ForgiveDebt()
    {
        lock (_gate)
        {
            _rateTimestamp = Stopwatch.GetTimestamp();
            _rateSpans = SpansPlanned;
        }
    }

    /// <summary>No new block after the current one.</summary>
    public void Stop()
    {
        lock (_gate)
        {
            _stopped = true;
        }
    }

    /// <summary>Takes the next request, whose due time may lie ahead. False when there are no more.</summary>
    public bool TryTake(out ScheduledRequest request)
    {
        lock (_gate)
        {
            if (_block.Count == 0 && !BeginBlock())
            {
                request = default;
                return false;
            }

            request = _block[^1] with { Sequence = RequestsPlanned++, DueTimestamp = _options.Rate > 0 ? NextDue() : 0 };
            _block.RemoveAt(_block.Count - 1);

            SpansPlanned += request.SpanCount;
            return true;
        }
    }

    private long NextDue() => _rateTimestamp + (long)((SpansPlanned - _rateSpans) * Stopwatch.Frequency / _options.Rate);

    private bool BeginBlock()
    {
        long begin = Math.Max(_options.Rate > 0 ? NextDue() : 0, Stopwatch.GetTimestamp());
        if (_stopped || SpansPlanned >= _options.MaxSpans || begin >= _endTimestamp)
        {
            return false;
        }

        for (int i = 0; i < CellsPerBlock; i++)
        {
            // One time base for all requests of a cell instance: a clock read per request would distort the traces' durations.
            long now = (DateTime.UtcNow - DateTime.UnixEpoch).Ticks * TimeSpan.NanosecondsPerTick;
            int index = _cellInstances % _workload.Cells.Count;
            ulong firstTrace = (ulong)_cellInstances * Cell.TraceCount;
            _cellInstances++;
            Cell cell = _workload.Cells[index];
            Truth.Add(cell);
            for (int service = 0; service < cell.Requests.Length; service++)
            {
                _block.Add(new ScheduledRequest(0, index, service, firstTrace, now, 0, cell.Requests[service].SpanCount));
            }
        }

        _random.Shuffle(CollectionsMarshal.AsSpan(_block));
        return true;
    }
}

/// <summary>How a <see cref="RequestSchedule"/> goes.</summary>
internal sealed record ScheduleOptions
{
    /// <summary>Spans a second that become due; 0 for a closed loop, where the answers set the pace.</summary>
    public double Rate { get; init; }

    /// <summary>No block begins later than this after the start. Null: no limit.</summary>
    public TimeSpan? Duration { get; init; }

    /// <summary>No block begins after this many spans.</summary>
    public long MaxSpans { get; init; } = long.MaxValue;

    /// <summary>Seed of trace IDs and of the shuffling. Two runs against one node need different ones.</summary>
    public ulong Seed { get; init; } = TraceWorkload.DefaultSeed;
}
