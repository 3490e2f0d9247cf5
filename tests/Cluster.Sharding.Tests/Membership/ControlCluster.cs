using Cluster.Messages.Sharding;
using Cluster.Sharding.Coordination;
using Cluster.Sharding.Membership;
using Cluster.Sharding.Store;

namespace Cluster.Sharding.Tests.Membership;

/// <summary>
/// Nodes' control cores over one store, in one thread and one time. Their shards' data planes are replaced by one that reports every learner
/// caught up, and every stale copy released. What is never allowed is checked at each step.
/// </summary>
internal sealed class ControlCluster
{
    private const int StepMilliseconds = 10;

    private readonly Dictionary<(int Shard, uint Term), MemberId> _owners = [];

    private HashSet<MemberId> _members = [];
    private long _membersRevision;

    public ControlCluster(int shards = 8, int replicas = 1, int history = StoreCore.DefaultHistory)
    {
        Store = new StoreCore(history);
        Options = new ClusterControlOptions
        {
            ShardCount = shards,
            Replicas = replicas,
            LeaseTimeToLive = TimeSpan.FromSeconds(5),
            LeaseMargin = TimeSpan.FromSeconds(1),
            MovesInFlight = 4,
        };
    }

    public StoreCore Store { get; }

    public ClusterControlOptions Options { get; }

    public long Now { get; private set; }

    public List<ControlNode> Nodes { get; } = [];

    /// <summary>The allocation in the store.</summary>
    public ShardAllocation Allocation => StoredDocuments.ReadAllocation(
        Assert.Single(Store.List(StoreKeys.Allocation).Entries).Value, Options.ShardCount)!;

    /// <summary>Who coordinates, by the store.</summary>
    public MemberId Coordinator => Store.List(StoreKeys.Coordinator).Entries is [var entry]
        ? StoredDocuments.ReadCoordinator(entry.Value)
        : default;

    public ControlNode Start(string name, ulong incarnation = 1, Func<ClusterControlOptions, ClusterControlOptions>? configure = null)
    {
        ControlNode node = new(this, new Member(new MemberId(name, incarnation), $"{name}:4320"), configure?.Invoke(Options) ?? Options);
        Nodes.Add(node);
        node.Core.Start(Now);
        return node;
    }

    public void Run(double seconds, bool checkAuthority = true)
    {
        for (long until = Now + (long)(seconds * 1000); Now < until;)
        {
            Step(checkAuthority);
        }
    }

    public void RunUntil(Func<bool> condition, double seconds = 60, string what = "what should be so", bool checkAuthority = true)
    {
        for (long until = Now + (long)(seconds * 1000); !condition(); Step(checkAuthority))
        {
            Assert.True(Now < until, $"not within {seconds} s: {what}");
        }
    }

    /// <summary>Puts a value as somebody else would.</summary>
    public void Put(string key, string value, long lease = 0) => Assert.NotNull(
        Store.Commit(new StoreTransaction([], [new StorePut(key, System.Text.Encoding.UTF8.GetBytes(value), lease)], [])));

    /// <summary>Whether every shard has a live primary, a copy in sync on another live member, and nothing else.</summary>
    public bool IsSettled(int copies = 1)
    {
        if (Store.List(StoreKeys.Allocation).Entries.Count == 0)
        {
            return false;
        }

        ShardAllocation allocation = Allocation;
        return Enumerable.Range(0, allocation.ShardCount).All(i => IsAlive(allocation[i].Primary)
            && allocation[i].Replicas.Count == copies
            && allocation[i].Replicas.All(copy => copy.InSync && IsAlive(copy.Member)));
    }

    public int PrimariesOf(ControlNode node) =>
        Enumerable.Range(0, Options.ShardCount).Count(i => Allocation[i].Primary == node.Id);

    public int CopiesOf(ControlNode node) =>
        Enumerable.Range(0, Options.ShardCount).Count(i => Allocation[i].CopyOn(node.Id) is not null);

