namespace Cluster.Simulation.Nodes;

/// <summary>A place where a node runs: it has a name, and one process at a time or none.</summary>
internal sealed class SimNode(int index)
{
    private readonly Queue<(SimProcess Process, Action Happening)> _held = new();

    /// <summary>Its number, from 0.</summary>
    public int Index { get; } = index;

    /// <summary>Its name, the same in each run of it.</summary>
    public string Name { get; } = $"n{index + 1}";

    /// <summary>What runs there now.</summary>
    public SimProcess? Process { get; set; }

    /// <summary>Whether the process stands still: what comes for it waits.</summary>
    public bool IsPaused { get; private set; }

    /// <summary>Whether its process gives its shards away.</summary>
    public bool IsDraining { get; set; }

    /// <summary>Faults under way that may end its lease.</summary>
    public int Disabled { get; set; }

    /// <summary>Lets something happen in a process, when it goes on; never when it has ended.</summary>
    public void Run(SimProcess process, Action happening)
    {
        if (Process != process)
        {
            return;
        }

        if (IsPaused)
        {
            _held.Enqueue((process, happening));
            return;
        }

        happening();
        if (Process == process)
        {
            process.Settle();
        }
    }

    /// <summary>The process stands still.</summary>
    public void Pause() => IsPaused = true;

    /// <summary>The process goes on with all that has come for it.</summary>
    public void Resume()
    {
        IsPaused = false;
        while (!IsPaused && _held.TryDequeue(out (SimProcess Process, Action Happening) held))
        {
            Run(held.Process, held.Happening);
        }
    }

    /// <summary>The process is gone, and what waited for it.</summary>
    public void End()
    {
        IsPaused = false;
        _held.Clear();
        Process = null;
    }
}
