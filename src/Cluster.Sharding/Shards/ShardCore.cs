using Cluster.Messages.Frames;
using Cluster.Messages.Identity;
using Cluster.Messages.Protobuf;
using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Log;
using Cluster.Sharding.Region;
using Cluster.Sharding.Traces;

namespace Cluster.Sharding.Shards;

/// <summary>
/// One shard: its log, its trace actors, its memory of decisions. A synchronous state machine: messages come in as method calls with
/// the time; what follows is written to the log, to the decision cache and, for kept traces, to the writer. On a node alone that is all
/// (<see cref="Deliver"/>); in a cluster frames and verdicts are entries of a log that is copied, and a verdict takes effect when it is
/// committed (the other part of this class).
/// <code>
///                 first span                deadline, limit or shutdown
///   (unknown) ----------------> pending ---------------------------------> decided (remembered)
///       ^                        |   ^                                        |        |
///       |                        +---+ further spans                          |        +--> late spans follow the decision
///       +------------------------------------ forgotten (least recently used) +
/// </code>
/// Invariants: a trace is pending or remembered, never both, and a pending one has at least one span. A span is in the log before
/// <see cref="Deliver"/> returns, and stays there until its trace is decided and, if kept, written. A trace is decided once while it is
/// remembered. Every pending
/// trace is on the wheel. A deadline only moves later when new spans reopen a closed tree, and never beyond <c>decision_wait</c>; but a decision
/// that waits for units of a budget is made a little later.
/// Used by one thread at a time, its worker loop's.
/// </summary>
internal sealed partial class ShardCore : IDisposable
{
    /// <summary>A decision waits for units of a budget so often.</summary>
    private const int MostTimesPutOff = 3;

    /// <summary>Working arrays of more entries than this are given up after use.</summary>
    private const int KeptEntries = 4096;

    private readonly ShardServices _services;
    private readonly ShardRegionOptions _options;
    private readonly PolicyProgram _program;
    private readonly ContextTable _contexts;
    private readonly WorkerStatistics _statistics;
    private readonly TraceIdHasher _hasher;
    private readonly DecisionCache _decisions;
    private readonly Vote[] _votes;
    private readonly ulong[] _matched;
    private readonly long _decisionWait;
    private readonly long _rootWait;
    private readonly long _settle;
    private TraceTable _traces;
    private TimingWheel _wheel;
    private ShardLog _log;
    private TreeTracker? _trees;
    private int[] _frameContexts = new int[16];
    private readonly LateSlices _late = new();
    private readonly bool _whole;

    /// <summary>An empty shard.</summary>
    /// <param name="id">Its number.</param>
    /// <param name="term">Term of this ownership.</param>
    /// <param name="services">What it shares with the other shards of its worker loop.</param>
    /// <param name="now">Monotonic milliseconds.</param>
    public ShardCore(int id, uint term, ShardServices services, long now)
        : this(id, term, services, new ShardLog(services.Slabs), NewDecisions(services), now)
    {
    }

    private ShardCore(int id, uint term, ShardServices services, ShardLog log, DecisionCache decisions, long now)
    {
        Id = id;
        Term = term;
        _services = services;
        _options = services.Options;
        _program = services.Program;
        _contexts = services.Contexts;
        _statistics = services.Statistics;
        _hasher = services.Hasher;
        int words = _program.Set.ConditionWords;
        int policies = _program.Set.Policies.Count;
        _traces = new TraceTable(_hasher, words);
        _wheel = new TimingWheel(_traces);
        _wheel.Start(now);
        _log = log;
        _decisions = decisions;
        _whole = _options.KeepWholeFrames;
        _trees = _options.Settle > TimeSpan.Zero ? new TreeTracker(services.SpanIds, _hasher) : null;
        _votes = new Vote[policies];
        _matched = new ulong[words];
        _details = new ulong[DecisionRecord.VoteWords(policies) + words];
        _decisionWait = Milliseconds(_options.DecisionWait);
        _rootWait = Milliseconds(_options.DecisionWaitAfterRootReceived);
        _settle = Milliseconds(_options.Settle);
    }

    /// <summary>The shard's number.</summary>
    public int Id { get; }

    /// <summary>Term of this ownership; messages with a lower one are refused.</summary>
    public uint Term { get; }

    /// <summary>Pending traces.</summary>
    public int PendingTraces => _traces.Count;

    /// <summary>Spans of pending traces.</summary>
    public long PendingSpans { get; private set; }

    /// <summary>Bytes of pending traces, as received.</summary>
    public long PendingBytes { get; private set; }