    private bool IsAlive(MemberId id) => Nodes.Any(node => node.Id == id);

    private void Step(bool checkAuthority)
    {
        Now += StepMilliseconds;
        Store.Advance(Now);
        foreach (ControlNode node in Nodes.ToArray())
        {
            node.Step();
        }

        Check(checkAuthority);
    }

    /// <summary>Of each shard and term there is one owner ever, and of each shard one with authority at a time.</summary>
    /// <param name="checkAuthority">Not when a test ends a lease that a node has every reason to believe in.</param>
    private void Check(bool checkAuthority)
    {
        if (Store.Revision != _membersRevision)
        {
            _membersRevision = Store.Revision;
            _members = [.. Store.List(StoreKeys.Members).Entries
                .Select(entry => StoredDocuments.ReadMember(entry.Key[StoreKeys.Members.Length..], entry.Value)?.Id ?? default)];
        }

        foreach (ControlNode node in Nodes)
        {
            if (checkAuthority && node.Core.Authority > Now)
            {
                Assert.Contains(node.Id, _members);
            }

            for (int i = 0; i < Options.ShardCount && node.Core.Snapshot != node.Checked; i++)
            {
                ShardAssignment shard = node.Core.Snapshot.Allocation[i];
                if (!shard.Primary.IsNone && !_owners.TryAdd((i, shard.Term), shard.Primary))
                {
                    Assert.Equal(_owners[(i, shard.Term)], shard.Primary);
                }
            }

            node.Checked = node.Core.Snapshot;
        }
    }
}

/// <summary>A node of a <see cref="ControlCluster"/>, with its way to the store.</summary>
internal sealed class ControlNode : IClusterControlEffects
{
    private readonly ControlCluster _cluster;
    private readonly List<(long Due, Action Action)> _due = [];
    private long? _watched;
    private long _watchDue;
    private long _tickDue;
    private IReadOnlyList<ShardReport> _reports = [];

    public ControlNode(ControlCluster cluster, Member self, ClusterControlOptions options)
    {
        _cluster = cluster;
        Id = self.Id;
        Core = new ClusterControlCore(options, self, this);
    }

    public MemberId Id { get; }

    public ClusterControlCore Core { get; }

    public List<ClusterSnapshot> Published { get; } = [];

    public List<long> Authorities { get; } = [];

    /// <summary>When it said that it has fenced itself, and when it said that this is over, after how long.</summary>
    public List<(long At, long? After)> Fences { get; } = [];

    /// <summary>What the cluster has looked at.</summary>
    public ClusterSnapshot? Checked { get; set; }

    public string? Rejection { get; private set; }

    public List<StoreRequest> Requests { get; } = [];

    /// <summary>No time passes for it.</summary>
    public bool IsPaused { get; set; }

    /// <summary>Every request fails after a while, and the watch says nothing.</summary>
    public bool IsCutOff { get; set; }

    /// <summary>How long a request takes to fail while cut off; milliseconds.</summary>
    public long FailsAfter { get; set; } = 1000;

    /// <summary>No request is answered, nor fails, while this holds.</summary>
    public bool Hangs { get; set; }

    /// <summary>The watch says nothing, and lists are not answered; everything else is.</summary>
    public bool IsDeaf { get; set; }

    /// <summary>Whether a request that was carried out is answered as failed.</summary>
    public Func<bool> LosesAnswer { get; set; } = () => false;

    /// <summary>How long a request takes to the store, and an answer or a change back; milliseconds.</summary>
    public Func<long> Delay { get; set; } = () => 2;

    /// <summary>Says that every learner of its shards has caught up.</summary>
    public bool Fills { get; set; } = true;

    public void Kill() => _cluster.Nodes.Remove(this);

