using System.Runtime.InteropServices;
using Cluster.Messages.Frames;
using Cluster.Messages.Identity;
using Cluster.Messages.Protobuf;
using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sharding.Coordination;
using Cluster.Sharding.Log;
using Cluster.Sharding.Shards;
using Cluster.Sharding.Traces;

namespace Cluster.Sharding.Replication;

/// <summary>
/// One term of a primary: its shard, the streams to the copies, and what waits until an entry of the log is in all of them. A synchronous state
/// machine.
/// <code>
///   frame --appended, applied--> waiting --index committed, authority--> answered
///   verdicts --appended--> waiting --index committed, authority, room in the exporters--> in effect
/// </code>
/// Invariants: an index is committed when it is in the log of every copy that counts: in sync by the allocation, or joined; a copy that counts
/// counts until an allocation without it, or in which it is stale; what is committed never becomes less; nothing of this term is sent but Begin until every copy
/// that was in sync when the term began has answered it, so that logs never differ below the lower of their last indices; answers
/// and effects take place in order of index. On a node alone (logs do not keep whole frames) everything is committed at once.
/// Used by one thread at a time.
/// </summary>
internal sealed class ShardPrimaryCore : IDisposable
{
    /// <summary>Bytes of frames that may wait for copies; then frames are refused.</summary>
    private const long MaxWaitingBytes = 16 << 20;

    /// <summary>Entries that ended are told to copies when there are so many of them, or ...</summary>
    private const int TrimEntries = 512;

    /// <summary>... after so long, milliseconds.</summary>
    private const long TrimAfter = 100;

    private readonly ShardServices _services;
    private readonly IShardHostEffects _effects;
    private readonly bool _whole;
    private readonly long _timeout;
    private readonly Queue<Waiting> _waiting = new();
    private readonly RecentFrames _recent = new();
    private readonly List<ulong> _ended = [];
    private readonly List<TraceId> _exported = [];
    private CopyStream[] _streams = [];
    private ShardCopy[] _stale = [];
    private int _inSync;
    private long _waitingBytes;
    private long _sinceTrim;

    /// <summary>A primary of a new term.</summary>
    /// <param name="core">The shard: empty, or replayed from a copy.</param>
    /// <param name="assignment">Who has copies.</param>
    /// <param name="services">What the shards of the worker loop share.</param>
    /// <param name="effects">Where answers and items go.</param>
    /// <param name="now">Monotonic milliseconds.</param>
    public ShardPrimaryCore(ShardCore core, ShardAssignment assignment, ShardServices services, IShardHostEffects effects, long now)
    {
        (Core, _services, _effects) = (core, services, effects);
        _whole = services.Options.KeepWholeFrames;
        _timeout = (long)services.Options.ReplicaTimeout.TotalMilliseconds;
        for (int entry = core.Log.FindFrom(0); entry >= 0; entry = core.Log.FindFrom(core.Log.Place(entry).Index + 1))
        {
            LogPlace place = core.Log.Place(entry);
            if (place.Kind == LogEntryKind.Frame && FrameReader.TryOpen(core.Log.Bytes(entry), out FrameReader frame))
            {
                _waiting.Enqueue(new Waiting(place.Index, entry, 0, false, 0));
                _recent.Add(frame.Header.Sender, frame.Header.Sequence, place.Index);
            }
        }

        SetCopies(assignment, continues: true, now);
    }

    /// <summary>The shard.</summary>
    public ShardCore Core { get; }

    /// <summary>In the log of every copy that counts up to this index.</summary>
    public ulong Committed { get; private set; }

    /// <summary>The streams, for inspection.</summary>
    public IReadOnlyList<CopyStream> Streams => _streams;

    /// <summary>Whether <see cref="AddReports"/> says something else than before; for the caller to reset.</summary>
    public bool HasNews { get; set; }

    /// <summary>How long this process had run when time last passed here; the caller's to note.</summary>
    public long Ran { get; set; }

    /// <summary>Whether there may be something to do for <see cref="Progress"/>; for the caller to reset.</summary>
    public bool IsTouched { get; set; }

    /// <summary>An allocation with the same term: copies come and go.</summary>
    public void Update(ShardAssignment assignment, long now, bool hasAuthority)
    {
        SetCopies(assignment, continues: false, now);
        Progress(now, hasAuthority);
    }