    /// <summary>Decisions since the shard was opened, by <see cref="Decision"/>.</summary>
    public long[] Decisions { get; } = new long[3];

    /// <summary>Frames refused since the shard was opened.</summary>
    public long RefusedFrames { get; private set; }

    /// <summary>Decisions remembered.</summary>
    public DecisionCache Remembered => _decisions;

    /// <summary>Pending traces, for inspection.</summary>
    public TraceTable Traces => _traces;

    /// <summary>The log, for inspection.</summary>
    public ShardLog Log => _log;

    /// <summary>When the oldest pending trace began; null when there is none.</summary>
    public long? OldestArrival => _traces.Oldest == 0 ? null : _traces[_traces.Oldest].FirstArrival;

    /// <summary>Takes a frame: puts what is new of it into the log and tells the trace actors.</summary>
    /// <param name="frame">A frame of this shard.</param>
    /// <param name="now">Monotonic milliseconds.</param>
    /// <returns><see cref="Refusal.None"/> once it is safe.</returns>
    public Refusal Deliver(FrameReader frame, long now)
    {
        if (frame.Header.Term < Term || frame.Header.Shard != Id)
        {
            RefusedFrames++;
            return Refusal.NotOwner;
        }

        Apply(frame, -1, 0, now);
        _late.Write(frame, _services.Writer);
        return Refusal.None;
    }

    /// <summary>Tells the trace actors what is in a frame, and notes the slices of kept traces.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="entry">The log entry that holds it whole; -1 when what is needed of it is to be put into one.</param>
    /// <param name="index">The entry's index; 0 when it has none.</param>
    /// <param name="now">When it arrived, monotonic milliseconds.</param>
    private void Apply(FrameReader frame, int entry, ulong index, long now)
    {
        ReadOnlySpan<FrameSlice> slices = frame.Slices;
        ReadOnlySpan<FrameContext> contexts = frame.Contexts;
        if (_frameContexts.Length < contexts.Length)
        {
            _frameContexts = new int[contexts.Length];
        }

        Span<int> acquired = _frameContexts.AsSpan(0, contexts.Length);
        acquired.Fill(-1);
        _late.Clear();
        try
        {
            for (int i = 0; i < slices.Length; i++)
            {
                ref readonly FrameSlice slice = ref slices[i];
                int trace = _traces.Find(slice.TraceId);
                if (trace == 0)
                {
                    int decision = _decisions.Find(slice.TraceId);
                    if (decision != 0 && (!_replaying || _decisions[decision].Index < index))
                    {
                        FollowDecision(slice, i, decision);
                        continue;
                    }

                    trace = Begin(slice.TraceId, now);
                }

                int context = acquired[slice.Context];
                if (context < 0)
                {
                    ref readonly FrameContext c = ref contexts[slice.Context];
                    context = acquired[slice.Context] = _contexts.Acquire(frame.Context(c), c.ResourceLength, c.Hash);
                }

                if (entry < 0)
                {
                    entry = _log.Open(SpanBytes(slices));
                }

                Receive(trace, frame.Spans(slice), slice.Offset, context, entry, now);
            }
        }
        finally
        {
            EndFrame(acquired, entry);
        }
    }

    /// <summary>A frame was refused before it came here.</summary>
    public void CountRefused() => RefusedFrames++;

    /// <summary>Decides traces that are due, until none is or the exporters have no room.</summary>
    /// <returns>False when it stopped for lack of room: call again later.</returns>
    public bool Advance(long now)
    {
        while (true)
        {
            if (!_services.Writer.HasRoom)
            {
                return false;
            }

            int trace = _wheel.NextDue(now);
            if (trace == 0)
            {
                if (_traces.IsSparse && _effects.Count == 0)
                {
                    Shrink(now);
                }

                return true;
            }

            _statistics.AddLateness(now - _traces[trace].Deadline);
            Decide(trace, _traces[trace].DeadlineReason, now);
        }
    }

    /// <summary>Decides the oldest pending trace now, if there is one.</summary>
    public bool DecideOldest(CompletionReason reason, long now)
    {
        int trace = _traces.Oldest;
        if (trace == 0)
        {
            return false;
        }

        Decide(trace, reason, now);
        return true;
    }

    /// <summary>
    /// Decides, oldest first, pending traces that hold at least <paramref name="bytes"/>, while <paramref name="toFree"/>, from which what
    /// they held is taken, is above zero and the exporters have room.
    /// </summary>
    public void DecideLargerThan(long bytes, CompletionReason reason, long now, ref long toFree)
    {
        for (int trace = _traces.Oldest; trace != 0 && toFree > 0 && _services.Writer.HasRoom;)
        {
            int next = _traces[trace].Younger;
            if (_traces[trace].Bytes >= bytes)
            {
                toFree -= _traces[trace].Bytes;
                Decide(trace, reason, now);
            }

            trace = next;
        }
    }

