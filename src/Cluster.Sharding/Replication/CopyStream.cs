using System.Runtime.InteropServices;
using Cluster.Messages.Identity;
using Cluster.Messages.Protobuf;
using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sharding.Log;
using Cluster.Sharding.Shards;
using Cluster.Sharding.Traces;

namespace Cluster.Sharding.Replication;

/// <summary>
/// A primary's stream to one stay of one copy: items with positions 1, 2, 3, ..., sent again until they are acknowledged.
/// <code>
///   greeting --answered--> filling (decisions, then the log) --little outstanding--> joined --everything acknowledged--> caught up
///       |                                                                                                                  = following
///       +----answered by a copy in sync: goes on after the last entry that both have-----------------------------------------^
/// </code>
/// Invariants: nothing but Begin is sent before it is answered; positions are given once, and an item that is sent again is the same, or nothing
/// when its log entry is not needed any more; what is unacknowledged is bounded in bytes, by one item more than the window; a copy that
/// joined is waited for. Used by one thread at a time.
/// </summary>
internal sealed class CopyStream
{
    /// <summary>Bytes that may be unacknowledged; one more item is let in.</summary>
    private const int WindowBytes = 1 << 20;

    /// <summary>A learner with less than this outstanding is waited for from then on.</summary>
    private const int LittleBytes = 64 * 1024;

    /// <summary>Bytes of an item with decisions, about.</summary>
    private const int DecisionBytes = 32 * 1024;

    /// <summary>Ranges, or traces, in one item.</summary>
    private const int TrimEntries = 2048;

    /// <summary>After so long without an answer, milliseconds, everything outstanding is sent again.</summary>
    private const long ResendAfter = 500;

    /// <summary>The same when the copy said that it misses something.</summary>
    private const long ResendGapAfter = 20;

    /// <summary>The body of an item that says nothing.</summary>
    private static readonly byte[] Nothing = new byte[2 * sizeof(int)];

    private readonly ShardCore _core;
    private readonly IShardHostEffects _effects;
    private readonly WorkerStatistics _statistics;
    private readonly long _timeout;
    private readonly ulong _beginIndex;
    private readonly Queue<Item> _window = new();
    private readonly Queue<Item> _waiting = new();
    private ulong _firstPosition = 1;
    private ulong _nextPosition = 1;
    private int _outstandingBytes;
    private ulong _cursor;
    private ulong _snapshot;
    private ulong _completePosition;
    private long _sinceProgress;
    private long _sinceSent;
    private bool _hasGap;

    /// <summary>A stream that begins.</summary>
    /// <param name="core">The shard.</param>
    /// <param name="copy">Who it goes to.</param>
    /// <param name="fromNothing">Whether the copy is to begin from nothing; else it is in sync, and goes on with what it has.</param>
    /// <param name="timeout">Milliseconds without progress after which the copy is suspect.</param>
    /// <param name="effects">Where items go.</param>
    /// <param name="statistics">Where they are counted.</param>
    /// <param name="now">Monotonic milliseconds.</param>
    public CopyStream(
        ShardCore core, ShardCopy copy, bool fromNothing, long timeout, IShardHostEffects effects, WorkerStatistics statistics, long now)
    {
        (_core, _timeout, _effects, _statistics) = (core, timeout, effects, statistics);
        (Member, Since, IsInSync, IsFromNothing) = (copy.Member, copy.Since, copy.InSync, fromNothing);
        _beginIndex = core.Log.LastIndex;
        Enqueue(new Item(ReplicationItemKind.Begin, fromNothing ? (byte)1 : (byte)0, _beginIndex, [], 0), now);
    }

    /// <summary>Who holds the copy.</summary>
    public MemberId Member { get; }

    /// <summary>Which stay of it there.</summary>
    public long Since { get; }

    /// <summary>Whether the copy began from nothing under this primary.</summary>
    public bool IsFromNothing { get; }

    /// <summary>Whether the allocation has it in sync.</summary>
    public bool IsInSync { get; set; }

    /// <summary>Whether Begin was answered.</summary>
    public bool IsGreeted { get; private set; }

    /// <summary>Whether nothing is acknowledged without it any more, though the allocation may not have it in sync yet.</summary>
    public bool HasJoined { get; private set; }

    /// <summary>Whether it has everything that was acknowledged, and knows it.</summary>
    public bool IsCaughtUp { get; private set; }

    /// <summary>Whether it does not answer in time.</summary>
    public bool IsSuspect { get; private set; }

    /// <summary>It has the log up to this index.</summary>
    public ulong Acknowledged { get; private set; }