    /// <summary>A frame. On a node alone it is answered before this returns, else by a later <see cref="Progress"/>.</summary>
    public void Deliver(ReadOnlySpan<byte> bytes, ulong token, long now, bool hasAuthority)
    {
        Refusal refusal = hasAuthority ? Refusal.None : Refusal.LeaseEnded;
        if (!FrameReader.TryOpen(bytes, out FrameReader frame) || frame.Header.Shard != Core.Id || (_whole && frame.Header.Term != Core.Term))
        {
            refusal = Refusal.NotOwner;
        }

        if (refusal == Refusal.None && !_whole)
        {
            refusal = Core.Deliver(frame, now);
            _effects.Answer(token, refusal);
            return;
        }

        refusal =
            refusal != Refusal.None ? refusal
            : _inSync + 1 < _services.Options.MinInSync ? Refusal.NotEnoughInSync
            : _waitingBytes > MaxWaitingBytes ? Refusal.PeerBusy
            : Refusal.None;
        if (refusal != Refusal.None)
        {
            Core.CountRefused();
            _effects.Answer(token, refusal);
            return;
        }

        ulong index = _recent.Find(frame.Header.Sender, frame.Header.Sequence);
        if (index != 0)
        {
            _services.Statistics.RepeatedFrames++;
            _waiting.Enqueue(new Waiting(index, -1, token, true, 0));
        }
        else
        {
            int entry = Core.Append(frame, bytes, now);
            index = Core.Log.LastIndex;
            _recent.Add(frame.Header.Sender, frame.Header.Sequence, index);
            _waiting.Enqueue(new Waiting(index, entry, token, true, frame.Header.Length));
            _waitingBytes += frame.Header.Length;
        }
    }

    /// <summary>A copy answered. What follows from it is done by <see cref="Progress"/>.</summary>
    public void Receive(MemberId from, ulong position, in ReplicationAnswer answer, long now)
    {
        CopyStream? stream = Find(from, answer.Since);
        if (stream is null || answer.Term != Core.Term)
        {
            _services.Statistics.IgnoredReplication++;
            return;
        }

        bool wasSuspect = stream.IsSuspect;
        bool wasCaughtUp = stream.IsCaughtUp;
        if (stream.Answered(position, answer.LastIndex, now))
        {
            HasNews |= wasSuspect != stream.IsSuspect || wasCaughtUp != stream.IsCaughtUp;
        }
    }

    /// <summary>There is a new connection to a member: what was on its way may be lost.</summary>
    public void Connected(MemberId peer, long now)
    {
        foreach (CopyStream stream in _streams)
        {
            if (stream.Member == peer)
            {
                stream.Resend(now);
            }
        }
    }

    /// <summary>Time has passed.</summary>
    /// <param name="elapsed">How much of it this process was seen to run for, milliseconds.</param>
    /// <param name="now">Monotonic milliseconds.</param>
    /// <param name="hasAuthority">Whether this node's lease is known to last.</param>
    public void Advance(long elapsed, long now, bool hasAuthority)
    {
        if (hasAuthority)
        {
            Core.Advance(now);
        }

        if (!_whole)
        {
            return;
        }

        Core.SealVerdicts(now);
        _sinceTrim += elapsed;
        if (_sinceTrim >= TrimAfter || _ended.Count + _exported.Count >= TrimEntries)
        {
            Trim();
        }

        foreach (CopyStream stream in _streams)
        {
            HasNews |= stream.Advance(elapsed, now);
            if (stream.CanJoin)
            {
                // What ended before must be gone there before it is told that it has everything.
                Trim();
                stream.Join();
            }
        }

        Progress(now, hasAuthority);
    }

    /// <summary>The exporters are done with everything up to a hand-over.</summary>
    public void Exported(long handOver) => Core.Exported(handOver);

    /// <summary>Does what can be done by now: answers, effects, items.</summary>
    public void Progress(long now, bool hasAuthority)
    {
        if (!_whole)
        {
            return;
        }

        ulong committed = Core.Log.LastIndex;
        ulong verdicts = ulong.MaxValue;
        bool open = true;
        foreach (CopyStream stream in _streams)
        {
            if (stream.IsInSync || stream.HasJoined || !stream.IsFromNothing)
            {
                committed = Math.Min(committed, stream.Acknowledged);
            }

            verdicts = Math.Min(verdicts, stream.VerdictsUpTo);
            open &= stream.IsFromNothing || stream.IsGreeted;
        }

        Committed = Math.Max(Committed, committed);
        if (hasAuthority)
        {
            Answer();
            Core.TakeEffect(Committed);
        }

        Core.ReleaseVerdicts(Math.Min(Committed, verdicts));
        if (open)
        {
            foreach (CopyStream stream in _streams)
            {
                stream.Pump(now);
            }
        }
    }

