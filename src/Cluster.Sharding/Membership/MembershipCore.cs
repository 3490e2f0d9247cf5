using Cluster.Sharding.Coordination;
using Cluster.Sharding.Store;

namespace Cluster.Sharding.Membership;

/// <summary>
/// What a node says of itself in the store: that it is there, under a lease, and what its primaries report; and until when it may believe that the
/// others think so, too. A synchronous state machine; used by one thread at a time.
/// </summary>
/// <remarks>
/// <code>
///  checking config ──► waiting for the name ──► granting ──► registering ──► registered ──► left
///        │                     │                    ▲                            │
///        └──► rejected ◄───────┘                    └──── the lease has ended ◄──┘   same incarnation
/// </code>
/// Invariants: there is authority only while registered, and only after the allocation was read at or after the revision of the registration; it
/// ends a margin before the lease can, counted from when the last successful keep-alive (or the grant) was sent, by this node's own clock. The
/// record in the store is bound to the lease, so whoever finds it absent knows that authority has ended. Everything else follows from comparing
/// what the view shows with what should be there, at each step.
/// </remarks>
internal sealed class MembershipCore
{
    /// <summary>Keep-alives under way at once: one that hangs must not keep the next one back.</summary>
    private const int MostKeepAlives = 3;

    /// <summary>After keep-alives that failed; milliseconds. Short, since the lease runs.</summary>
    private const long ShortestPause = 100;
    private const long LongestPause = 400;

    private readonly ClusterControlOptions _options;
    private readonly StoreViewCore _view;
    private readonly IClusterControlEffects _effects;
    private readonly long _timeToLive;
    private readonly long _margin;
    private readonly CommitSlot _config;
    private readonly RequestSlot _grant;
    private readonly CommitSlot _record;
    private readonly CommitSlot _reported;
    private readonly RequestSlot _revoke;
    private readonly List<(StoreRequest Request, long SentAt)> _keepAlives = [];
    private Member _self;
    private byte[] _reports;
    private bool _hasReports;
    private bool _configChecked;
    private long _keepAliveDue;
    private long _pause = ShortestPause;
    private long _confirmedAt;
    private long _recordLease;
    private long _registeredAt;
    private long? _nameTakenSince;
    private long? _endedAt;
    private bool _hadAuthority;
    private long? _fencedAt;

    /// <summary>A node that is not a member yet.</summary>
    public MembershipCore(ClusterControlOptions options, Member self, StoreViewCore view, IClusterControlEffects effects)
    {
        _options = options;
        _self = self;
        _reports = StoredDocuments.WriteReports(self.Id, []);
        _view = view;
        _effects = effects;
        _timeToLive = (long)options.LeaseTimeToLive.TotalMilliseconds;
        _margin = (long)options.LeaseMargin.TotalMilliseconds;
        _config = new CommitSlot(view, effects);
        _grant = new RequestSlot(effects);
        _record = new CommitSlot(view, effects);
        _reported = new CommitSlot(view, effects);
        _revoke = new RequestSlot(effects);
    }

    /// <summary>The lease; 0 for none.</summary>
    public long Lease { get; private set; }

    /// <summary>Whether the cluster is of this node's format and size.</summary>
    public bool IsAdmitted => _configChecked && !IsOver;

    /// <summary>Whether the record is in the store, as far as is known.</summary>
    public bool IsRegistered => _registeredAt > 0 && !IsOver;

    /// <summary>Whether this node has left, or was rejected.</summary>
    public bool IsOver { get; private set; }

    /// <summary>Whether nothing is left to be done after <see cref="Leave"/>: the lease is revoked, or has ended by itself.</summary>
    public bool HasLeft { get; private set; }

    /// <summary>Until when the lease is known to last; 0 without authority.</summary>
    public long Authority { get; private set; }

    /// <summary>What the primaries here say: all of it.</summary>
    public void SetReports(IReadOnlyList<ShardReport> reports)
    {
        _reports = StoredDocuments.WriteReports(_self.Id, reports);
        _hasReports = reports.Count > 0;
    }

    /// <summary>From now on the record says that this node is leaving.</summary>
    public void Drain() => _self = _self with { Leaving = true };

    /// <summary>Ends the lease and everything else.</summary>
    public void Leave(long now) => End(now);

