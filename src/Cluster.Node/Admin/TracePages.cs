using System.Globalization;
using Cluster.Messages.Identity;
using Cluster.Messages.Sharding;
using Cluster.Node.Telemetry;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Region;

namespace Cluster.Node.Admin;

/// <summary>Traces of this node, pending ones and the latest decisions; and one in full, wherever it is.</summary>
internal sealed class TracePages(AdminSources sources, PeerQuestions? peers)
{
    /// <summary>Query parameters of the list.</summary>
    public static readonly IReadOnlyList<string> Parameters = ["state", "sort", "limit"];

    private const int MostTraces = 1000;
    private const int DefaultTraces = 100;
    private const int LongestText = 500;

    private static readonly string[] States = ["pending", "sampled", "not_sampled", "dropped", "decided"];
    private static readonly string[] Sorts = ["size", "age"];
    private static readonly string[] Kinds = ["unspecified", "internal", "server", "client", "producer", "consumer"];

    /// <summary>Pending traces, or the latest decisions.</summary>
    public async Task<AdminReply> ListAsync(IQueryCollection query, CancellationToken cancellationToken)
    {
        AdminReply? badState = AdminQuery.Choice(query, "state", States, out string state);
        AdminReply? badSort = AdminQuery.Choice(query, "sort", Sorts, out string sort);
        AdminReply? badLimit = AdminQuery.Number(query, "limit", DefaultTraces, 1, MostTraces, out int limit);
        if ((badState ?? badSort ?? badLimit) is { } problem)
        {
            return problem;
        }

        if (state == "pending")
        {
            TraceOrder order = sort == "age" ? TraceOrder.Age : TraceOrder.Size;
            var pending = await sources.Shards.GetPendingTracesAsync(order, limit, cancellationToken).WaitAsync(cancellationToken);
            return AdminReply.Json(
                new PendingTracesJson(state, sort, limit, [.. pending.Take(limit).Select(Describe)]), AdminJson.Default.PendingTracesJson);
        }

        if (query.ContainsKey("sort"))
        {
            return AdminReply.BadParameter($"sort goes with state=pending only; state={state} shows the newest decisions first.");
        }

        Decision? decision = state switch
        {
            "sampled" => Decision.Sampled,
            "not_sampled" => Decision.NotSampled,
            "dropped" => Decision.Dropped,
            _ => null,
        };
        var decided = await sources.Shards.GetDecidedTracesAsync(decision, limit, cancellationToken).WaitAsync(cancellationToken);
        return AdminReply.Json(
            new DecidedTracesJson(state, limit, [.. decided.Take(limit).Select(Describe)]), AdminJson.Default.DecidedTracesJson);
    }

    /// <summary>Everything known of one trace, from the node that owns its shard.</summary>
    public async Task<AdminReply> GetAsync(string text, IQueryCollection query, CancellationToken cancellationToken)
    {
        if (!TraceId.TryParse(text, out TraceId traceId) || !traceId.IsValid)
        {
            return AdminReply.BadParameter($"'{Text.Shorten(text, 100)}' is no trace ID; it is 32 hexadecimal digits, not all zero.");
        }

        if (AdminQuery.Flag(query, "local", out bool local) is { } problem)
        {
            return problem;
        }

        if (!local && sources.Cluster is { View.Snapshot: { Allocation.ShardCount: > 0 } snapshot })
        {
            int shard = traceId.Shard(snapshot.Allocation.ShardCount);
            MemberId primary = snapshot.Allocation[shard].Primary;
            if (primary != snapshot.Self)
            {
                return snapshot.Find(primary) is null
                    ? AdminReply.NoAnswer($"Trace {traceId} is in shard {shard}, which nobody owns at the moment; try again.")
                    : await AskOwnerAsync(primary, traceId, cancellationToken);
            }
        }

        TraceStatus? trace = await sources.Shards.GetTraceAsync(traceId, cancellationToken).WaitAsync(cancellationToken);
        return trace is null
            ? AdminReply.Problem(
                StatusCodes.Status404NotFound,
                "No such trace",
                $"Trace {traceId} is neither pending nor remembered: it was never seen here, or its decision has left the decision cache.")
            : AdminReply.Json(Describe(traceId, trace), AdminJson.Default.TraceJson);
    }

    private async Task<AdminReply> AskOwnerAsync(MemberId owner, TraceId traceId, CancellationToken cancellationToken)
    {
        (TraceJson? trace, ProblemJson? problem) =
            await peers!.AskAsync(owner, $"/api/traces/{traceId}?local=true", AdminJson.Default.TraceJson, cancellationToken);
        return trace is not null ? AdminReply.Json(trace, AdminJson.Default.TraceJson)
            : problem is not null ? AdminReply.Problem(problem)
            : AdminReply.NoAnswer($"Trace {traceId} is on {owner.Node}, which did not answer; try again.");
    }

    private TraceJson Describe(TraceId traceId, TraceStatus trace)
    {
        int shown = Math.Min(trace.Spans.Count, MostTraces);
        return new TraceJson(
            traceId.ToString(),
            sources.Node.Id,
            trace.Decided is { } decided ? Names.Of(decided.Decision) : "pending",
            trace.Pending is null ? null : Describe(trace.Pending),
            trace.Decided is null ? null : Describe(trace.Decided),
            [.. trace.Votes.Select(vote => new VoteJson(vote.Policy, vote.Type, Names.Of(vote.Vote), Text.Shorten(vote.Reason, LongestText)))],
            [.. trace.Spans.Take(shown).Select(Describe)],
            Math.Max(0, (trace.Pending?.Spans ?? trace.Decided?.Spans ?? 0) - shown));
    }

    private static PendingTraceJson Describe(PendingTrace trace) => new(
        trace.TraceId.ToString(), trace.Shard, trace.Spans, trace.Bytes, Text.Seconds(trace.Age), Text.Seconds(trace.DecisionIn), trace.RootReceived);

    private static DecidedTraceJson Describe(DecidedTrace trace) => new(
        trace.TraceId.ToString(), trace.Shard, Names.Of(trace.Decision), trace.Policy, Names.Of(trace.Reason), trace.Spans, trace.Bytes,
        trace.DurationMilliseconds / 1000.0, trace.DecidedAt);

    private static SpanJson Describe(SpanSummary span)
    {
        // Unset times are zero; an end before the start is a clock's fault and is shown as it is.
        double? duration = span.StartUnixNano == 0 || span.EndUnixNano == 0
            ? null
            : Math.Round((long)(span.EndUnixNano - span.StartUnixNano) / 1e9, 9);
        return new SpanJson(
            span.SpanId,
            span.ParentSpanId,
            span.Service is null ? null : Text.Shorten(span.Service, LongestText),
            Text.Shorten(span.Name, LongestText),
            span.Kind >= 0 && span.Kind < Kinds.Length ? Kinds[span.Kind] : "unknown",
            span.StatusCode switch { 0 => "unset", 1 => "ok", 2 => "error", _ => "unknown" },
            span.StartUnixNano.ToString(CultureInfo.InvariantCulture),
            duration);
    }
}