    public void Step()
    {
        if (IsPaused)
        {
            return;
        }

        long now = _cluster.Now;
        foreach ((long due, Action action) in _due.Where(item => item.Due <= now).OrderBy(item => item.Due).ToArray())
        {
            _due.Remove((due, action));
            action();
        }

        if (_watched is { } revision && !IsCutOff && !IsDeaf && now >= _watchDue)
        {
            _watchDue = now + Delay();
            _watched = Math.Max(revision, _cluster.Store.Revision);
            foreach (StoreChanges changes in _cluster.Store.ChangesAfter(revision, ""))
            {
                Core.Changed(changes, now);
            }
        }

        if (now >= _tickDue)
        {
            _tickDue = now + 100;
            Report();
            Core.Advance(now);
        }
    }

    void IClusterControlEffects.Request(StoreRequest request)
    {
        Requests.Add(request);
        long sent = _cluster.Now;
        if (IsCutOff)
        {
            _due.Add((sent + FailsAfter, () => Core.Answered(request, new StoreAnswer.Failed("cut off"), _cluster.Now)));
            return;
        }

        _due.Add((sent + Delay(), () => Carry(request)));
    }

    void IClusterControlEffects.Watch(string prefix, long afterRevision) => _watched = afterRevision;

    void IClusterControlEffects.Publish(ClusterSnapshot snapshot)
    {
        Assert.True(Published.Count == 0 || snapshot.Allocation.Version >= Published[^1].Allocation.Version, "it went back");
        Published.Add(snapshot);
    }

    void IClusterControlEffects.SetAuthority(long validUntil) => Authorities.Add(validUntil);

    void IClusterControlEffects.Fenced() => Fences.Add((_cluster.Now, null));

    void IClusterControlEffects.Unfenced(long milliseconds) => Fences.Add((_cluster.Now, milliseconds));

    void IClusterControlEffects.Reject(string problem)
    {
        Assert.Null(Rejection);
        Rejection = problem;
    }

    private void Carry(StoreRequest request)
    {
        if (Hangs || (IsDeaf && request is StoreRequest.List))
        {
            _due.Add((_cluster.Now + 1, () => Carry(request)));
            return;
        }

        StoreAnswer answer;
        try
        {
            answer = request switch
            {
                StoreRequest.List(var prefix) => new StoreAnswer.Listed(_cluster.Store.List(prefix)),
                StoreRequest.Commit(var transaction) => new StoreAnswer.Committed(_cluster.Store.Commit(transaction)),
                StoreRequest.Grant(var timeToLive) => new StoreAnswer.Granted(
                    _cluster.Store.Grant((long)timeToLive.TotalMilliseconds, _cluster.Now)),
                StoreRequest.KeepAlive(var lease) => new StoreAnswer.KeptAlive(_cluster.Store.KeepAlive(lease, _cluster.Now)),
                StoreRequest.Revoke(var lease) => Revoke(lease),
                _ => throw new InvalidOperationException(),
            };
        }
        catch (ClusterStoreException exception)
        {
            answer = new StoreAnswer.Failed(exception.Message);
        }

        answer = LosesAnswer() ? new StoreAnswer.Failed("lost") : answer;
        _due.Add((_cluster.Now + Delay(), () => Core.Answered(request, answer, _cluster.Now)));
    }

    private StoreAnswer.Revoked Revoke(long lease)
    {
        _cluster.Store.Revoke(lease, _cluster.Now);
        return new StoreAnswer.Revoked();
    }

    private void Report()
    {
        ShardAllocation allocation = Core.Snapshot.Allocation;
        ShardReport[] reports = [.. Enumerable.Range(0, allocation.ShardCount)
            .Where(i => Fills && allocation[i].Primary == Id)
            .SelectMany(i => allocation[i].Replicas
                .Where(copy => copy.IsStale || (copy.IsLearner && Core.Snapshot.Find(copy.Member) is not null))
                .Select(copy => new ShardReport(
                    i, allocation[i].Term, copy.Member, copy.Since, copy.IsStale ? CopyState.Released : CopyState.CaughtUp)))];
        if (!reports.SequenceEqual(_reports))
        {
            _reports = reports;
            Core.SetReports(reports, _cluster.Now);
        }
    }
}