    /// <summary>Does what is due.</summary>
    public void Step(long now)
    {
        LookAtFence(now);
        if (IsOver)
        {
            EndLease(now);
        }
        else if (_view.IsRead && CheckConfig(now))
        {
            CheckRecord(now);
            KeepAlive(now);
            if (!WaitForName(now))
            {
                Register(now);
                Report(now);
            }
        }
    }

    /// <summary>Gives authority as far as the lease is known to last; what the view shows must have been published before.</summary>
    public void Authorize(long now)
    {
        if (_registeredAt > 0 && _view.Revision >= _registeredAt)
        {
            SetAuthority(_confirmedAt + _timeToLive - _margin, now);
        }
    }

    /// <summary>Takes the answer to its own request.</summary>
    /// <returns>False when the request was somebody else's.</returns>
    public bool Answered(StoreRequest request, StoreAnswer answer, long now)
    {
        if (request is StoreRequest.KeepAlive)
        {
            AnsweredKeepAlive(request, answer, now);
            return true;
        }

        if (_grant.Takes(request))
        {
            if (answer is StoreAnswer.Granted { Lease: var lease })
            {
                _grant.Succeeded();
                Lease = lease;
                _confirmedAt = _grant.SentAt;
                _keepAliveDue = _grant.SentAt + _timeToLive / 3;
            }
            else
            {
                _grant.Failed(now);
            }

            return true;
        }

        if (_revoke.Takes(request))
        {
            if (answer is StoreAnswer.Revoked)
            {
                Lease = 0;
            }
            else
            {
                _revoke.Failed(now);
            }

            return true;
        }

        if (_record.Answered(request, answer, now, out long revision))
        {
            if (revision > 0 && _recordLease == Lease && _registeredAt == 0)
            {
                _registeredAt = revision;
            }

            return true;
        }

        return _config.Answered(request, answer, now, out _) || _reported.Answered(request, answer, now, out _);
    }

    private void AnsweredKeepAlive(StoreRequest request, StoreAnswer answer, long now)
    {
        int index = _keepAlives.FindIndex(keepAlive => ReferenceEquals(keepAlive.Request, request));
        if (index < 0)
        {
            // Of a lease that was given up.
            return;
        }

        long sentAt = _keepAlives[index].SentAt;
        _keepAlives.RemoveAt(index);
        switch (answer)
        {
            case StoreAnswer.KeptAlive { Alive: true }:
                _pause = ShortestPause;
                _confirmedAt = Math.Max(_confirmedAt, sentAt);
                break;
            case StoreAnswer.KeptAlive:
                LoseLease(now);
                break;
            default:
                _keepAliveDue = Math.Min(_keepAliveDue, now + _pause);
                _pause = Math.Min(2 * _pause, LongestPause);
                break;
        }
    }

    /// <summary>Whether the cluster is one that this node can be in. Once it was, nobody asks again.</summary>
    private bool CheckConfig(long now)
    {
        if (_configChecked)
        {
            return true;
        }

        if (_view.Config is not { } entry)
        {
            if (_config.IsFree(now))
            {
                _config.Send(StoreKeys.Config, 0, StoredDocuments.WriteConfig(_options.ShardCount), 0, now);
            }

            return false;
        }

        string? problem = StoredDocuments.ReadConfig(entry.Value) switch
        {
            null => $"what the store has under '{StoreKeys.Config}' is not a cluster's configuration: is the prefix another program's?",
            { Format: var format } when format != StoredDocuments.Format =>
                $"the cluster is of format {format}, and this program knows {StoredDocuments.Format}: run the version that the other nodes run",
            { Shards: var shards } when shards != _options.ShardCount =>
                $"the cluster has {shards} shards, and this node is configured for {_options.ShardCount}: set cluster.shards to {shards}",
            _ => null,
        };
        _configChecked = problem is null;
        if (problem is not null)
        {
            Reject(problem, now);
        }

        return _configChecked;
    }

    /// <summary>Finds out whether the record is there, or is no longer there.</summary>
    private void CheckRecord(long now)
    {
        if (Lease == 0)
        {
            return;
        }

        bool isThere = _view.FindMember(_self.Id.Node) is { } entry && entry.Lease == Lease && entry.Member?.Id == _self.Id;
        if (isThere && _registeredAt == 0)
        {
            // The commit was taken for failed.
            _registeredAt = _view.Revision;
        }
        else if (!isThere && _registeredAt > 0 && _view.Revision >= _registeredAt)
        {
            LoseLease(now);
        }
    }

