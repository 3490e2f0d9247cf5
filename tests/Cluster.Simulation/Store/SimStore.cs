using Cluster.Sharding.Membership;
using Cluster.Sharding.Store;
using Cluster.Simulation.Engine;
using Cluster.Simulation.Nodes;

namespace Cluster.Simulation.Store;

/// <summary>
/// The store as nodes reach it: requests and answers take time, get lost where a node is cut off, and what was asked may have happened although no
/// answer came, or happen after the asker has given up. Watches follow behind, and go on where they were.
/// </summary>
internal sealed class SimStore
{
    /// <summary>After how long a request without an answer has failed.</summary>
    private const long Timeout = Scheduler.Second;

    private readonly Scheduler _scheduler;
    private readonly SimRandom _random;
    private readonly EventLog _log;
    private readonly StoreCore _core;
    private readonly int[] _cuts;
    private readonly long[] _reportDelays;
    private readonly List<StoreWatch> _watches = [];
    private readonly Dictionary<long, SimProcess> _owners = [];
    private readonly Dictionary<string, long> _memberLeases = [];
    private long _downSince = -1;
    private long _stopped;
    private long _seen;
    private long _armed = long.MaxValue;

    /// <summary>An empty store that everyone reaches.</summary>
    public SimStore(Scheduler scheduler, SimRandom random, EventLog log, int nodes)
    {
        (_scheduler, _random, _log) = (scheduler, random, log);
        _core = new StoreCore(history: random.Chance(50) ? 8 : 256);
        _cuts = new int[nodes];
        _reportDelays = new long[nodes];
    }

    /// <summary>Called after every change, with the store as it now is: the truth.</summary>
    public Action<StoreSnapshot> Changed { get; set; } = static _ => { };

    /// <summary>Replaces a request on its way, for mutations.</summary>
    public Func<StoreRequest, StoreRequest> Tamper { get; set; } = static request => request;

    /// <summary>How many of a hundred requests fail, before or after they took effect.</summary>
    public double Flakiness { get; set; }

    /// <summary>Usual time of a way, microseconds.</summary>
    public long UsualDelay { get; set; } = 800;

    /// <summary>Requests that would change something.</summary>
    public long Requests { get; private set; }

    /// <summary>When the last of them was sent, and what it was.</summary>
    public (long Time, string Text) LastRequest { get; private set; }

    private long StoreTime => ((_downSince >= 0 ? _downSince : _scheduler.Now) - _stopped) / Scheduler.Millisecond;

    /// <summary>Whether it runs.</summary>
    public bool IsUp => _downSince < 0;

    /// <summary>Added to the time of each way, microseconds.</summary>
    public long ExtraDelay { get; set; }

    /// <summary>Whether a node reaches it.</summary>
    public bool IsReachable(SimNode node) => _downSince < 0 && _cuts[node.Index] == 0;

    /// <summary>Cuts a node off, or heals one cut: cuts are counted.</summary>
    public void Cut(SimNode node, bool cut)
    {
        _cuts[node.Index] += cut ? 1 : -1;
        PumpAll();
    }

    /// <summary>What a node reports of copies comes so much later, microseconds.</summary>
    public void DelayReports(SimNode node, long by) => _reportDelays[node.Index] = by;

    /// <summary>Stops it for everyone: time stops for leases, too, as it does in etcd without a leader.</summary>
    public void Stop() => _downSince = _scheduler.Now;

    /// <summary>Goes on, with what it had.</summary>
    /// <param name="forgiving">Leases last on by as much as it was stopped; otherwise many of them end now.</param>
    public void Resume(bool forgiving)
    {
        _stopped += forgiving ? _scheduler.Now - _downSince : 0;
        _downSince = -1;
        _core.Advance(StoreTime);
        AfterChange();
        PumpAll();
    }

    /// <summary>Whether a process's member record stands under a lease of its own: the truth that it cannot know.</summary>
    public bool HoldsLease(SimProcess process) =>
        _memberLeases.TryGetValue(process.Node.Name, out long lease) && _owners.TryGetValue(lease, out SimProcess? owner) && owner == process;

    /// <summary>Asks for a process, and answers it.</summary>
    public void Ask(SimProcess process, StoreRequest request)
    {
        if (request is not (StoreRequest.KeepAlive or StoreRequest.List))
        {
            Requests++;
            LastRequest = (_scheduler.Now, $"{process.Name} {request.GetType().Name}");
        }

        long asked = _scheduler.Now;
        _log.Write($"{process.Name} asks the store: {Describe(request)}");
        if (!IsReachable(process.Node) && !_random.Chance(10))
        {
            Fail(process, request, asked + (_random.Chance(50) ? Timeout : _random.Delay(2000)));
            return;
        }

        bool lostBefore = _random.Chance(Flakiness / 2);
        bool lostAfter = _random.Chance(Flakiness / 2);
        bool late = !IsReachable(process.Node);
        long delay = late ? _random.Between(1, 5000) * Scheduler.Millisecond : _random.Delay(UsualDelay) + ExtraDelay;
        delay += IsReport(request) ? _reportDelays[process.Node.Index] : 0;
        _scheduler.After(delay, () =>
        {
            if (lostBefore || !IsReachable(process.Node))
            {
                Fail(process, request, asked + Timeout);
                return;
            }

            StoreAnswer answer = Apply(process, Tamper(request));
            AfterChange();
            long back = _scheduler.Now + _random.Delay(UsualDelay) + ExtraDelay;
            _scheduler.At(back, () =>
            {
                if (lostAfter || !IsReachable(process.Node) || back >= asked + Timeout)
                {
                    Fail(process, request, asked + Timeout);
                    return;
                }

                process.Post(0, () =>
                {
                    _log.Write($"{process.Name} hears of {Describe(request)}: {Describe(answer)}");
                    process.StoreAnswered(request, answer);
                });
            });
        });
    }

