using Cluster.Messages.Frames;
using Cluster.Messages.Identity;
using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sharding.Log;
using Cluster.Sharding.Shards;
using Cluster.Sharding.Traces;

namespace Cluster.Sharding.Replication;

/// <summary>
/// One stay of a copy of a shard on this member: the log as its primary sends it, and the decisions. A synchronous state machine.
/// <code>
///                 Begin, from nothing               "you have everything"
///   (not greeted) --------------------> filling ----------------------------> complete --promoted--> primary
///         |                                ^                                   |    ^
///         |                                +------ Begin, from nothing --------+    | Begin of a higher term:
///         +------------------------- Begin, only when complete --------------------+  what is beyond its index is taken back
/// </code>
/// Invariants: items of a stream are taken in order of position, each once; an item of a lower term is never taken, and one of a higher term only
/// if it is a Begin; the log's indices rise; complete means that everything that was acknowledged is here, and that nothing
/// is acknowledged without this copy before an allocation without it, or in which it is stale. Used by one thread at a time.
/// </summary>
internal sealed class ShardCopyCore : IDisposable
{
    private readonly ShardServices _services;
    private readonly IShardHostEffects _effects;
    private readonly int _shard;
    private ShardLog _log;
    private DecisionCache _decisions;
    private bool _greeted;
    private ulong _position;
    private MemberId _primary;
    private int _countedEntries;

    /// <summary>A copy that has nothing yet.</summary>
    /// <param name="shard">The shard.</param>
    /// <param name="term">Its term by the allocation.</param>
    /// <param name="since">Which stay this is.</param>
    /// <param name="services">What the shards of the worker loop share.</param>
    /// <param name="effects">Where answers go.</param>
    public ShardCopyCore(int shard, uint term, long since, ShardServices services, IShardHostEffects effects)
        : this(shard, term, since, services, effects, new ShardLog(services.Slabs), ShardCore.NewDecisions(services))
    {
    }

    private ShardCopyCore(
        int shard, uint term, long since, ShardServices services, IShardHostEffects effects, ShardLog log, DecisionCache decisions)
    {
        (_shard, Term, Since, _services, _effects, _log, _decisions) = (shard, term, since, services, effects, log, decisions);
    }

    /// <summary>The highest term that was heard of.</summary>
    public uint Term { get; private set; }

    /// <summary>Which stay of the copy on this member.</summary>
    public long Since { get; private set; }

    /// <summary>Whether everything that was acknowledged is here.</summary>
    public bool IsComplete { get; private set; }

    /// <summary>The log, for inspection.</summary>
    public ShardLog Log => _log;

    /// <summary>The decisions, for inspection.</summary>
    public DecisionCache Decisions => _decisions;

    /// <summary>What was the primary until now goes on as a copy: it has everything that was acknowledged in its term.</summary>
    /// <param name="last">The primary of the term that is over; given up.</param>
    /// <param name="assignment">The shard's by the allocation.</param>
    /// <param name="since">Which stay this is.</param>
    /// <param name="services">What the shards of the worker loop share.</param>
    /// <param name="effects">Where answers go.</param>
    /// <param name="now">Monotonic milliseconds.</param>
    public static ShardCopyCore Demote(
        ShardPrimaryCore last, ShardAssignment assignment, long since, ShardServices services, IShardHostEffects effects, long now)
    {
        (ShardLog log, DecisionCache decisions) = last.Demote(now);
        ShardCopyCore copy = new(last.Core.Id, assignment.Term, since, services, effects, log, decisions) { IsComplete = true };
        copy.Count();

        // What the next primary has sent while this was one was ignored: it is told that nothing came.
        copy._primary = assignment.Primary;
        copy.Answer();
        return copy;
    }

    /// <summary>The allocation says that the shard has this term, and this copy is this stay.</summary>
    public void Follow(uint term, long since)
    {
        Since = since;
        if (term > Term)
        {
            Term = term;
            _greeted = false;
            _position = 0;
            OwesAnswer = false;
        }
    }

    /// <summary>Whether its primary has sent something since the last <see cref="Answer"/>.</summary>
    public bool OwesAnswer { get; private set; }

    /// <summary>An item of a primary's stream, to be answered soon. What cannot be taken changes nothing.</summary>
    /// <param name="from">Who sent it, and is answered.</param>
    /// <param name="position">Its position in the stream.</param>
    /// <param name="item">Its header.</param>
    /// <param name="body">Its body.</param>
    /// <param name="now">Monotonic milliseconds.</param>
    public void Receive(MemberId from, ulong position, in ReplicationItemHeader item, ReadOnlySpan<byte> body, long now)
    {
        if (item.Since != Since || item.Term < Term)
        {
            _services.Statistics.IgnoredReplication++;
            return;
        }

        bool taken;
        if (item.Term > Term || !_greeted)
        {
            taken = position == 1 && item.Kind == ReplicationItemKind.Begin && TryBegin(item);
            if (!taken)
            {
                // There is nothing to answer with: this copy has no place in the stream.
                _services.Statistics.IgnoredReplication++;
                return;
            }

            _position = 1;
        }
        else if (position == _position + 1)
        {
            taken = TryTake(item, body, now);
            _position += taken ? 1UL : 0;
            Count();
            if (taken)
            {
                _services.Statistics.AddReplicatedIn(item.Kind, body.Length);
            }
        }
        else
        {
            taken = position <= _position;
        }

        _services.Statistics.IgnoredReplication += taken ? 0 : 1;
        (_primary, OwesAnswer) = (from, true);
    }

