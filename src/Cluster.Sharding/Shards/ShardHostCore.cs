using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sharding.Coordination;
using Cluster.Sharding.Log;
using Cluster.Sharding.Replication;
using Cluster.Sharding.Traces;

namespace Cluster.Sharding.Shards;

/// <summary>
/// The shards of one worker loop, as primary or as copy. A synchronous state machine: allocations, frames, messages of peers and time come
/// in as method calls; answers and messages go out through <see cref="IShardHostEffects"/>.
/// <code>
///              allocation: copy here (member, since)                 allocation: primary here, and the copy is complete
///   (nothing) ---------------------------------------> copy --------------------------------------------------------> primary
///       |  ^                                            |                                                              |
///       |  +------- allocation: not here, or a new stay +                                                              |
///       +-- allocation: primary here (empty) --> primary ---- a higher term, not here -> (nothing), or a new copy ----+
///                                                     +------ a higher term, copy here, in sync or stale -> copy, complete
/// </code>
/// A copy that becomes stale stays as it is: the same stay, to which nobody sends anything. Allocations may be missed: whoever has everything of a
/// term, and was promoted or replaced in one that it missed, goes on with what it has.
/// Invariants: a shard is here as primary, as copy, or not at all; a primary's term is the allocation's; allocations only become newer; when the
/// lease may have ended nothing is answered with success, nothing is decided and nothing is exported. Used by one thread at a time.
/// </summary>
internal sealed class ShardHostCore : IDisposable
{
    /// <summary>More time than this between two calls of <see cref="Advance"/>, milliseconds, was not the copies' doing.</summary>
    private const long MaxElapsed = 500;

    /// <summary>In a cluster, and with many shards, each is looked after at one call of <see cref="Advance"/> in so many: verdicts make larger batches.</summary>
    private const int MostGroups = 5;

    /// <summary>Shards that are worth a group of their own.</summary>
    private const int ShardsOfAGroup = 8;

    private readonly MemberId _self;
    private readonly ShardServices _services;
    private readonly IShardHostEffects _effects;
    private readonly Func<int, bool> _carries;
    private List<ShardPrimaryCore> _primaries = [];
    private readonly Queue<ShardPrimaryCore> _touched = new();
    private readonly Queue<ShardCopyCore> _owing = new();
    private List<ShardCore> _cores = [];
    private ShardPrimaryCore?[] _primaryOf = [];
    private ShardCopyCore?[] _copyOf = [];
    private long _version;
    private long _validUntil = long.MinValue;
    private long _lastAdvance;
    private long _ran;
    private int _first;
    private int _group;

    /// <summary>A host of no shard until it has an allocation, and without authority until it is given.</summary>
    /// <param name="self">The member it works for.</param>
    /// <param name="services">What its shards share.</param>
    /// <param name="effects">What it wants done.</param>
    /// <param name="carries">Whether a shard is this worker loop's.</param>
    /// <param name="now">Monotonic milliseconds.</param>
    public ShardHostCore(MemberId self, ShardServices services, IShardHostEffects effects, Func<int, bool> carries, long now)
    {
        (_self, _services, _effects, _carries, _lastAdvance) = (self, services, effects, carries, now);
    }

    /// <summary>What the primaries here have to say of their copies. A new list whenever it changes.</summary>
    public IReadOnlyList<ShardReport> Reports { get; private set; } = [];

    /// <summary>The shards that this member is the primary of. A new list whenever it changes.</summary>
    public IReadOnlyList<ShardCore> Primaries => _cores;

    /// <summary>A shard as primary; null when this member is not.</summary>
    public ShardPrimaryCore? Primary(int shard) => (uint)shard < (uint)_primaryOf.Length ? _primaryOf[shard] : null;

    /// <summary>A shard as copy; null when this member has none.</summary>
    public ShardCopyCore? Copy(int shard) => (uint)shard < (uint)_copyOf.Length ? _copyOf[shard] : null;

