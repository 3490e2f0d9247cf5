using System.Diagnostics;
using Cluster.Messages.Frames;
using Cluster.Messages.Identity;
using Cluster.Messages.Protobuf;
using Cluster.Messages.Transport;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Log;
using Cluster.Sharding.Replication;
using Cluster.Sharding.Traces;

namespace Cluster.Sharding.Shards;

/// <summary>
/// The shard in a cluster: frames and batches of verdicts are entries of one log, in one order.
/// <code>
///   pending --verdict appended--> decided, in effect later --index committed, room in the exporters--> written (if kept), ended
///                                                                  --Exported(hand-over)--> its log entries end
/// </code>
/// Invariants: a trace whose verdict is appended is out of the table for newcomers, and its slices stay in the log until the verdict takes
/// effect and, if kept, the exporters are done with it; verdicts of one batch have the index that the batch gets, and no frame is appended before
/// it; effects take place in order of index; a batch of verdicts stays in the log while any earlier entry does, so that a replay finds it.
/// </summary>
internal sealed partial class ShardCore
{
    /// <summary>A batch of verdicts is ended when it has grown to this.</summary>
    private const int MaxVerdictBytes = 128 * 1024;

    private readonly ulong[] _details;
    private readonly PooledBuffer _verdicts = new(0);
    private readonly Queue<Effect> _effects = new();
    private readonly Queue<long> _lateSlices = new();
    private readonly Queue<int> _verdictEntries = new();
    private readonly Queue<Unconfirmed> _unconfirmed = new();
    private readonly Queue<UnconfirmedTrace> _unconfirmedTraces = new();
    private bool _replaying;

    /// <summary>Verdicts and late spans that have not taken effect.</summary>
    public int WaitingEffects => _effects.Count;

    /// <summary>Where traces are noted whose export was confirmed; null while nobody wants to know.</summary>
    public List<TraceId>? ExportedTraces { get; set; }

    /// <summary>An empty memory of decisions, as large as a shard's.</summary>
    public static DecisionCache NewDecisions(ShardServices services)
    {
        int shards = services.Options.ShardCount;
        return new DecisionCache(
            services.Hasher,
            (services.Options.SampledCacheSize + shards - 1) / shards,
            (services.Options.NonSampledCacheSize + shards - 1) / shards,
            services.Program.Set.Policies.Count,
            services.Program.Set.ConditionWords);
    }

    /// <summary>
    /// Goes on with what a copy holds: its log is replayed in order of index into trace actors that are as old as they were. Verdicts in it take
    /// effect anew when they are committed: a kept trace is exported again unless the exporters were done with it.
    /// </summary>
    /// <param name="id">Its number.</param>
    /// <param name="term">Term of this ownership.</param>
    /// <param name="services">What it shares with the other shards of its worker loop.</param>
    /// <param name="log">The copy's log, each entry held once; taken over.</param>
    /// <param name="decisions">The copy's decisions; taken over.</param>
    /// <param name="now">Monotonic milliseconds.</param>
    public static ShardCore Replay(int id, uint term, ShardServices services, ShardLog log, DecisionCache decisions, long now)
    {
        ShardCore core = new(id, term, services, log, decisions, now);
        core.Replay();
        return core;
    }

    /// <summary>Puts a frame into the log and tells the trace actors.</summary>
    /// <param name="frame">A frame of this shard.</param>
    /// <param name="bytes">Its bytes.</param>
    /// <param name="now">Monotonic milliseconds.</param>
    /// <returns>The log entry, held once for the caller.</returns>
    /// <exception cref="OutOfMemoryException">The system has none left; the entry may be there all the same.</exception>
    public int Append(FrameReader frame, ReadOnlySpan<byte> bytes, long now)
    {
        SealVerdicts(now);
        ulong index = _log.LastIndex + 1;
        int entry = _log.Add(index, LogEntryKind.Frame, bytes[..frame.Header.Length], now);
        Apply(frame, entry, index, now);
        QueueLate(entry, index);
        return entry;
    }

    /// <summary>Ends the batch of verdicts, if there is one: it is in the log then.</summary>
    public void SealVerdicts(long now)
    {
        if (_verdicts.Length > 0)
        {
            _verdictEntries.Enqueue(_log.Add(_log.LastIndex + 1, LogEntryKind.Verdicts, _verdicts.WrittenSpan, now));
            _verdicts.Clear();
        }
    }