    /// <summary>Bytes on their way, or lost.</summary>
    public int OutstandingBytes => _outstandingBytes;

    /// <summary>It has the verdicts up to this index, as log entries or as decisions.</summary>
    public ulong VerdictsUpTo =>
        IsGreeted ? Math.Max(Acknowledged, _snapshot)
        : IsFromNothing ? ulong.MaxValue
        : 0;

    /// <summary>The copy answered.</summary>
    /// <param name="position">The last position that it has.</param>
    /// <param name="lastIndex">The last index in its log.</param>
    /// <param name="now">Monotonic milliseconds.</param>
    /// <returns>Whether that is news.</returns>
    public bool Answered(ulong position, ulong lastIndex, long now)
    {
        if (position < _firstPosition || position >= _nextPosition)
        {
            // Said again, what it has last: something after it has come, and what is in between has not.
            _hasGap |= position + 1 == _firstPosition && _window.Count > 0;
            return false;
        }

        for (; _firstPosition <= position; _firstPosition++)
        {
            Item item = _window.Dequeue();
            AddOutstanding(-item.Bytes);
            if (item.Kind != ReplicationItemKind.Begin)
            {
                Acknowledged = Math.Max(Acknowledged, item.Index);
            }
        }

        (_sinceProgress, _sinceSent, _hasGap, IsSuspect) = (0, 0, false, false);
        if (!IsGreeted)
        {
            IsGreeted = true;
            if (IsFromNothing)
            {
                Fill(now);
            }
            else
            {
                Acknowledged = Math.Min(lastIndex, _beginIndex);
                Reconcile();
            }

            _cursor = Acknowledged + 1;
        }

        IsCaughtUp |= _completePosition != 0 && position >= _completePosition;
        return true;
    }

    /// <summary>Sends what there is, as far as the window goes.</summary>
    public void Pump(long now)
    {
        while (IsGreeted && _outstandingBytes < WindowBytes)
        {
            if (_waiting.TryDequeue(out Item item))
            {
                Enqueue(item, now);
                continue;
            }

            ShardLog log = _core.Log;
            int entry = _cursor > log.LastIndex ? -1 : log.FindFrom(_cursor);
            if (entry < 0)
            {
                _cursor = log.LastIndex + 1;
                return;
            }

            LogPlace place = log.Place(entry);
            ReplicationItemKind kind = place.Kind == LogEntryKind.Frame ? ReplicationItemKind.Frame : ReplicationItemKind.Verdicts;
            _cursor = place.Index + 1;
            Enqueue(new Item(kind, 0, place.Index, null, log.Bytes(entry).Length), now);
        }
    }

    /// <summary>Lets the copy know what is not needed any more.</summary>
    /// <param name="body">A <see cref="TrimBody"/>; shared, never changed.</param>
    public void Trim(byte[] body)
    {
        if (IsGreeted)
        {
            _waiting.Enqueue(new Item(ReplicationItemKind.Trim, 0, 0, body, body.Length));
        }
    }

    /// <summary>Whether a learner is so far that it can be waited for.</summary>
    public bool CanJoin =>
        IsFromNothing && !HasJoined && IsGreeted && _waiting.Count == 0 && _cursor > _core.Log.LastIndex && _outstandingBytes <= LittleBytes;

    /// <summary>
    /// From now on the copy is waited for; once it has what is on its way to it, it is told that it has everything, and up to which index: the last
    /// entries may have ended before they were sent.
    /// </summary>
    public void Join()
    {
        HasJoined = true;
        _waiting.Enqueue(new Item(ReplicationItemKind.Trim, 1, _core.Log.LastIndex, Nothing, Nothing.Length));
    }

    /// <summary>Time has passed.</summary>
    /// <returns>Whether the copy is suspect now and was not before.</returns>
    public bool Advance(long elapsed, long now)
    {
        if (_window.Count == 0)
        {
            (_sinceProgress, _sinceSent, _hasGap) = (0, 0, false);
            return false;
        }

        _sinceProgress += elapsed;
        _sinceSent += elapsed;
        if (_sinceSent >= (_hasGap ? ResendGapAfter : ResendAfter))
        {
            Resend(now);
        }

        bool wasSuspect = IsSuspect;
        IsSuspect |= _sinceProgress >= _timeout;
        _statistics.Suspects += IsSuspect && !wasSuspect ? 1 : 0;
        return IsSuspect && !wasSuspect;
    }