    /// <summary>Forgets every pending trace without a decision (<c>drop_pending_traces_on_shutdown</c>).</summary>
    public void DiscardAll()
    {
        while (_traces.Oldest != 0)
        {
            End(_traces.Oldest);
        }
    }

    /// <summary>What a decision about a pending trace would be made from now.</summary>
    public TraceEvidence Evidence(int trace)
    {
        ref TraceRecord record = ref _traces[trace];
        return new TraceEvidence
        {
            TraceId = record.TraceId,
            SpanCount = record.SpanCount,
            Bytes = record.Bytes,
            StartUnixNano = record.StartUnixNano,
            EndUnixNano = record.EndUnixNano,
            Conditions = _traces.Conditions(trace),
        };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        DiscardAll();
        EndReplicated();
    }

    /// <summary>After a flood: moves what is left into tables of its size. Nothing is due at <paramref name="now"/>.</summary>
    private void Shrink(long now)
    {
        TraceTable traces = new(_hasher, _matched.Length);
        TimingWheel wheel = new(traces);
        wheel.Start(now);
        ShardLog log = _whole ? _log : new ShardLog(_services.Slabs);
        TreeTracker? trees = _trees is null ? null : new TreeTracker(_services.SpanIds, _hasher);
        for (int from = _traces.Oldest; from != 0; from = _traces[from].Younger)
        {
            int to = traces.Adopt(_traces, from);
            while (_traces.TryRemoveSlice(from, out Slice slice))
            {
                slice.Entry = _whole ? slice.Entry : log.Adopt(_log, slice.Entry);
                traces.AddSlice(to, slice);
            }

            trees?.Adopt(_trees!, from, to);
            wheel.Add(to);
        }

        (_traces, _wheel, _log, _trees) = (traces, wheel, log, trees);
    }

    private void EndFrame(Span<int> acquired, int entry)
    {
        if (entry >= 0 && !_whole)
        {
            _log.Seal(entry);
        }

        foreach (int context in acquired)
        {
            if (context >= 0)
            {
                _contexts.Release(context);
            }
        }

        if (_frameContexts.Length > KeptEntries)
        {
            _frameContexts = new int[16];
        }
    }

    private int Begin(TraceId traceId, long now)
    {
        int trace = _traces.Add(traceId, now);
        ref TraceRecord record = ref _traces[trace];
        record.Deadline = now + _decisionWait;
        record.DeadlineReason = CompletionReason.DecisionWait;
        _wheel.Add(trace);
        _statistics.NewTraces++;
        _statistics.PendingTraces++;
        return trace;
    }

    /// <summary>Takes the spans of one slice that are not repeated ones, in as few runs as there are.</summary>
    private void Receive(int trace, ReadOnlySpan<byte> spans, int offset, int context, int entry, long now)
    {
        ref TraceRecord record = ref _traces[trace];
        Span<ulong> conditions = _traces.Conditions(trace);
        int received = 0;
        int receivedBytes = 0;
        int runStart = 0;
        int runSpans = 0;
        bool root = false;
        for (int position = 0; position < spans.Length;)
        {
            WireReader reader = new(spans[(position + 1)..]);
            if (!reader.TryReadBytes(out ReadOnlySpan<byte> span))
            {
                // Splitters write only whole spans. What cannot be walked would spoil the request it is sent in: it ends here.
                spans = spans[..position];
                break;
            }

            int next = position + 1 + reader.Position;
            Array.Clear(_matched);
            _program.ScanSpan(span, _matched, out SpanFacts facts);
            ulong hash = _hasher.Hash64(facts.SpanId, facts.StartUnixNano ^ ((ulong)facts.Kind << 60) ^ facts.EndUnixNano * 3 ^ (uint)span.Length);
            if (_services.SpanIds.Add(ref record.Spans, hash == 0 ? 1 : hash))
            {
                for (int i = 0; i < _matched.Length; i++)
                {
                    conditions[i] |= _matched[i];
                }

                root |= facts.ParentSpanId == 0;
                Stretch(ref record, facts);
                _trees?.Receive(trace, facts);
                runSpans++;
            }
            else
            {
                _statistics.RepeatedSpans++;
                Keep(trace, spans[runStart..position], offset + runStart, runSpans, context, entry);
                receivedBytes += position - runStart;
                received += runSpans;
                runStart = next;
                runSpans = 0;
            }

            position = next;
        }

        Keep(trace, spans[runStart..], offset + runStart, runSpans, context, entry);
        receivedBytes += spans.Length - runStart;
        received += runSpans;
        if (received > 0)
        {
            ReadOnlySpan<ulong> resource = _contexts.Conditions(context);
            for (int i = 0; i < resource.Length; i++)
            {
                conditions[i] |= resource[i];
            }

            Grown(trace, received, receivedBytes + ContextSize(context, receivedBytes), root, now);
        }
        else if (record.SpanCount == 0)
        {
            End(trace);
        }
    }