    /// <summary>Adds what there is to say of the copies.</summary>
    public void AddReports(List<ShardReport> reports)
    {
        foreach (CopyStream stream in _streams)
        {
            if (stream.IsSuspect)
            {
                reports.Add(new ShardReport(Core.Id, Core.Term, stream.Member, stream.Since, CopyState.Suspect));
            }
            else if (stream.IsCaughtUp && !stream.IsInSync)
            {
                reports.Add(new ShardReport(Core.Id, Core.Term, stream.Member, stream.Since, CopyState.CaughtUp));
            }
        }

        foreach (ShardCopy stale in _stale)
        {
            reports.Add(new ShardReport(Core.Id, Core.Term, stale.Member, stale.Since, CopyState.Released));
        }
    }

    /// <summary>
    /// This term is over, and what is here goes on in another one. Whoever waits is told so; only <see cref="Dispose"/> may follow.
    /// </summary>
    public (ShardLog Log, DecisionCache Decisions) Demote(long now)
    {
        RefuseWaiting();
        return Core.Demote(now);
    }

    /// <summary>This term is over: whoever waits is told so, and everything is given up.</summary>
    public void Dispose()
    {
        RefuseWaiting();
        GiveUp(_streams);
        Core.Log.Ended = null;
        Core.Dispose();
    }

    private static void GiveUp(IEnumerable<CopyStream> streams)
    {
        foreach (CopyStream stream in streams)
        {
            stream.GiveUp();
        }
    }

    private void RefuseWaiting()
    {
        while (_waiting.TryDequeue(out Waiting waiting))
        {
            if (waiting.HasToken)
            {
                _effects.Answer(waiting.Token, Refusal.NotOwner);
            }
        }
    }

    private CopyStream? Find(MemberId member, long since)
    {
        foreach (CopyStream stream in _streams)
        {
            if (stream.Member == member && stream.Since == since)
            {
                return stream;
            }
        }

        return null;
    }

    /// <param name="assignment">Who has copies.</param>
    /// <param name="continues">Whether copies in sync go on with what they have: when the term begins. Later ones all began from nothing.</param>
    /// <param name="now">Monotonic milliseconds.</param>
    private void SetCopies(ShardAssignment assignment, bool continues, long now)
    {
        ShardCopy[] copies = [.. assignment.Replicas.Where(copy => !copy.IsStale)];
        CopyStream[] streams = new CopyStream[_whole ? copies.Length : 0];
        _stale = [.. assignment.Replicas.Where(copy => copy.IsStale)];
        _inSync = copies.Count(copy => copy.InSync);
        for (int i = 0; i < streams.Length; i++)
        {
            ShardCopy copy = copies[i];
            streams[i] = Find(copy.Member, copy.Since) ?? new CopyStream(Core, copy, !(continues && copy.InSync), _timeout, _effects, _services.Statistics, now);
            streams[i].IsInSync = copy.InSync;
        }

        GiveUp(_streams.Except(streams));
        _streams = streams;
        HasNews = true;
        Core.Log.Ended = streams.Length > 0 ? _ended : null;
        Core.ExportedTraces = streams.Length > 0 ? _exported : null;
        if (streams.Length == 0)
        {
            _ended.Clear();
            _exported.Clear();
        }
    }

    private void Answer()
    {
        bool mayAnswer = _inSync + 1 >= _services.Options.MinInSync;
        while (_waiting.TryPeek(out Waiting waiting) && waiting.Index <= Committed && (mayAnswer || !waiting.HasToken))
        {
            _waiting.Dequeue();
            _waitingBytes -= waiting.Bytes;
            if (waiting.Entry >= 0)
            {
                Core.Log.Release(waiting.Entry);
            }

            if (waiting.HasToken)
            {
                _effects.Answer(waiting.Token, Refusal.None);
            }
        }
    }

    /// <summary>Tells the copies which entries have ended since the last time, and which exports were confirmed.</summary>
    private void Trim()
    {
        _sinceTrim = 0;
        if (_ended.Count + _exported.Count == 0)
        {
            return;
        }

        Span<ulong> ended = CollectionsMarshal.AsSpan(_ended);
        ended.Sort();
        List<IndexRange> ranges = [];
        for (int first = 0; first < ended.Length;)
        {
            int end = first + 1;
            while (end < ended.Length && ended[end] == ended[end - 1] + 1)
            {
                end++;
            }

            ranges.Add(new IndexRange(ended[first], ended[end - 1]));
            first = end;
        }

        using PooledBuffer buffer = new();
        TrimBody.Write(buffer, CollectionsMarshal.AsSpan(ranges), CollectionsMarshal.AsSpan(_exported));
        byte[] body = buffer.WrittenSpan.ToArray();
        foreach (CopyStream stream in _streams)
        {
            stream.Trim(body);
        }

        _ended.Clear();
        _exported.Clear();
    }

    /// <summary>An entry that is held until it is committed (<paramref name="Entry"/> not -1), or an answer that waits, or both.</summary>
    private readonly record struct Waiting(ulong Index, int Entry, ulong Token, bool HasToken, int Bytes);
}
