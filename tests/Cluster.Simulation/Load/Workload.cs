using Cluster.Messages.Identity;
using Cluster.Messages.Otlp;
using Cluster.Simulation.Engine;
using Cluster.Testing;

namespace Cluster.Simulation.Load;

/// <summary>
/// What clients send, all of it known beforehand: traces of one to six spans that come in several requests, by different gateways, over the time in
/// which
/// their trace is open and some after it; some spans say error.
/// </summary>
internal sealed class Workload
{
    private readonly Dictionary<(TraceId, ulong), SpanTruth> _spans = [];

    /// <summary>Makes a workload up.</summary>
    public Workload(SimOptions options, SimRandom random)
    {
        List<(long Time, SpanTruth Span)> sends = [];
        for (int i = 1; i <= options.Traces; i++)
        {
            ulong number = (ulong)i;
            TraceId id = TraceBuilder.TraceId(number);
            TraceTruth trace = new(number, id, id.Shard(options.Shards));
            Traces.Add(trace);
            long start = options.LoadBegins + (long)(random.NextDouble() * (options.FaultsEnd - options.LoadBegins));
            int count = 1 + random.Below(6);
            int error = random.Chance(30) ? random.Below(count) : -1;
            for (int s = 0; s < count; s++)
            {
                SpanTruth span = new(trace, number * 100 + (ulong)s, s == error);
                trace.Spans.Add(span);
                _spans.Add((id, span.Id), span);
                long wait = options.DecisionWait;
                long offset = s == 0 ? 0
                    : random.Chance(70) ? random.Between(0, wait * 2 / 3)
                    : random.Chance(50) ? random.Between(wait * 9 / 10, wait * 11 / 10)
                    : random.Between(wait, 3 * wait);
                sends.Add((start + offset, span));
            }
        }

        sends.Sort((a, b) => a.Time != b.Time ? a.Time.CompareTo(b.Time) : a.Span.Id.CompareTo(b.Span.Id));
        for (int i = 0; i < sends.Count;)
        {
            int count = 1 + random.Below(4);
            long time = sends[i].Time;
            List<SpanTruth> spans = [];
            while (i < sends.Count && spans.Count < count && sends[i].Time <= time + 100 * Scheduler.Millisecond)
            {
                spans.Add(sends[i++].Span);
            }

            Requests.Add(new ClientRequest(Requests.Count, time, random.Below(options.Nodes), spans, Encode(spans)));
        }
    }

    /// <summary>All traces.</summary>
    public List<TraceTruth> Traces { get; } = [];

    /// <summary>All requests, in order of time.</summary>
    public List<ClientRequest> Requests { get; } = [];

    /// <summary>The span with an ID.</summary>
    public SpanTruth? Find(TraceId trace, ulong span) => _spans.GetValueOrDefault((trace, span));

    private static byte[] Encode(List<SpanTruth> spans)
    {
        TraceBuilder builder = new();
        foreach (SpanTruth span in spans)
        {
            builder.Resource($"service-{span.Id % 3}");
            builder.Span(span.Trace.Number, span.Id, parent: span.Id % 100 == 0 ? 0 : span.Trace.Number * 100, name: $"operation {span.Id}");
            if (span.IsError)
            {
                builder.Error();
            }
        }

        byte[] bytes = builder.ToBytes();
        int i = 0;
        foreach (OtlpSpan span in new OtlpTraceReader(bytes))
        {
            spans[i++].BytesHash = Hash(span.Bytes);
        }

        return bytes;
    }

    /// <summary>FNV-1a.</summary>
    public static ulong Hash(ReadOnlySpan<byte> bytes)
    {
        ulong hash = 0xCBF29CE484222325UL;
        foreach (byte b in bytes)
        {
            hash = (hash ^ b) * 0x100000001B3UL;
        }

        return hash;
    }
}

/// <summary>A request of a client.</summary>
/// <param name="Number">Its number.</param>
/// <param name="Time">When it is first sent, true time.</param>
/// <param name="Gateway">To which node.</param>
/// <param name="Spans">What is in it.</param>
/// <param name="Body">The same, encoded.</param>
internal sealed record ClientRequest(int Number, long Time, int Gateway, IReadOnlyList<SpanTruth> Spans, byte[] Body);
