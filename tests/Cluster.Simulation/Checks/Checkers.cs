using System.Runtime.InteropServices;
using Cluster.Messages.Frames;
using Cluster.Messages.Sharding;
using Cluster.Simulation.Engine;
using Cluster.Simulation.Load;
using Cluster.Simulation.Nodes;

namespace Cluster.Simulation.Checks;

/// <summary>
/// What must hold at any moment, found by looking on from outside: at what nodes answer and export, at what stands in the store, and into the
/// memory of all nodes at once. What must hold in the end is <see cref="FinalChecks"/>'s.
/// </summary>
internal sealed class Checkers
{
    private readonly SimWorld _world;
    private readonly Dictionary<(ulong Sender, ulong Sequence), FrameNote> _frames = [];
    private readonly Dictionary<(SimWorker Worker, ulong Token), (FrameNote Frame, uint Term)> _asked = [];
    private readonly Dictionary<(int Shard, uint Term), MemberId> _served = [];
    private readonly VerdictChecks _verdicts;
    private readonly FinalChecks _final;

    /// <summary>Checkers of a world.</summary>
    public Checkers(SimWorld world)
    {
        _world = world;
        _verdicts = new VerdictChecks(world);
        _final = new FinalChecks(world, _verdicts);
    }

    /// <summary>Frames that were acknowledged.</summary>
    public int AcknowledgedFrames { get; private set; }

    /// <summary>A gateway sends a frame to an owner.</summary>
    public void FrameSent(byte[] bytes)
    {
        FrameHeader header = MemoryMarshal.Read<FrameHeader>(bytes);
        if (!_frames.TryGetValue((header.Sender, header.Sequence), out FrameNote? note))
        {
            note = new FrameNote(header.Sender, header.Sequence, header.Shard, FrameSpans.Read(_world.Workload, bytes));
            _frames.Add((header.Sender, header.Sequence), note);
        }

        foreach (SpanTruth span in note.Spans)
        {
            span.Sends++;
        }
    }

    /// <summary>A frame is given to the core.</summary>
    public void Delivering(SimWorker worker, byte[] bytes, ulong token)
    {
        FrameHeader header = MemoryMarshal.Read<FrameHeader>(bytes);
        _asked.Add((worker, token), (_frames[(header.Sender, header.Sequence)], header.Term));
    }

    /// <summary>The core answers.</summary>
    public void Answered(SimProcess process, SimWorker worker, ulong token, Refusal refusal)
    {
        _asked.Remove((worker, token), out (FrameNote Frame, uint Term) asked);
        _world.Log.Write($"{process.Name} answers {asked.Frame} of term {asked.Term}: {refusal}");
        if (refusal != Refusal.None)
        {
            return;
        }

        AcknowledgedFrames++;
        CheckLease(process, "acknowledged");
        CheckTerm(process, asked.Frame, asked.Term);
        CheckHolders(process, asked.Frame);
    }

    /// <summary>A gateway told a client that its spans are safe.</summary>
    public void Acknowledged(ClientRequest request)
    {
        foreach (SpanTruth span in request.Spans)
        {
            if (span.Acknowledged < 0)
            {
                span.Acknowledged = _world.Scheduler.Now;
            }
        }
    }

    /// <summary>Something happened in a process.</summary>
    public void Observe(SimProcess process, SimWorker worker)
    {
        // What is written for the exporters may leave later: the verdict has taken effect now.
        if (worker.Services.Writer.TotalTraces != worker.WrittenTraces)
        {
            worker.WrittenTraces = worker.Services.Writer.TotalTraces;
            CheckLease(process, "let verdicts take effect");
        }

        _verdicts.Observe(process, worker);
    }

    /// <summary>A shard went to a member that has nothing of it.</summary>
    public void GivenEmpty(int shard, ShardAssignment before, ShardAssignment after)
    {
        if (!_world.Options.MayLose)
        {
            throw new ViolationException(
                "allocation",
                $"shard {shard} of {before.Primary}, copies [{string.Join(", ", before.Replicas)}],"
                + $" was given to {after.Primary}, who has nothing of it");
        }
    }

    /// <inheritdoc cref="FinalChecks.NotQuiet"/>
    public string? NotQuiet() => _final.NotQuiet();

    /// <inheritdoc cref="FinalChecks.Finish"/>
    public void Finish() => _final.Finish();

    /// <summary>Who acts for a shard has a lease in truth, not only by its own clock: else another may act, too.</summary>
    private void CheckLease(SimProcess process, string what)
    {
        if (!_world.Store.HoldsLease(process))
        {
            throw new ViolationException("fence", $"{process.Name} {what} without a lease");
        }
    }

    /// <summary>
    /// One primary a term; who is not the latest one acknowledges only what the latest one has, which <see cref="CheckHolders"/> sees to.
    /// </summary>
    private void CheckTerm(SimProcess process, FrameNote frame, uint term)
    {
        if (_served.TryGetValue((frame.Shard, term), out MemberId other) && other != process.Id)
        {
            throw new ViolationException("term", $"{process.Id} and {other} both acknowledged for shard {frame.Shard} in term {term}");
        }

        _served[(frame.Shard, term)] = process.Id;
        ShardAssignment truth = _world.Truth.Allocation![frame.Shard];
        if (truth.Term == term && truth.Primary != process.Id)
        {
            throw new ViolationException("term", $"{process.Id} acknowledged for shard {frame.Shard} in term {term}, which is {truth.Primary}'s");
        }
    }

    /// <summary>What is acknowledged is in the memory of the shard's primary and of every copy that may become it, as the store has it now.</summary>
    private void CheckHolders(SimProcess process, FrameNote frame)
    {
        ShardAssignment truth = _world.Truth.Allocation![frame.Shard];
        CheckHolder(process, frame, truth.Primary);
        foreach (ShardCopy copy in truth.Replicas)
        {
            if (copy.InSync)
            {
                CheckHolder(process, frame, copy.Member);
            }
        }
    }

    private FrameNote Find(ulong sender, ulong sequence) => _frames[(sender, sequence)];

    private void CheckHolder(SimProcess process, FrameNote frame, MemberId holder)
    {
        if (_world.Truth.ProcessOf(holder) is { } other && !HostProbe.Holds(other.WorkerOf(frame.Shard).Host, frame, Find))
        {
            throw new ViolationException("holders", $"{process.Name} acknowledged {frame}, which {other.Name} does not have");
        }
    }
}