    /// <summary>A newer allocation: shards come, go, are promoted; copies change. One that is not newer is ignored.</summary>
    public void Apply(ShardAllocation allocation, long now)
    {
        if (allocation.Version <= _version)
        {
            return;
        }

        _version = allocation.Version;
        if (_primaryOf.Length < allocation.ShardCount)
        {
            Array.Resize(ref _primaryOf, allocation.ShardCount);
            Array.Resize(ref _copyOf, allocation.ShardCount);
        }

        for (int shard = 0; shard < allocation.ShardCount; shard++)
        {
            if (_carries(shard))
            {
                Apply(shard, allocation[shard], now);
            }
        }

        // Others may be looking at the list.
        (_primaries, _cores) = ([], []);
        foreach (ShardPrimaryCore? primary in _primaryOf)
        {
            if (primary is not null)
            {
                _primaries.Add(primary);
                _cores.Add(primary.Core);
            }
        }

        Say(changed: true);
    }

    /// <summary>Until when this node's lease is known to last: later nothing is acknowledged and no verdict takes effect.</summary>
    /// <param name="validUntil">Monotonic milliseconds; <see cref="long.MaxValue"/> for a node alone.</param>
    /// <param name="now">Monotonic milliseconds.</param>
    public void SetAuthority(long validUntil, long now)
    {
        _validUntil = validUntil;
        foreach (ShardPrimaryCore primary in _primaries)
        {
            primary.Progress(now, HasAuthority(now));
        }
    }

    /// <summary>
    /// Takes a frame of one of its shards; answered by <see cref="IShardHostEffects.Answer"/>, perhaps before this returns, perhaps when copies have it.
    /// </summary>
    public void Deliver(int shard, ReadOnlySpan<byte> frame, ulong token, long now)
    {
        if (Primary(shard) is not { } primary)
        {
            _effects.Answer(token, Refusal.NotOwner);
            return;
        }

        primary.Deliver(frame, token, now, HasAuthority(now));
        Touch(primary);
    }

    /// <summary>
    /// A message of a peer: <see cref="PeerMessageKind.Replicate"/> or <see cref="PeerMessageKind.Replicated"/>. What makes no sense is ignored.
    /// </summary>
    public void Receive(MemberId from, PeerMessageHeader header, ReadOnlySpan<byte> payload, long now)
    {
        if (header.Kind == PeerMessageKind.Replicate
            && Copy(header.Shard) is { } copy
            && ReplicationItem.TryRead(payload, out ReplicationItemHeader item, out ReadOnlySpan<byte> body))
        {
            bool owed = copy.OwesAnswer;
            copy.Receive(from, header.Id, item, body, now);
            if (copy.OwesAnswer && !owed)
            {
                _owing.Enqueue(copy);
            }
        }
        else if (header.Kind == PeerMessageKind.Replicated
            && Primary(header.Shard) is { } primary
            && ReplicationItem.TryRead(payload, out ReplicationAnswer answer))
        {
            primary.Receive(from, header.Id, answer, now);
            Touch(primary);
        }
        else
        {
            _services.Statistics.IgnoredReplication++;
        }
    }

    /// <summary>
    /// Does what follows from the frames and messages since the last time: entries go to copies, primaries are answered, what is committed is answered and
    /// takes effect. To be called when there is nothing more to take at once, or after enough of it: the more there is, the less each costs. Whatever one
    /// shard throws, the others are left for the next call.
    /// </summary>
    public void EndTurn(long now)
    {
        while (_owing.TryDequeue(out ShardCopyCore? copy))
        {
            if (copy.OwesAnswer)
            {
                copy.Answer();
            }
        }

        bool changed = false;
        bool hasAuthority = HasAuthority(now);
        while (_touched.TryDequeue(out ShardPrimaryCore? primary))
        {
            primary.IsTouched = false;

            // A term may have ended since.
            if (Primary(primary.Core.Id) == primary)
            {
                primary.Progress(now, hasAuthority);
                changed |= primary.HasNews;
            }
        }

        Say(changed);
    }

    /// <summary>The connection to a member was lost and made anew, or lost: what was under way may not have arrived.</summary>
    public void ConnectionChanged(MemberId peer, bool connected, long now)
    {
        if (connected)
        {
            foreach (ShardPrimaryCore primary in _primaries)
            {
                primary.Connected(peer, now);
            }
        }
    }

