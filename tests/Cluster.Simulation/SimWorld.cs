using Cluster.Sampling.Configuration;
using Cluster.Sampling.Decisions;
using Cluster.Sampling.Policies;
using Cluster.Simulation.Checks;
using Cluster.Simulation.Engine;
using Cluster.Simulation.Faults;
using Cluster.Simulation.Load;
using Cluster.Simulation.Network;
using Cluster.Simulation.Nodes;
using Cluster.Simulation.Store;

namespace Cluster.Simulation;

/// <summary>One run: everything there is, in one thread, from one seed.</summary>
internal sealed class SimWorld : IDisposable
{
    /// <summary>Errors and traces of five spans and more are kept, and a part of the rest that their IDs say.</summary>
    private const string Rules = """
        policies:
          - name: errors
            type: status_code
            status_code: { status_codes: [ERROR] }
          - name: large
            type: span_count
            span_count: { min_spans: 5 }
          - name: some
            type: probabilistic
            probabilistic: { sampling_percentage: 25 }
        """;


    /// <summary>A world before its first event.</summary>
    public SimWorld(SimOptions options)
    {
        Options = options;
        Random = new SimRandom(options.Seed, 1);
        Scheduler = new Scheduler();
        Log = new EventLog(Scheduler, options.LogLines);
        ConfigurationErrors errors = new();
        Policies = PolicyCompiler.Parse(Rules, errors) ?? throw new InvalidOperationException(string.Join('\n', errors.All));
        for (int i = 0; i < options.Nodes; i++)
        {
            Nodes.Add(new SimNode(i));
        }

        Workload = new Workload(options, new SimRandom(options.Seed, 2));
        Network = new SimNetwork(Scheduler, new SimRandom(options.Seed, 4), Log, Nodes);
        Truth = new ClusterTruth(this);
        Mutations = new Mutations(options);
        Store = new SimStore(Scheduler, new SimRandom(options.Seed, 5), Log, options.Nodes)
        {
            Changed = Truth.Take,
            Tamper = Mutations.Ask,
        };
        Sink = new SimSink(this);
        Client = new SimClient(this);
        Nemesis = new Nemesis(this);
        Checks = new Checkers(this);
    }

    /// <summary>What is simulated.</summary>
    public SimOptions Options { get; }

    /// <summary>Chance of what has none of its own.</summary>
    public SimRandom Random { get; }

    /// <summary>True time.</summary>
    public Scheduler Scheduler { get; }

    /// <summary>What happened.</summary>
    public EventLog Log { get; }

    /// <summary>How traces are decided.</summary>
    public PolicySet Policies { get; }

    /// <summary>Where nodes run.</summary>
    public List<SimNode> Nodes { get; } = [];

    /// <summary>What clients send.</summary>
    public Workload Workload { get; }

    /// <summary>Between nodes.</summary>
    public SimNetwork Network { get; }

    /// <summary>The store.</summary>
    public SimStore Store { get; }

    /// <summary>What stands in it.</summary>
    public ClusterTruth Truth { get; }

    /// <summary>The back end.</summary>
    public SimSink Sink { get; }

    /// <summary>Who sends.</summary>
    public SimClient Client { get; }

    /// <summary>Who disturbs.</summary>
    public Nemesis Nemesis { get; }

    /// <summary>What is done wrong on purpose.</summary>
    public Mutations Mutations { get; }

    /// <summary>Who looks on.</summary>
    public Checkers Checks { get; }

    /// <summary>Runs until everything is quiet after the last fault.</summary>
    /// <exception cref="ViolationException">A checker objects.</exception>
    public void Run()
    {
        foreach (SimNode node in Nodes)
        {
            Scheduler.At(Random.Between(0, 400) * Scheduler.Millisecond, () => Launch(node));
        }

        Client.Start();
        Nemesis.Start();
        Scheduler.RunUntil(Options.FaultsEnd);
        while (Checks.NotQuiet() is { } why)
        {
            if (Scheduler.Now >= Options.End)
            {
                throw new ViolationException("quiescence", why);
            }

            Scheduler.RunUntil(Scheduler.Now + Scheduler.Second);
        }

        Checks.Finish();
    }

    /// <summary>Starts a process on a node that has none.</summary>
    public void Launch(SimNode node)
    {
        if (node.Process is not null)
        {
            return;
        }

        SimProcess process = new(this, node, Random.NextBits());
        node.Process = process;
        Log.Write($"{process.Name} starts");
        process.Start();
        Network.Started(process);
    }

    /// <summary>Ends a process; its memory is gone.</summary>
    public void Kill(SimNode node, bool quietly)
    {
        if (node.Process is not { } process)
        {
            return;
        }

        Log.Write($"{process.Name} ends");
        node.End();
        Network.Ended(process, quietly);
        Store.Forget(process);
        process.Dispose();
    }

    /// <summary>A process may not be in the cluster: it ends, and somebody starts it again.</summary>
    public void Rejected(SimProcess process) => Scheduler.After(1, () =>
    {
        if (process.Node.Process == process)
        {
            Kill(process.Node, quietly: false);
            Scheduler.After(Scheduler.Second, () => Launch(process.Node));
        }
    });

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (SimNode node in Nodes)
        {
            node.Process?.Dispose();
        }
    }
}