    /// <summary>Ends the watch of a process there may be, and begins one.</summary>
    public void Watch(SimProcess process, string prefix, long afterRevision)
    {
        _watches.RemoveAll(watch => watch.Process == process);
        StoreWatch watch = new(process, prefix) { Sent = afterRevision, Delivered = afterRevision };
        _watches.Add(watch);
        Pump(watch);
    }

    /// <summary>A process is gone: nobody watches for it.</summary>
    public void Forget(SimProcess process) => _watches.RemoveAll(watch => watch.Process == process);

    private static bool IsReport(StoreRequest request) =>
        request is StoreRequest.Commit commit && commit.Transaction.Puts.Any(put => put.Key.StartsWith(StoreKeys.Reports, StringComparison.Ordinal));

    private StoreAnswer Apply(SimProcess process, StoreRequest request)
    {
        _core.Advance(StoreTime);
        try
        {
            switch (request)
            {
                case StoreRequest.List list:
                    return new StoreAnswer.Listed(_core.List(list.Prefix));
                case StoreRequest.Commit commit:
                    return new StoreAnswer.Committed(_core.Commit(commit.Transaction));
                case StoreRequest.Grant grant:
                    long lease = _core.Grant((long)grant.TimeToLive.TotalMilliseconds, StoreTime);
                    _owners.Add(lease, process);
                    return new StoreAnswer.Granted(lease);
                case StoreRequest.KeepAlive keep:
                    return new StoreAnswer.KeptAlive(_core.KeepAlive(keep.Lease, StoreTime));
                case StoreRequest.Revoke revoke:
                    _core.Revoke(revoke.Lease, StoreTime);
                    return new StoreAnswer.Revoked();
                default:
                    throw new InvalidOperationException($"What is {request}?");
            }
        }
        catch (ClusterStoreException e)
        {
            return new StoreAnswer.Failed(e.Message);
        }
    }

    private void Fail(SimProcess process, StoreRequest request, long when) => process.PostAt(when, () =>
    {
        _log.Write($"{process.Name} hears nothing of {Describe(request)}");
        process.StoreAnswered(request, new StoreAnswer.Failed("no answer"));
    });

    private void AfterChange()
    {
        if (_core.Revision != _seen)
        {
            _seen = _core.Revision;
            StoreSnapshot snapshot = _core.List("");
            _memberLeases.Clear();
            foreach (StoreEntry entry in snapshot.Entries)
            {
                if (entry.Key.StartsWith(StoreKeys.Members, StringComparison.Ordinal))
                {
                    _memberLeases.Add(entry.Key[StoreKeys.Members.Length..], entry.Lease);
                }
            }

            Changed(snapshot);
            PumpAll();
        }

        Arm();
    }

    /// <summary>Wakes up when the next lease ends.</summary>
    private void Arm()
    {
        if (_downSince >= 0 || _core.NextEnd is not { } end)
        {
            return;
        }

        long when = end * Scheduler.Millisecond + _stopped;
        if (when >= _armed && _armed > _scheduler.Now)
        {
            return;
        }

        _armed = when;
        _scheduler.At(when, () =>
        {
            _armed = long.MaxValue;
            if (_downSince < 0)
            {
                _core.Advance(StoreTime);
                AfterChange();
            }
        });
    }

    private void PumpAll()
    {
        foreach (StoreWatch watch in _watches.ToArray())
        {
            Pump(watch);
        }
    }

    private void Pump(StoreWatch watch)
    {
        if (!IsReachable(watch.Process.Node))
        {
            return;
        }

        foreach (StoreChanges changes in _core.ChangesAfter(watch.Sent, watch.Prefix))
        {
            watch.LastArrival = Math.Max(watch.LastArrival + 1, _scheduler.Now + _random.Delay(UsualDelay) + ExtraDelay);
            int epoch = watch.Epoch;
            _scheduler.At(watch.LastArrival, () => Arrive(watch, epoch, changes));
        }

        watch.Sent = _core.Revision;
    }

    private void Arrive(StoreWatch watch, int epoch, StoreChanges changes)
    {
        if (epoch != watch.Epoch || !_watches.Contains(watch))
        {
            return;
        }

        if (!IsReachable(watch.Process.Node))
        {
            // The connection is gone; the next one goes on after what came through.
            watch.Epoch++;
            watch.Sent = watch.Delivered;
            return;
        }

        watch.Delivered = changes.Revision;
        watch.Process.Post(0, () =>
        {
            if (_watches.Contains(watch))
            {
                watch.Process.StoreChanged(changes);
            }
        });
    }

    private static string Describe(StoreRequest request) => request switch
    {
        StoreRequest.Commit commit => $"Commit {string.Join(' ', commit.Transaction.Puts.Select(put => put.Key))}"
            + $" -{string.Join(' ', commit.Transaction.Deletes)}"
            + $" if {string.Join(' ', commit.Transaction.Conditions.Select(c => $"{c.Key}@{c.ModifyRevision}"))}",
        _ => request.ToString(),
    };

    private static string Describe(StoreAnswer answer) => answer is StoreAnswer.Listed listed
        ? $"{listed.Snapshot.Entries.Count} keys at {listed.Snapshot.Revision}" : answer.ToString();

    private sealed class StoreWatch(SimProcess process, string prefix)
    {
        public SimProcess Process { get; } = process;

        public string Prefix { get; } = prefix;

        public long Sent { get; set; }

        public long Delivered { get; set; }

        public long LastArrival { get; set; }

        public int Epoch { get; set; }
    }
}