    /// <summary>Sends everything outstanding again.</summary>
    public void Resend(long now)
    {
        (_sinceSent, _hasGap) = (0, false);
        ulong position = _firstPosition;
        foreach (Item item in _window)
        {
            Send(item, position++, now);
        }
    }

    /// <summary>The copy is not this primary's any more: what is outstanding is not waited for.</summary>
    public void GiveUp()
    {
        _window.Clear();
        AddOutstanding(-_outstandingBytes);
    }

    private void AddOutstanding(int bytes)
    {
        _outstandingBytes += bytes;
        _statistics.UnacknowledgedBytes += bytes;
    }

    private void Enqueue(in Item item, long now)
    {
        if (item is { Kind: ReplicationItemKind.Trim, Flag: 1 })
        {
            _completePosition = _nextPosition;
        }

        _window.Enqueue(item);
        AddOutstanding(item.Bytes);
        Send(item, _nextPosition++, now);
    }

    private void Send(in Item item, ulong position, long now)
    {
        ReplicationItemHeader header = new() { Term = _core.Term, Kind = item.Kind, Flag = item.Flag, Since = Since, Index = item.Index };
        ReadOnlySpan<byte> body = item.Body;
        if (item.IsLogEntry)
        {
            int entry = _core.Log.Find(item.Index);
            if (entry >= 0)
            {
                body = _core.Log.Bytes(entry);
                header.AgeMilliseconds = (uint)Math.Clamp(now - _core.Log.Place(entry).Arrival, 0, uint.MaxValue);
            }
            else
            {
                (header.Kind, header.Index) = (ReplicationItemKind.Trim, 0);
                body = Nothing;
            }
        }

        _statistics.AddReplicatedOut(header.Kind, body.Length);
        _effects.Send(Member, PeerMessageKind.Replicate, _core.Id, position, ReplicationItem.Bytes(header), body);
    }

    /// <summary>Everything that is remembered, as it is now, least recently used first. Later verdicts come as log entries.</summary>
    private void Fill(long now)
    {
        _snapshot = _core.Log.LastIndex;
        DecisionCache decisions = _core.Remembered;
        using PooledBuffer buffer = new();
        foreach (bool sampled in (ReadOnlySpan<bool>)[false, true])
        {
            for (int entry = decisions.Oldest(sampled); entry != 0; entry = decisions.Newer(entry))
            {
                DecisionRecord.Write(buffer, DecisionItems.ToRecord(decisions[entry], decisions, now), decisions.Details(entry));
                if (buffer.Length >= DecisionBytes)
                {
                    Queue(ReplicationItemKind.Decisions, buffer);
                }
            }
        }

        if (buffer.Length > 0)
        {
            Queue(ReplicationItemKind.Decisions, buffer);
        }
    }

    /// <summary>What an earlier primary may have told others, and not this copy: entries that are gone, traces whose export was confirmed.</summary>
    private void Reconcile()
    {
        List<IndexRange> ranges = [];
        List<TraceId> exported = [];
        using PooledBuffer buffer = new();
        ShardLog log = _core.Log;
        for (ulong next = 1; next <= log.LastIndex;)
        {
            int entry = log.FindFrom(next);
            ulong live = entry < 0 ? log.LastIndex + 1 : log.Place(entry).Index;
            if (live > next)
            {
                ranges.Add(new IndexRange(next, live - 1));
            }

            next = live + 1;
            Flush(TrimEntries);
        }

        for (int entry = _core.Remembered.Oldest(sampled: true); entry != 0; entry = _core.Remembered.Newer(entry))
        {
            if (_core.Remembered[entry].Exported)
            {
                exported.Add(_core.Remembered[entry].TraceId);
                Flush(TrimEntries);
            }
        }

        Flush(1);

        void Flush(int from)
        {
            if (ranges.Count + exported.Count >= from)
            {
                TrimBody.Write(buffer, CollectionsMarshal.AsSpan(ranges), CollectionsMarshal.AsSpan(exported));
                Queue(ReplicationItemKind.Trim, buffer);
                ranges.Clear();
                exported.Clear();
            }
        }
    }

    private void Queue(ReplicationItemKind kind, PooledBuffer buffer)
    {
        _waiting.Enqueue(new Item(kind, 0, 0, buffer.WrittenSpan.ToArray(), buffer.Length));
        buffer.Clear();
    }

    /// <summary>An item of the stream; a log entry's body is in the log.</summary>
    private readonly record struct Item(ReplicationItemKind Kind, byte Flag, ulong Index, byte[]? Body, int Bytes)
    {
        public bool IsLogEntry => Kind is ReplicationItemKind.Frame or ReplicationItemKind.Verdicts;
    }
}
