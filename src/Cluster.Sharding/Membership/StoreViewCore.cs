using Cluster.Messages.Sharding;
using Cluster.Sharding.Store;

namespace Cluster.Sharding.Membership;

/// <summary>
/// The cluster's facts as a node last read them: everything under the cluster's prefix at one revision, kept up by a watch. A synchronous state
/// machine; used by one thread at a time.
/// </summary>
/// <remarks>
/// States: not read yet; read. Invariants: <see cref="Revision"/> never falls, and what is shown is what the store had at that revision; an older
/// list or change is passed over. <see cref="Allocation"/> never goes back to a lower version, whatever is written in the store. A value that cannot
/// be read changes nothing but the revision of its key.
/// </remarks>
internal sealed class StoreViewCore
{
    /// <summary>How long the watch may take to show what was written, before everything is listed anew.</summary>
    private const long WatchPatience = 1000;

    private readonly int _shardCount;
    private readonly long _silence;
    private readonly IClusterControlEffects _effects;
    private readonly RequestSlot _list;
    private readonly Dictionary<string, MemberEntry> _members = [];
    private readonly Dictionary<string, ReportsEntry> _reports = [];
    private bool _mustList = true;
    private bool _changed;
    private bool _membersChanged;
    private long _heardAt;
    private long _awaited;
    private long _awaitedSince;

    /// <summary>Nothing read yet.</summary>
    /// <param name="shardCount">Shards in the cluster: an allocation of another number is none.</param>
    /// <param name="silence">After so many milliseconds without a change everything is listed, in case the watch has broken unnoticed.</param>
    /// <param name="effects">Where requests go.</param>
    public StoreViewCore(int shardCount, long silence, IClusterControlEffects effects)
    {
        _shardCount = shardCount;
        _silence = silence;
        _effects = effects;
        _list = new RequestSlot(effects);
        Allocation = ShardAllocation.Unowned(shardCount);
    }

    /// <summary>Whether anything was read yet.</summary>
    public bool IsRead { get; private set; }

    /// <summary>When the last list that was answered was asked for: what is shown is at least as new. Monotonic milliseconds.</summary>
    public long ListedAt { get; private set; } = long.MinValue;

    /// <summary>The store's revision that is shown.</summary>
    public long Revision { get; private set; }

    /// <summary>Under <see cref="StoreKeys.Config"/>; null when there is none.</summary>
    public StoreEntry? Config { get; private set; }

    /// <summary>Everyone whose record can be read, by node name.</summary>
    public IReadOnlyList<Member> Members { get; private set; } = [];

    /// <summary>Names of nodes whose records are there and cannot be read.</summary>
    public IReadOnlySet<string> Unknown { get; private set; } = new HashSet<string>();

    /// <summary>Who allocates; nobody when the key is not there or cannot be read.</summary>
    public MemberId Coordinator { get; private set; }

    /// <summary>When <see cref="StoreKeys.Coordinator"/> last changed; 0 when it is not there.</summary>
    public long CoordinatorRevision { get; private set; }

    /// <summary>The last allocation that could be read; version 0 before the first.</summary>
    public ShardAllocation Allocation { get; private set; }

    /// <summary>When <see cref="StoreKeys.Allocation"/> last changed; 0 when it is not there.</summary>
    public long AllocationRevision { get; private set; }

    /// <summary>Whether <see cref="Allocation"/> is what is in the store, not what once was there.</summary>
    public bool AllocationIsStored { get; private set; } = true;

    /// <summary>The reports of all nodes that have any.</summary>
    public IEnumerable<StoredReports> Reports => _reports.Values.Select(entry => entry.Reports).OfType<StoredReports>();

    /// <summary>The record of a node; null when there is none.</summary>
    public MemberEntry? FindMember(string node) => _members.GetValueOrDefault(node);

    /// <summary>The reports of a node; null when there are none.</summary>
    public ReportsEntry? FindReports(string node) => _reports.GetValueOrDefault(node);

    /// <summary>What is shown may be old, since a request built on it failed: everything is listed anew.</summary>
    public void Refresh() => _mustList = true;

    /// <summary>Something was written at a revision: if the watch does not show it soon, everything is listed.</summary>
    public void Await(long revision, long now)
    {
        if (revision > _awaited)
        {
            _awaited = revision;
            _awaitedSince = now;
        }
    }

    /// <summary>Whether members, coordinator or allocation have changed since this was last asked.</summary>
    public bool TakeChanged()
    {
        bool changed = _changed;
        _changed = false;
        return changed;
    }

    /// <summary>Lists when that is due.</summary>
    public void Step(long now)
    {
        if (_awaited > Revision && now - _awaitedSince >= WatchPatience)
        {
            _awaitedSince = now;
            _mustList = true;
        }

        if (IsRead && now - _heardAt >= _silence)
        {
            _heardAt = now;
            _mustList = true;
        }

        if (_mustList && _list.IsFree(now))
        {
            _mustList = false;
            _list.Send(new StoreRequest.List(""), now);
        }
    }

    /// <summary>Takes the answer to its own request.</summary>
    /// <returns>False when the request was somebody else's.</returns>
    public bool Answered(StoreRequest request, StoreAnswer answer, long now)
    {
        if (!_list.Takes(request))
        {
            return false;
        }

        if (answer is StoreAnswer.Listed { Snapshot: { } snapshot })
        {
            _list.Succeeded();
            ListedAt = _list.SentAt;
            _heardAt = now;
            if (!IsRead || snapshot.Revision > Revision)
            {
                Replace(snapshot);
                _effects.Watch("", Revision);
            }
        }
        else
        {
            _list.Failed(now);
            _mustList = true;
        }

        return true;
    }

