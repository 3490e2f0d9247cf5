using Cluster.Messages.Identity;
using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Shards;
using Cluster.Sharding.Traces;

namespace Cluster.Sharding.Region;

/// <summary>Answers questions about a region's shards, through the mailboxes of its worker loops. Thread-safe.</summary>
public sealed class ShardInspection(ShardRegion region) : IShardInspection
{
    /// <summary>Most spans that one answer describes.</summary>
    private const int MaxSpans = 1000;

    /// <inheritdoc/>
    public async Task<IReadOnlyList<ShardStatus>> GetShardsAsync(CancellationToken cancellationToken)
    {
        List<ShardStatus> all = await CollectAsync(
            static (shards, now) => shards.Select(s => new ShardStatus(
                s.Id,
                s.PendingTraces,
                s.PendingSpans,
                s.PendingBytes,
                s.OldestArrival is { } oldest ? TimeSpan.FromMilliseconds(now - oldest) : null,
                s.Decisions[(int)Decision.Sampled],
                s.Decisions[(int)Decision.NotSampled],
                s.Decisions[(int)Decision.Dropped],
                s.RefusedFrames,
                s.Remembered.Count)),
            cancellationToken);
        return [.. all.OrderBy(s => s.Id)];
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<PendingTrace>> GetPendingTracesAsync(TraceOrder order, int limit, CancellationToken cancellationToken)
    {
        List<PendingTrace> all = await CollectAsync((shards, now) => FirstPending(shards, order, limit, now), cancellationToken);
        return [.. Sort(all, order).Take(limit)];
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<DecidedTrace>> GetDecidedTracesAsync(Decision? decision, int limit, CancellationToken cancellationToken)
    {
        List<DecidedTrace> all = await CollectAsync((shards, _) => Latest(shards, decision, limit), cancellationToken);
        return [.. all.OrderByDescending(d => d.DecidedAt).Take(limit)];
    }

    /// <inheritdoc/>
    public Task<TraceStatus?> GetTraceAsync(TraceId traceId, CancellationToken cancellationToken)
    {
        int id = traceId.Shard(region.Allocation.ShardCount);
        return region.WorkerOfShard(id).AskAsync((shards, now) =>
        {
            if (shards.FirstOrDefault(s => s.Id == id) is not { } shard)
            {
                return null;
            }

            int trace = shard.Traces.Find(traceId);
            if (trace != 0)
            {
                return DescribePending(shard, trace, now);
            }

            int entry = shard.Remembered.Find(traceId);
            return entry != 0 ? DescribeDecided(shard, entry) : null;
        }).WaitAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public ShardRegionStatistics GetStatistics()
    {
        int policies = region.Policies.Policies.Count;
        long[][] votes = [.. Enumerable.Range(0, policies).Select(_ => new long[5])];
        long[] decided = new long[policies];
        long[] decidedSpans = new long[policies];
        ShardRegionStatistics sum = new() { SlabBytes = region.SlabBytes };
        foreach (ShardWorker worker in region.Workers)
        {
            WorkerStatistics s = worker.Statistics;
            sum.NewTraces += s.NewTraces;
            sum.PendingTraces += s.PendingTraces;
            sum.PendingSpans += s.PendingSpans;
            sum.PendingBytes += s.PendingBytes;
            sum.SlabBytes += worker.IndexBytes;
            sum.AcceptedSpans += s.AcceptedSpans;
            sum.RepeatedSpans += s.RepeatedSpans;
            sum.WorkerFailures += s.Failures;
            sum.MatchesGivenUp += worker.Services.Program.MatchesGivenUp;
            sum.LateSpansSampled += s.LateSpansSampled;
            sum.LateSpansNotSampled += s.LateSpansNotSampled;
            sum.RememberedDecisions += worker.RememberedDecisions;
            sum.KeptTraces += worker.Writer.TotalTraces;
            sum.KeptSpans += worker.Writer.TotalSpans;
            sum.KeptBytes += worker.Writer.TotalBytes;
            sum.DecisionTime += TimeSpan.FromTicks(s.DecisionTicks);
            sum.DecisionLatenessSum += s.LatenessSum;
            AddUp(sum.Decisions, s.Decisions);
            AddUp(sum.Completions, s.Completions);
            AddUp(sum.DecisionLateness, s.Lateness);
            AddUp(decided, s.Decided);
            AddUp(decidedSpans, s.DecidedSpans);
            for (int i = 0; i < s.Votes.Length; i++)
            {
                votes[i / 5][i % 5] += s.Votes[i];
            }
        }

        sum.Policies = [.. region.Policies.Policies.Select((p, i) => new PolicyStatistics(p.Name, p.Type, votes[i], decided[i], decidedSpans[i]))];
        return sum;
    }

    private async Task<List<T>> CollectAsync<T>(Func<IReadOnlyList<ShardCore>, long, IEnumerable<T>> question, CancellationToken cancellationToken)
    {
        List<T> all = [];
        foreach (ShardWorker worker in region.Workers)
        {
            all.AddRange(await worker.AskAsync((shards, now) => question(shards, now).ToList()).WaitAsync(cancellationToken));
        }

        return all;
    }

    /// <summary>The first traces of one worker. Traces are in order of age already; by size, only the largest seen so far are kept.</summary>
    private static IEnumerable<PendingTrace> FirstPending(IReadOnlyList<ShardCore> shards, TraceOrder order, int limit, long now)
    {
        PriorityQueue<(ShardCore Shard, int Trace), long> largest = new();
        foreach (ShardCore shard in shards)
        {
            int left = limit;
            for (int trace = shard.Traces.Oldest; trace != 0 && (left > 0 || order == TraceOrder.Size); trace = shard.Traces[trace].Younger, left--)
            {
                long priority = order == TraceOrder.Size ? shard.Traces[trace].Bytes : -shard.Traces[trace].FirstArrival;
                if (largest.Count < limit)
                {
                    largest.Enqueue((shard, trace), priority);
                }
                else
                {
                    largest.EnqueueDequeue((shard, trace), priority);
                }
            }
        }

        return largest.UnorderedItems.Select(item => Brief(item.Element.Shard, item.Element.Trace, now));
    }

    private static IEnumerable<PendingTrace> Sort(IEnumerable<PendingTrace> traces, TraceOrder order) =>
        order == TraceOrder.Size ? traces.OrderByDescending(t => t.Bytes) : traces.OrderByDescending(t => t.Age);

    private List<DecidedTrace> Latest(IReadOnlyList<ShardCore> shards, Decision? decision, int limit)
    {
        List<DecidedTrace> latest = [];
        foreach (ShardCore shard in shards)
        {
            foreach (bool sampled in (ReadOnlySpan<bool>)[true, false])
            {
                if (decision is { } wanted && wanted == Decision.Sampled != sampled)
                {
                    continue;
                }

                int left = limit;
                for (int entry = shard.Remembered.Newest(sampled); entry != 0 && left > 0; entry = shard.Remembered.Next(entry))
                {
                    if (decision is null || shard.Remembered[entry].Decision == decision)
                    {
                        left--;
                        latest.Add(Brief(shard, entry));
                    }
                }
            }
        }

        latest.Sort((a, b) => b.DecidedAt.CompareTo(a.DecidedAt));
        return latest.Count > limit ? latest[..limit] : latest;
    }

    private TraceStatus DescribePending(ShardCore shard, int trace, long now)
    {
        ShardServices services = region.WorkerOfShard(shard.Id).Services;
        Vote[] votes = new Vote[region.Policies.Policies.Count];
        TraceEvidence evidence = shard.Evidence(trace);
        services.Program.Decide(evidence, new BudgetsPreview(services.Budgets), now, votes);
        List<SpanSummary> spans = [];
        for (int i = shard.Traces[trace].FirstSlice; i != 0 && spans.Count < MaxSpans; i = shard.Traces.SliceAt(i).Next)
        {
            ref readonly Slice slice = ref shard.Traces.SliceAt(i);
            ReadOnlySpan<byte> resource = ResourceOf(services.Contexts.ResourceFields(slice.Context));
            WireReader reader = new(shard.Log.Read(slice.Entry, slice.Offset, slice.Length));
            while (spans.Count < MaxSpans && reader.TryReadTag(out _) && reader.TryReadBytes(out ReadOnlySpan<byte> span))
            {
                spans.Add(Summarize(new OtlpSpan(resource, default, span)));
            }
        }

        return new TraceStatus(Brief(shard, trace, now), null, services.Program.Explain(evidence, votes), spans);
    }

    private TraceStatus DescribeDecided(ShardCore shard, int entry)
    {
        ref readonly RememberedDecision decision = ref shard.Remembered[entry];
        Vote[] votes = shard.Remembered.Votes(entry);
        TraceEvidence evidence = new()
        {
            TraceId = decision.TraceId,
            SpanCount = decision.SpanCount,
            Bytes = decision.Bytes,
            StartUnixNano = 1,
            EndUnixNano = unchecked(1 + (ulong)decision.DurationNanoseconds),
            Conditions = shard.Remembered.Conditions(entry),
        };
        return new TraceStatus(
            null,
            Brief(shard, entry),
            region.WorkerOfShard(shard.Id).Services.Program.Explain(evidence, votes),
            []);
    }

    private static PendingTrace Brief(ShardCore shard, int trace, long now)
    {
        ref TraceRecord record = ref shard.Traces[trace];
        return new PendingTrace(
            record.TraceId,
            shard.Id,
            record.SpanCount,
            record.Bytes,
            TimeSpan.FromMilliseconds(now - record.FirstArrival),
            TimeSpan.FromMilliseconds(Math.Max(0, record.Deadline - now)),
            record.RootArrival != 0);
    }

    private DecidedTrace Brief(ShardCore shard, int entry)
    {
        ref readonly RememberedDecision decision = ref shard.Remembered[entry];
        return new DecidedTrace(
            decision.TraceId,
            shard.Id,
            decision.Decision,
            decision.Policy < 0 ? null : region.Policies.Policies[decision.Policy].Name,
            decision.Reason,
            decision.SpanCount,
            decision.Bytes,
            decision.DurationNanoseconds / 1_000_000,
            region.Clock.StartedAt + TimeSpan.FromMilliseconds(decision.DecidedAt));
    }

    private static SpanSummary Summarize(OtlpSpan span) => new(
        span.SpanId.ToString(),
        span.ParentSpanId.IsValid ? span.ParentSpanId.ToString() : null,
        span.ServiceName,
        span.Name,
        span.Kind,
        span.StatusCode,
        span.StartTimeUnixNano,
        span.EndTimeUnixNano);

    private static ReadOnlySpan<byte> ResourceOf(ReadOnlySpan<byte> resourceFields)
    {
        WireReader reader = new(resourceFields);
        while (reader.TryReadTag(out uint tag))
        {
            if (tag == ((OtlpFields.ResourceSpans.Resource << 3) | 2))
            {
                return reader.TryReadBytes(out ReadOnlySpan<byte> resource) ? resource : default;
            }

            if (!reader.TrySkip(tag))
            {
                break;
            }
        }

        return default;
    }

    private static void AddUp(long[] sum, long[] values)
    {
        for (int i = 0; i < values.Length; i++)
        {
            sum[i] += values[i];
        }
    }
}