    /// <summary>
    /// Time has passed: due traces are decided, what is overdue is sent again, slow copies are suspected, and what was written of kept traces is
    /// handed over. To be called every 10 ms or so.
    /// </summary>
    public void Advance(long now)
    {
        _ran += Math.Clamp(now - _lastAdvance, 0, MaxElapsed);
        _lastAdvance = now;
        bool hasAuthority = HasAuthority(now);
        bool changed = false;

        // Each time another shard is first, so that scarce room in the exporters is everyone's in turn.
        _first = _primaries.Count == 0 ? 0 : (_first + 1) % _primaries.Count;
        int groups = _services.Options.KeepWholeFrames ? Math.Clamp(_primaries.Count / ShardsOfAGroup, 1, MostGroups) : 1;
        _group = (_group + 1) % groups;
        for (int i = 0; i < _primaries.Count; i++)
        {
            int at = (_first + i) % _primaries.Count;
            if (at % groups == _group)
            {
                ShardPrimaryCore primary = _primaries[at];
                primary.Advance(_ran - primary.Ran, now, hasAuthority);
                primary.Ran = _ran;
                changed |= primary.HasNews;
            }
        }

        _services.Writer.Flush();
        Say(changed);
    }

    /// <summary>The exporters are done for good with everything that was handed over up to this one.</summary>
    /// <param name="handOver">Number of the hand-over of kept traces, counted by the writer from 1.</param>
    public void Exported(long handOver)
    {
        foreach (ShardPrimaryCore primary in _primaries)
        {
            primary.Exported(handOver);
            Touch(primary);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        for (int shard = 0; shard < _primaryOf.Length; shard++)
        {
            Drop(shard);
        }

        (_primaries, _cores) = ([], []);
        _touched.Clear();
        _owing.Clear();
    }

    private void Touch(ShardPrimaryCore primary)
    {
        if (!primary.IsTouched)
        {
            primary.IsTouched = true;
            _touched.Enqueue(primary);
        }
    }

    private bool HasAuthority(long now) => now < _validUntil;

    private void Apply(int shard, ShardAssignment assignment, long now)
    {
        ShardPrimaryCore? primary = _primaryOf[shard];
        if (assignment.Primary == _self)
        {
            if (primary?.Core.Term == assignment.Term)
            {
                primary.Update(assignment, now, HasAuthority(now));
                return;
            }

            ShardCore? core = null;
            if (primary is not null && !assignment.FromNothing)
            {
                // Promoted back before it read that another was the primary.
                (ShardLog log, DecisionCache decisions) = primary.Demote(now);
                core = ShardCore.Replay(shard, assignment.Term, _services, log, decisions, now);
            }
            else if (_copyOf[shard] is { IsComplete: true } complete && !assignment.FromNothing)
            {
                core = complete.Promote(assignment.Term, now);
            }

            Drop(shard);
            core ??= new ShardCore(shard, assignment.Term, _services, now);
            _primaryOf[shard] = new ShardPrimaryCore(core, assignment, _services, _effects, now) { Ran = _ran };
            return;
        }

        ShardCopy? here = assignment.CopyOn(_self);
        if (here is not null && _copyOf[shard] is { } copy && (copy.Since == here.Since || (copy.IsComplete && !here.IsLearner)))
        {
            // Another stay without having been filled: it was promoted and replaced before it read either.
            copy.Follow(assignment.Term, here.Since);
            return;
        }

        if (here is { IsLearner: false } && primary is not null)
        {
            ShardCopyCore kept = ShardCopyCore.Demote(primary, assignment, here.Since, _services, _effects, now);
            Drop(shard);
            _copyOf[shard] = kept;
            return;
        }

        Drop(shard);
        if (here is not null)
        {
            _copyOf[shard] = new ShardCopyCore(shard, assignment.Term, here.Since, _services, _effects);
        }
    }

    private void Drop(int shard)
    {
        _primaryOf[shard]?.Dispose();
        _copyOf[shard]?.Dispose();
        _primaryOf[shard] = null;
        _copyOf[shard] = null;
    }

    /// <summary>Gathers the reports anew when one may have changed.</summary>
    private void Say(bool changed)
    {
        if (!changed)
        {
            return;
        }

        List<ShardReport> reports = [];
        foreach (ShardPrimaryCore primary in _primaries)
        {
            primary.AddReports(reports);
            primary.HasNews = false;
        }

        if (!reports.SequenceEqual(Reports))
        {
            Reports = reports;
        }
    }
}