    /// <summary>
    /// Lets what is committed take effect, while the exporters have room: kept traces and late spans are written, decided traces end.
    /// </summary>
    /// <param name="committed">Every in-sync copy has the log up to this index.</param>
    public void TakeEffect(ulong committed)
    {
        while (_effects.TryPeek(out Effect effect) && effect.Index <= committed && _services.Writer.HasRoom)
        {
            _effects.Dequeue();
            if (effect.Trace != 0)
            {
                EndDecided(effect);
            }
            else
            {
                WriteLate(effect);
            }
        }
    }

    /// <summary>Ends batches of verdicts that nobody needs any more.</summary>
    /// <param name="upTo">They are committed, and in every copy, up to this index.</param>
    public void ReleaseVerdicts(ulong upTo)
    {
        while (_verdictEntries.TryPeek(out int entry) && _log.Place(entry).Index <= upTo && _log.Place(entry).Index == _log.FirstIndex)
        {
            _verdictEntries.Dequeue();
            _log.Release(entry);
        }
    }

    /// <summary>The exporters are done with everything up to a hand-over: what it held in the log can go.</summary>
    public void Exported(long handOver)
    {
        while (_unconfirmed.TryPeek(out Unconfirmed slice) && slice.HandOver <= handOver)
        {
            _unconfirmed.Dequeue();
            _log.Release(slice.Entry);
        }

        while (_unconfirmedTraces.TryPeek(out UnconfirmedTrace trace) && trace.HandOver <= handOver)
        {
            _unconfirmedTraces.Dequeue();
            _decisions.MarkExported(trace.TraceId);
            ExportedTraces?.Add(trace.TraceId);
        }
    }

    /// <summary>A verdict: remembered, in the batch, and the trace is nobody's to find any more.</summary>
    private void LogVerdict(int trace, RememberedDecision decision, long now)
    {
        decision.Index = _log.LastIndex + 1;
        _decisions.Pack(_votes, _traces.Conditions(trace), _details);
        _decisions.Add(decision, _details);
        DecisionRecord.Write(_verdicts, DecisionItems.ToRecord(decision, _decisions, now), _details);
        Detach(trace, decision.Index, decision.Decision == Decision.Sampled, decision.Policy);
        if (_verdicts.Length >= MaxVerdictBytes)
        {
            SealVerdicts(now);
        }
    }

    private void Detach(int trace, ulong index, bool export, short policy)
    {
        EndPending(trace);
        _traces.Detach(trace);
        _effects.Enqueue(new Effect(index, trace, -1, 0, policy, export));
    }

    private void QueueLate(int entry, ulong index)
    {
        ReadOnlySpan<long> noted = _late.Noted;
        if (noted.Length > 0)
        {
            _log.Retain(entry);
            _effects.Enqueue(new Effect(index, 0, entry, noted.Length, -1, true));
            foreach (long slice in noted)
            {
                _lateSlices.Enqueue(slice);
            }

            _late.Clear();
        }
    }

    private void EndDecided(in Effect effect)
    {
        if (!effect.Export)
        {
            ReleaseSlices(effect.Trace);
            _traces.RemoveDetached(effect.Trace);
            return;
        }

        _services.Writer.WriteTrace(_traces, effect.Trace, _log, NameOf(effect.Policy));
        long handOver = _services.Writer.HandOver;
        _unconfirmedTraces.Enqueue(new UnconfirmedTrace(handOver, _traces[effect.Trace].TraceId));
        while (_traces.TryRemoveSlice(effect.Trace, out Slice slice))
        {
            _unconfirmed.Enqueue(new Unconfirmed(handOver, slice.Entry));
            _contexts.Release(slice.Context);
            _statistics.PendingSlices--;
        }

        _traces.RemoveDetached(effect.Trace);
    }

    private void WriteLate(in Effect effect)
    {
        _late.Clear();
        for (int i = 0; i < effect.LateCount; i++)
        {
            _late.Note(_lateSlices.Dequeue());
        }

        bool isFrame = FrameReader.TryOpen(_log.Bytes(effect.Entry), out FrameReader frame);
        Debug.Assert(isFrame, "Only frames that could be opened are in the log.");
        _late.Write(frame, _services.Writer);
        _unconfirmed.Enqueue(new Unconfirmed(_services.Writer.HandOver, effect.Entry));
    }