    /// <summary>Says how far it is, once for everything that came since the last time.</summary>
    public void Answer()
    {
        OwesAnswer = false;
        ReplicationAnswer answer = new() { Term = Term, Since = Since, LastIndex = _log.LastIndex };
        _effects.Send(_primary, PeerMessageKind.Replicated, _shard, _position, ReplicationItem.Bytes(answer), default);
    }

    /// <summary>Becomes the primary, with everything that is here. This copy is empty afterwards.</summary>
    public ShardCore Promote(uint term, long now)
    {
        (ShardLog log, DecisionCache decisions) = (_log, _decisions);
        _log = new ShardLog(_services.Slabs);
        _decisions = ShardCore.NewDecisions(_services);
        OwesAnswer = false;
        Count();
        return ShardCore.Replay(_shard, term, _services, log, decisions, now);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        OwesAnswer = false;
        _log.TruncateAfter(0);
        Count();
    }

    private bool TryBegin(in ReplicationItemHeader item)
    {
        if (item.Flag == 0)
        {
            if (!IsComplete)
            {
                return false;
            }

            _log.TruncateAfter(item.Index);
            _decisions.ForgetAfter(item.Index);
        }
        else
        {
            _log.TruncateAfter(0);
            _decisions = ShardCore.NewDecisions(_services);
            IsComplete = false;
        }

        Term = item.Term;
        _greeted = true;
        Count();
        return true;
    }

    private bool TryTake(in ReplicationItemHeader item, ReadOnlySpan<byte> body, long now) => item.Kind switch
    {
        ReplicationItemKind.Frame => TryTakeFrame(item, body, now),
        ReplicationItemKind.Verdicts => TryTakeVerdicts(item, body, now),
        ReplicationItemKind.Decisions => TryTakeDecisions(body, now),
        ReplicationItemKind.Trim => TryTrim(item, body),
        _ => false,
    };

    private bool TryTakeFrame(in ReplicationItemHeader item, ReadOnlySpan<byte> body, long now)
    {
        if (!IsNext(item.Index)
            || !FrameReader.TryOpen(body, out FrameReader frame)
            || frame.Header.Length != body.Length
            || frame.Header.Shard != _shard)
        {
            return false;
        }

        _log.Add(item.Index, LogEntryKind.Frame, body, now - item.AgeMilliseconds);
        return true;
    }

    private bool TryTakeVerdicts(in ReplicationItemHeader item, ReadOnlySpan<byte> body, long now)
    {
        if (!IsNext(item.Index) || !DecisionRecord.AreWhole(body))
        {
            return false;
        }

        long decidedAt = now - item.AgeMilliseconds;
        _log.Add(item.Index, LogEntryKind.Verdicts, body, decidedAt);
        while (DecisionRecord.TryRead(ref body, out DecisionRecord record, out ReadOnlySpan<ulong> details))
        {
            DecisionItems.Remember(_decisions, record, details, item.Index, decidedAt);
        }

        return true;
    }

    private bool TryTakeDecisions(ReadOnlySpan<byte> body, long now)
    {
        if (!DecisionRecord.AreWhole(body))
        {
            return false;
        }

        while (DecisionRecord.TryRead(ref body, out DecisionRecord record, out ReadOnlySpan<ulong> details))
        {
            DecisionItems.Remember(_decisions, record, details, record.Index, now - record.AgeMilliseconds);
        }

        return true;
    }

    private bool TryTrim(in ReplicationItemHeader item, ReadOnlySpan<byte> body)
    {
        if (item.Index > long.MaxValue || !TrimBody.TryRead(body, out ReadOnlySpan<IndexRange> ranges, out ReadOnlySpan<TraceId> exported))
        {
            return false;
        }

        foreach (IndexRange range in ranges)
        {
            while (_log.FindFrom(range.First) is int entry and >= 0 && _log.Place(entry).Index <= range.Last)
            {
                _log.Release(entry);
            }
        }

        foreach (TraceId traceId in exported)
        {
            _decisions.MarkExported(traceId);
        }

        _log.SkipTo(item.Index);
        IsComplete |= item.Flag != 0;
        return true;
    }

    /// <summary>No index can be so high that the next one is none.</summary>
    private bool IsNext(ulong index) => index > _log.LastIndex && index <= long.MaxValue;

    private void Count()
    {
        _services.Statistics.CopiedEntries += _log.LiveEntries - _countedEntries;
        _countedEntries = _log.LiveEntries;
    }
}