    private void Keep(int trace, ReadOnlySpan<byte> run, int offset, int spanCount, int context, int entry)
    {
        if (spanCount == 0)
        {
            return;
        }

        if (_whole)
        {
            _log.Retain(entry);
        }
        else
        {
            offset = _log.Append(entry, run);
        }

        _contexts.Retain(context);
        _statistics.PendingSlices++;
        _traces.AddSlice(trace, new Slice { Entry = entry, Offset = offset, Length = run.Length, SpanCount = spanCount, Context = context });
    }

    private static void Stretch(ref TraceRecord record, in SpanFacts facts)
    {
        if (facts.StartUnixNano != 0 && (record.StartUnixNano == 0 || facts.StartUnixNano < record.StartUnixNano))
        {
            record.StartUnixNano = facts.StartUnixNano;
        }

        if (facts.EndUnixNano > record.EndUnixNano)
        {
            record.EndUnixNano = facts.EndUnixNano;
        }
    }

    /// <summary>A trace has new spans: counts them, moves its deadline, ends it when it is too large.</summary>
    private void Grown(int trace, int spans, int bytes, bool root, long now)
    {
        ref TraceRecord record = ref _traces[trace];
        record.SpanCount += spans;
        record.Bytes += bytes;
        record.LastArrival = now;
        PendingSpans += spans;
        PendingBytes += bytes;
        _statistics.AcceptedSpans += spans;
        _statistics.PendingSpans += spans;
        _statistics.PendingBytes += bytes;
        if (_options.MaximumTraceSizeBytes > 0 && record.Bytes > _options.MaximumTraceSizeBytes)
        {
            EndTooLarge(trace, ref record, now);
            return;
        }

        if (root && record.RootArrival == 0)
        {
            record.RootArrival = now == 0 ? 1 : now;
        }

        if (record.RootArrival != 0 && (_rootWait > 0 || _trees is not null))
        {
            SetDeadline(trace, ref record, now);
        }
    }

    private void SetDeadline(int trace, ref TraceRecord record, long now)
    {
        long deadline = record.FirstArrival + _decisionWait;
        CompletionReason reason = CompletionReason.DecisionWait;
        if (_rootWait > 0 && record.RootArrival + _rootWait < deadline)
        {
            deadline = record.RootArrival + _rootWait;
            reason = CompletionReason.RootReceived;
        }

        if (_trees is not null && _trees.IsClosed(trace) && now + _settle < deadline)
        {
            deadline = now + _settle;
            reason = CompletionReason.TreeClosed;
        }

        if (record.TimesPutOff > 0 && deadline <= now)
        {
            // Its decision waits for units of a budget: to ask at once would use up its attempts.
            return;
        }

        if (deadline != record.Deadline)
        {
            _wheel.Remove(trace);
            record.Deadline = deadline;
            _wheel.Add(trace);
        }

        record.DeadlineReason = reason;
    }

    /// <summary>A slice of a trace that was decided: noted if that was kept, or gone.</summary>
    private void FollowDecision(in FrameSlice slice, int index, int decision)
    {
        _decisions.Touch(decision);
        _statistics.AcceptedSpans += slice.SpanCount;
        if (_decisions[decision].Decision == Decision.Sampled)
        {
            _statistics.LateSpansSampled += slice.SpanCount;
            _late.Add(slice.Context, index);
        }
        else
        {
            _statistics.LateSpansNotSampled += slice.SpanCount;
        }
    }

