using System.IO.Compression;
using Cluster.LoadGenerator.Workload;

namespace Cluster.LoadGenerator.Sending;

/// <summary>The bytes of scheduled requests. Thread-safe; the same request may be asked for again, to be sent again.</summary>
internal abstract class Payloads
{
    /// <summary>Room that <see cref="Wire"/> needs.</summary>
    public abstract int ScratchLength { get; }

    /// <summary>
    /// The request as it goes over the wire, in <paramref name="scratch"/> or in memory that is this request's alone: the sender may
    /// write stream IDs into it.
    /// </summary>
    public abstract ArraySegment<byte> Wire(in ScheduledRequest request, byte[] scratch);
}

/// <summary>Templates, copied and patched as they are sent.</summary>
internal sealed class PatchedPayloads : Payloads
{
    private readonly RequestTemplate[][] _templates;
    private readonly ulong _seed;

    /// <summary>Wraps all templates of a workload.</summary>
    public PatchedPayloads(TraceWorkload workload, WireFormat format, ulong seed)
    {
        _templates = [.. workload.Cells.Select(cell => cell.Requests.Select(format.Wrap).ToArray())];
        _seed = seed;
        ScratchLength = _templates.Max(cell => cell.Max(template => template.Bytes.Length));
    }

    /// <inheritdoc/>
    public override int ScratchLength { get; }

    /// <inheritdoc/>
    public override ArraySegment<byte> Wire(in ScheduledRequest request, byte[] scratch)
    {
        RequestTemplate template = _templates[request.Cell][request.Service];
        template.Write(scratch, _seed, request.FirstTrace, request.BaseNano);
        return new ArraySegment<byte>(scratch, 0, template.Bytes.Length);
    }
}

/// <summary>
/// Requests that were patched and compressed before the run, each with trace IDs of its own: compressing costs ten times as much as
/// sending. The run ends when they are used up.
/// </summary>
internal sealed class CompressedPayloads : Payloads
{
    private readonly ArraySegment<byte>[] _requests;

    private CompressedPayloads(ArraySegment<byte>[] requests, long spanCount, long bytes)
    {
        _requests = requests;
        SpanCount = spanCount;
        Bytes = bytes;
    }

    /// <summary>Spans in all requests: whole blocks of the schedule.</summary>
    public long SpanCount { get; }

    /// <summary>Memory they take.</summary>
    public long Bytes { get; }

    /// <inheritdoc/>
    public override int ScratchLength => 0;

    /// <summary>Compresses requests in the order of a schedule, on all cores there are, until they take the given memory.</summary>
    public static CompressedPayloads Prepare(TraceWorkload workload, WireFormat format, ulong seed, long memoryBytes, long maxSpans)
    {
        const int block = 48;
        var schedule = new RequestSchedule(workload, new ScheduleOptions { Seed = seed, MaxSpans = maxSpans });
        var requests = new List<ArraySegment<byte>>();
        var taken = new List<ScheduledRequest>(block);
        long bytes = 0;
        while (bytes < memoryBytes)
        {
            taken.Clear();
            while (taken.Count < block && schedule.TryTake(out ScheduledRequest request))
            {
                taken.Add(request);
            }

            if (taken.Count == 0)
            {
                break;
            }

            ArraySegment<byte>[] packed = [.. taken.AsParallel().AsOrdered().Select(request => Compress(workload, format, seed, request))];
            requests.AddRange(packed);
            bytes += packed.Sum(segment => (long)segment.Count);
        }

        return new CompressedPayloads([.. requests], schedule.SpansPlanned, bytes);
    }

    /// <inheritdoc/>
    public override ArraySegment<byte> Wire(in ScheduledRequest request, byte[] scratch) => _requests[request.Sequence];

    private static ArraySegment<byte> Compress(TraceWorkload workload, WireFormat format, ulong seed, in ScheduledRequest request)
    {
        RequestTemplate template = workload.Cells[request.Cell].Requests[request.Service];
        byte[] patched = new byte[template.Bytes.Length];
        template.Write(patched, seed, request.FirstTrace, request.BaseNano);
        using var output = new MemoryStream(patched.Length / 6);
        using (var gzip = new GZipStream(output, CompressionLevel.Optimal, leaveOpen: true))
        {
            gzip.Write(patched);
        }

        return format.Wrap(output.GetBuffer().AsSpan(0, (int)output.Length), compressed: true);
    }
}
