using System.Runtime.CompilerServices;
using System.Text;
using Cluster.Messages.Identity;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Log;
using Cluster.Sharding.Region;
using Cluster.Sharding.Traces;

namespace Cluster.Sharding.Shards;

/// <summary>What the shards of one worker loop share: memory, the policy program, the way out. Used by one thread at a time.</summary>
internal sealed class ShardServices : IDisposable
{
    /// <summary>The attribute that <c>record_policy</c> writes.</summary>
    private static readonly byte[] PolicyAttribute = "tailsampling.policy"u8.ToArray();

    /// <summary>Bytes of a slice in a trace table, and of the log entry it may be alone in; the arrays may be half empty.</summary>
    private static readonly int SliceBytes = 4 * Unsafe.SizeOf<Slice>();

    /// <summary>Bytes of an entry in the log of a copy, besides its own; the arrays may be half empty.</summary>
    private const int CopiedEntryBytes = 2 * 64;

    private readonly int _traceBytes;

    /// <summary>Services of one worker loop.</summary>
    public ShardServices(ShardRegionOptions options, PolicySet policies, IBudgets budgets, SlabPool slabs, IKeptTraceQueue queue, TraceIdHasher hasher)
    {
        Options = options;
        Program = policies.CreateProgram();
        Budgets = budgets;
        PatientBudgets = new PatientBudgets(budgets);
        Hasher = hasher;
        Slabs = new SlabAllocator(slabs);
        SpanIds = new SpanIdSets();
        Contexts = new ContextTable(Program);
        Writer = new KeptTraceWriter(Contexts, queue, options.RecordPolicy ? PolicyAttribute : null);
        Statistics = new WorkerStatistics(policies.Policies.Count);
        int trees = options.Settle > TimeSpan.Zero ? 2 * Unsafe.SizeOf<SpanIdSet>() : 0;
        _traceBytes = 2 * (Unsafe.SizeOf<TraceRecord>() + sizeof(int) + policies.ConditionWords * sizeof(ulong) + trees);
        PolicyNames = [.. policies.Policies.Select(p => Encoding.UTF8.GetBytes(p.Name))];
    }

    public ShardRegionOptions Options { get; }

    public PolicyProgram Program { get; }

    public IBudgets Budgets { get; }

    /// <summary>The budgets as decisions draw from them.</summary>
    public PatientBudgets PatientBudgets { get; }

    public TraceIdHasher Hasher { get; }

    public SlabAllocator Slabs { get; }

    public SpanIdSets SpanIds { get; }

    public ContextTable Contexts { get; }

    public KeptTraceWriter Writer { get; }

    public WorkerStatistics Statistics { get; }

    public byte[][] PolicyNames { get; }

    /// <summary>
    /// Bytes in use besides slabs: contexts, span ID sets, and the records of pending traces. Computed from counts, so that it is cheap
    /// enough after every message.
    /// </summary>
    public long IndexBytes =>
        Contexts.Bytes + SpanIds.Bytes + Statistics.PendingTraces * _traceBytes + Statistics.PendingSlices * SliceBytes
        + Statistics.CopiedEntries * CopiedEntryBytes;

    public void Dispose()
    {
        Writer.Dispose();
        Contexts.Dispose();
        SpanIds.Dispose();
        Slabs.Dispose();
    }
}