    private void Replay()
    {
        WorkerStatistics s = _statistics;
        (long newTraces, long accepted, long repeated) = (s.NewTraces, s.AcceptedSpans, s.RepeatedSpans);
        (long lateSampled, long lateNotSampled) = (s.LateSpansSampled, s.LateSpansNotSampled);
        _replaying = true;
        for (int entry = _log.FindFrom(0); entry >= 0;)
        {
            LogPlace place = _log.Place(entry);
            if (place.Kind == LogEntryKind.Verdicts)
            {
                _verdictEntries.Enqueue(entry);
                ReplayVerdicts(_log.Bytes(entry), place);
            }
            else if (FrameReader.TryOpen(_log.Bytes(entry), out FrameReader frame))
            {
                Apply(frame, entry, place.Index, place.Arrival);
                QueueLate(entry, place.Index);
            }

            entry = _log.FindFrom(place.Index + 1);
        }

        // Whatever is remembered is decided, should its verdict not be in the log.
        for (int trace = _traces.Oldest; trace != 0;)
        {
            int next = _traces[trace].Younger;
            int decision = _decisions.Find(_traces[trace].TraceId);
            if (decision != 0)
            {
                DetachRemembered(trace, _log.LastIndex, decision);
            }

            trace = next;
        }

        _replaying = false;

        // The members that took them have counted them.
        (s.NewTraces, s.AcceptedSpans, s.RepeatedSpans) = (newTraces, accepted, repeated);
        (s.LateSpansSampled, s.LateSpansNotSampled) = (lateSampled, lateNotSampled);
    }

    private void ReplayVerdicts(ReadOnlySpan<byte> body, LogPlace place)
    {
        while (DecisionRecord.TryRead(ref body, out DecisionRecord record, out ReadOnlySpan<ulong> details))
        {
            int decision = _decisions.Find(record.TraceId);
            if (decision == 0 && DecisionItems.Remember(_decisions, record, details, place.Index, place.Arrival))
            {
                decision = _decisions.Find(record.TraceId);
            }

            int trace = _traces.Find(record.TraceId);
            if (trace != 0 && decision != 0 && _decisions[decision].Index == place.Index)
            {
                DetachRemembered(trace, place.Index, decision);
            }
            else if (trace != 0)
            {
                Detach(trace, place.Index, record.Decision == (byte)Decision.Sampled, -1);
            }
        }
    }

    private void DetachRemembered(int trace, ulong index, int decision)
    {
        ref readonly RememberedDecision remembered = ref _decisions[decision];
        bool export = remembered.Decision == Decision.Sampled && !remembered.Exported;
        _statistics.ExportedAgain += export ? 1 : 0;
        Detach(trace, index, export, remembered.Policy);
    }

    /// <summary>
    /// Gives the log, each entry held once, and the decisions up to a copy of the shard on this member. What has not taken effect here takes effect
    /// where the next primary is; the shard is empty.
    /// </summary>
    public (ShardLog Log, DecisionCache Decisions) Demote(long now)
    {
        SealVerdicts(now);
        ShardLog log = _log;
        log.Ended = null;
        log.RetainAll();
        DiscardAll();
        EndEffects();
        log.HoldOnce();
        _log = new ShardLog(_services.Slabs);
        return (log, _decisions);
    }

    /// <summary>Gives up what has not taken effect, and the whole log.</summary>
    private void EndReplicated()
    {
        EndEffects();
        _log.TruncateAfter(0);
        _verdicts.Dispose();
    }

    private void EndEffects()
    {
        while (_effects.TryDequeue(out Effect effect))
        {
            if (effect.Trace != 0)
            {
                ReleaseSlices(effect.Trace);
                _traces.RemoveDetached(effect.Trace);
            }
        }
    }

    /// <summary>What a verdict (<paramref name="Trace"/> not 0) or a frame with late spans leads to once its index is committed.</summary>
    private readonly record struct Effect(ulong Index, int Trace, int Entry, int LateCount, short Policy, bool Export);

    /// <summary>A kept slice's hold of its log entry until the exporters are done with it.</summary>
    private readonly record struct Unconfirmed(long HandOver, int Entry);

    private readonly record struct UnconfirmedTrace(long HandOver, TraceId TraceId);
}