    private void KeepAlive(long now)
    {
        if (Lease != 0 && now >= _keepAliveDue && _keepAlives.Count < MostKeepAlives)
        {
            StoreRequest.KeepAlive request = new(Lease);
            _keepAlives.Add((request, now));
            _keepAliveDue = now + _timeToLive / 3;
            _effects.Request(request);
        }
    }

    /// <summary>Whether somebody else is registered under this node's name.</summary>
    private bool WaitForName(long now)
    {
        if (_view.FindMember(_self.Id.Node) is not { } entry || entry.Member?.Id == _self.Id)
        {
            _nameTakenSince = null;
            return false;
        }

        _nameTakenSince ??= now;
        long end = _nameTakenSince.Value + 3 * _timeToLive;
        if (now >= end && _view.ListedAt < end)
        {
            // What is shown may be as old as the last time the store answered.
            _view.Refresh();
        }
        else if (now >= end)
        {
            string holder = entry.Member is { } member ? $"the node at {member.Address}" : "somebody whose record cannot be read";
            Reject($"the name '{_self.Id.Node}' is taken by {holder}, which is alive: set cluster.node.id to another", now);
        }

        return true;
    }

    /// <summary>Has the record in the store be what it should be.</summary>
    private void Register(long now)
    {
        if (Lease == 0)
        {
            if (_grant.IsFree(now))
            {
                _grant.Send(new StoreRequest.Grant(_options.LeaseTimeToLive), now);
            }

            return;
        }

        MemberEntry? entry = _view.FindMember(_self.Id.Node);
        bool isRight = entry is not null && entry.Lease == Lease && entry.Member?.Leaving == _self.Leaving;
        if (!isRight && _record.IsFree(now))
        {
            _recordLease = Lease;
            _record.Send(StoreKeys.Member(_self.Id.Node), entry?.ModifyRevision ?? 0, StoredDocuments.WriteMember(_self), Lease, now);
        }
    }

    /// <summary>Has the reports in the store be what they should be.</summary>
    private void Report(long now)
    {
        if (!IsRegistered || !_reported.IsFree(now))
        {
            return;
        }

        ReportsEntry? entry = _view.FindReports(_self.Id.Node);
        bool isRight = entry is null ? !_hasReports : entry.Lease == Lease && entry.Value.Span.SequenceEqual(_reports);
        if (!isRight && (_hasReports || entry is not null))
        {
            _reported.Send(StoreKeys.ReportsOf(_self.Id.Node), entry?.ModifyRevision ?? 0, _reports, Lease, now);
        }
    }

    private void LoseLease(long now)
    {
        Lease = 0;
        _registeredAt = 0;
        _keepAlives.Clear();
        SetAuthority(0, now);
        _view.Refresh();
    }

    private void Reject(string problem, long now)
    {
        End(now);
        _effects.Reject(problem);
    }

    private void End(long now)
    {
        if (!IsOver)
        {
            IsOver = true;
            _endedAt = now;
            SetAuthority(0, now);
        }
    }

    private void EndLease(long now)
    {
        if (HasLeft)
        {
            return;
        }

        // A lease that cannot be revoked ends by itself.
        HasLeft = (Lease == 0 && !_grant.IsPending) || now - _endedAt >= _timeToLive;
        if (!HasLeft && Lease != 0 && _revoke.IsFree(now))
        {
            _revoke.Send(new StoreRequest.Revoke(Lease), now);
        }
    }

    private void SetAuthority(long validUntil, long now)
    {
        if (validUntil != Authority)
        {
            // What is replaced may have ended already.
            LookAtFence(now);
            Authority = validUntil;
            _effects.SetAuthority(validUntil);
            LookAtFence(now);
        }
    }

    /// <summary>Says when there is authority no more, and when there is again; whoever leaves, or never had it, is not fenced.</summary>
    private void LookAtFence(long now)
    {
        if (IsOver)
        {
            return;
        }

        if (now < Authority)
        {
            _hadAuthority = true;
            if (_fencedAt is { } since)
            {
                _fencedAt = null;
                _effects.Unfenced(now - since);
            }
        }
        else if (_hadAuthority && _fencedAt is null)
        {
            _fencedAt = Authority > 0 ? Authority : now;
            _effects.Fenced();
        }
    }
}