    private void Decide(int trace, CompletionReason reason, long now)
    {
        Verdict verdict = new(Decision.NotSampled, -1);
        Array.Clear(_votes);
        if (reason != CompletionReason.TooLarge)
        {
            verdict = AskPolicies(trace, now);
            if (verdict.Decision != Decision.Sampled && PutOff(trace, reason, now))
            {
                return;
            }
        }

        ref TraceRecord record = ref _traces[trace];
        RememberedDecision decision = new()
        {
            TraceId = record.TraceId,
            DecidedAt = now,
            DurationNanoseconds = (long)(record.EndUnixNano - record.StartUnixNano),
            Bytes = record.Bytes,
            SpanCount = record.SpanCount,
            Policy = (short)verdict.Policy,
            Decision = verdict.Decision,
            Reason = reason,
        };
        Decisions[(int)verdict.Decision]++;
        _statistics.AddDecision(verdict, reason, _votes, record.SpanCount);
        if (_whole)
        {
            LogVerdict(trace, decision, now);
            return;
        }

        if (verdict.Decision == Decision.Sampled)
        {
            _services.Writer.WriteTrace(_traces, trace, _log, NameOf(verdict.Policy));
        }

        _decisions.Add(decision, _votes, _traces.Conditions(trace));
        End(trace);
    }

    private void EndTooLarge(int trace, ref TraceRecord record, long now)
    {
        if (!_whole)
        {
            Decide(trace, CompletionReason.TooLarge, now);
        }
        else if (record.DeadlineReason != CompletionReason.TooLarge)
        {
            // Verdicts are made between frames, so that each has its place among them in the log: due at the next step.
            _wheel.Remove(trace);
            (record.Deadline, record.DeadlineReason) = (now, CompletionReason.TooLarge);
            _wheel.Add(trace);
        }
    }

    /// <summary>
    /// A trace was refused units of a budget that other nodes may have: it is decided a little later, when they may be here. Nothing was decided,
    /// logged or remembered.
    /// </summary>
    private bool PutOff(int trace, CompletionReason reason, long now)
    {
        ref TraceRecord record = ref _traces[trace];
        bool canWait = reason is CompletionReason.DecisionWait or CompletionReason.RootReceived or CompletionReason.TreeClosed;
        if (!canWait || _services.PatientBudgets.AgainIn == 0 || record.TimesPutOff == MostTimesPutOff)
        {
            return false;
        }

        _wheel.Remove(trace);
        record.TimesPutOff++;
        record.Deadline = now + _services.PatientBudgets.AgainIn;
        _wheel.Add(trace);
        return true;
    }

    private Verdict AskPolicies(int trace, long now)
    {
        try
        {
            _services.PatientBudgets.Begin();
            return _program.Decide(Evidence(trace), _services.PatientBudgets, now, _votes);
        }
        catch (Exception)
        {
            // A policy that fails must neither end the process nor hold the trace for ever. It shows in the counts of votes.
            Array.Fill(_votes, Vote.Error);
            return new Verdict(Decision.NotSampled, -1);
        }
    }

    /// <summary>The trace actor leaves: its slices out of the log, its record out of the table.</summary>
    private void End(int trace)
    {
        EndPending(trace);
        ReleaseSlices(trace);
        _traces.Remove(trace);
    }

    /// <summary>The trace is not pending any more: off the wheel, out of the counts, its spans' hashes gone.</summary>
    private void EndPending(int trace)
    {
        ref TraceRecord record = ref _traces[trace];
        _wheel.Remove(trace);
        PendingSpans -= record.SpanCount;
        PendingBytes -= record.Bytes;
        _statistics.PendingTraces--;
        _statistics.PendingSpans -= record.SpanCount;
        _statistics.PendingBytes -= record.Bytes;
        _services.SpanIds.Free(ref record.Spans);
        _trees?.Forget(trace);
    }

    private void ReleaseSlices(int trace)
    {
        while (_traces.TryRemoveSlice(trace, out Slice slice))
        {
            _log.Release(slice.Entry);
            _contexts.Release(slice.Context);
            _statistics.PendingSlices--;
        }
    }

    private ReadOnlySpan<byte> NameOf(int policy) => policy < 0 ? default : _services.PolicyNames[policy];

    /// <summary>Bytes that a slice adds around its spans: resource, scope, and the tags and lengths of what they are in.</summary>
    private int ContextSize(int context, int spanBytes)
    {
        int resource = _contexts.ResourceFields(context).Length;
        int scope = _contexts.ScopeFields(context).Length;
        return WireWriter.LengthDelimitedSize(resource + WireWriter.LengthDelimitedSize(scope + spanBytes)) - spanBytes;
    }

    private static int SpanBytes(ReadOnlySpan<FrameSlice> slices)
    {
        int bytes = 0;
        foreach (ref readonly FrameSlice slice in slices)
        {
            bytes = checked(bytes + slice.Length);
        }

        return bytes;
    }

    private static long Milliseconds(TimeSpan span) => (long)Math.Ceiling(span.TotalMilliseconds);
}