    /// <summary>Takes what the watch says.</summary>
    public void Changed(StoreChanges changes, long now)
    {
        _heardAt = now;
        if (!IsRead)
        {
            return;
        }

        if (changes.Snapshot is { } snapshot)
        {
            if (snapshot.Revision > Revision)
            {
                Replace(snapshot);
            }
        }
        else if (changes.Revision > Revision)
        {
            foreach (string key in changes.Deleted)
            {
                Delete(key);
            }

            foreach (StoreEntry entry in changes.Put)
            {
                Put(entry);
            }

            Revision = changes.Revision;
            ListMembers();
        }
    }

    private void Replace(StoreSnapshot snapshot)
    {
        HashSet<string> keys = [.. snapshot.Entries.Select(entry => entry.Key)];
        List<string> gone = [.. _members.Keys.Select(StoreKeys.Member), .. _reports.Keys.Select(StoreKeys.ReportsOf)];
        gone.Add(StoreKeys.Config);
        gone.Add(StoreKeys.Coordinator);
        gone.Add(StoreKeys.Allocation);
        gone.RemoveAll(keys.Contains);
        gone.ForEach(Delete);
        foreach (StoreEntry entry in snapshot.Entries)
        {
            Put(entry);
        }

        _changed |= !IsRead;
        IsRead = true;
        Revision = snapshot.Revision;
        ListMembers();
    }

    private void Put(StoreEntry entry)
    {
        switch (entry.Key)
        {
            case StoreKeys.Config:
                Config = entry;
                break;
            case StoreKeys.Coordinator:
                if (entry.ModifyRevision != CoordinatorRevision)
                {
                    Coordinator = StoredDocuments.ReadCoordinator(entry.Value);
                    CoordinatorRevision = entry.ModifyRevision;
                    _changed = true;
                }

                break;
            case StoreKeys.Allocation:
                PutAllocation(entry);
                break;
            default:
                if (NodeOf(entry.Key, StoreKeys.Members) is { } node)
                {
                    PutMember(node, entry);
                }
                else if (NodeOf(entry.Key, StoreKeys.Reports) is { } reporter && FindReports(reporter)?.ModifyRevision != entry.ModifyRevision)
                {
                    _reports[reporter] = new ReportsEntry(
                        StoredDocuments.ReadReports(reporter, entry.Value), entry.Value, entry.ModifyRevision, entry.Lease);
                }

                break;
        }
    }

    private void Delete(string key)
    {
        switch (key)
        {
            case StoreKeys.Config:
                Config = null;
                break;
            case StoreKeys.Coordinator:
                _changed |= !Coordinator.IsNone;
                Coordinator = default;
                CoordinatorRevision = 0;
                break;
            case StoreKeys.Allocation:
                AllocationRevision = 0;
                AllocationIsStored = Allocation.Version == 0;
                break;
            default:
                if (NodeOf(key, StoreKeys.Members) is { } node)
                {
                    _membersChanged |= _members.Remove(node);
                }
                else if (NodeOf(key, StoreKeys.Reports) is { } reporter)
                {
                    _reports.Remove(reporter);
                }

                break;
        }
    }

    private void PutMember(string node, StoreEntry entry)
    {
        if (FindMember(node)?.ModifyRevision != entry.ModifyRevision)
        {
            _members[node] = new MemberEntry(StoredDocuments.ReadMember(node, entry.Value), entry.ModifyRevision, entry.Lease);
            _membersChanged = true;
        }
    }

    private void PutAllocation(StoreEntry entry)
    {
        if (entry.ModifyRevision == AllocationRevision)
        {
            return;
        }

        AllocationRevision = entry.ModifyRevision;
        ShardAllocation? allocation = StoredDocuments.ReadAllocation(entry.Value, _shardCount);
        AllocationIsStored = allocation is not null && allocation.Version >= Allocation.Version;
        if (AllocationIsStored)
        {
            Allocation = allocation!;
            _changed = true;
        }
    }

    private void ListMembers()
    {
        if (_membersChanged)
        {
            _membersChanged = false;
            _changed = true;
            Members = [.. _members.Values
                .Select(entry => entry.Member)
                .OfType<Member>()
                .OrderBy(member => member.Id.Node, StringComparer.Ordinal)];
            Unknown = _members.Where(entry => entry.Value.Member is null).Select(entry => entry.Key).ToHashSet();
        }
    }

    private static string? NodeOf(string key, string prefix) =>
        key.Length > prefix.Length && key.StartsWith(prefix, StringComparison.Ordinal) ? key[prefix.Length..] : null;
}

/// <summary>A node's record as it was read.</summary>
/// <param name="Member">Null when it cannot be read: somebody is there, but nobody knows who.</param>
/// <param name="ModifyRevision">When it last changed.</param>
/// <param name="Lease">What it is bound to.</param>
internal sealed record MemberEntry(Member? Member, long ModifyRevision, long Lease);

/// <summary>A node's reports as they were read.</summary>
/// <param name="Reports">Null when they cannot be read.</param>
/// <param name="Value">The bytes.</param>
/// <param name="ModifyRevision">When they last changed.</param>
/// <param name="Lease">What they are bound to.</param>
internal sealed record ReportsEntry(StoredReports? Reports, ReadOnlyMemory<byte> Value, long ModifyRevision, long Lease);
