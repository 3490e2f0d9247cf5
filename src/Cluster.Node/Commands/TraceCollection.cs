using Cluster.Messages.Identity;
using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;
using Cluster.Sampling.Decisions;

namespace Cluster.Node.Commands;

/// <summary>One trace as far as it was read: what a decision is made from.</summary>
internal sealed class CollectedTrace(TraceId traceId, int conditionWords)
{
    private readonly HashSet<(ulong SpanId, ulong Start, ulong End, int Kind, int Length)> _spans = [];

    /// <summary>Its ID.</summary>
    public TraceId TraceId { get; } = traceId;

    /// <summary>Bits of the conditions met.</summary>
    public ulong[] Conditions { get; } = new ulong[conditionWords];

    /// <summary>Spans, repeated ones counted once.</summary>
    public int SpanCount => _spans.Count;

    /// <summary>Protobuf size of all requests with it, its own spans only.</summary>
    public long Bytes { get; set; }

    /// <summary>Earliest start; 0 when no span has one.</summary>
    public ulong StartUnixNano { get; private set; }

    /// <summary>Latest end; 0 when no span has one.</summary>
    public ulong EndUnixNano { get; private set; }

    /// <summary>
    /// Takes a span; false when it was there before. As in a node it is recognised by ID, times, kind and length: client and server
    /// may share a span ID.
    /// </summary>
    public bool TryAddSpan(in SpanFacts facts, int length) =>
        _spans.Add((facts.SpanId, facts.StartUnixNano, facts.EndUnixNano, facts.Kind, length));

    /// <summary>Takes a span's times.</summary>
    public void AddTimes(in SpanFacts facts)
    {
        if (facts.StartUnixNano != 0 && (StartUnixNano == 0 || facts.StartUnixNano < StartUnixNano))
        {
            StartUnixNano = facts.StartUnixNano;
        }

        EndUnixNano = Math.Max(EndUnixNano, facts.EndUnixNano);
    }

    /// <summary>What a policy program decides from.</summary>
    public TraceEvidence Evidence => new()
    {
        TraceId = TraceId,
        SpanCount = SpanCount,
        Bytes = Bytes,
        StartUnixNano = StartUnixNano,
        EndUnixNano = EndUnixNano,
        Conditions = Conditions,
    };
}

/// <summary>
/// Groups the spans of any number of OTLP requests by trace and runs the policies' conditions over them. Not thread-safe.
/// </summary>
internal sealed class TraceCollection(PolicyProgram program)
{
    private readonly Dictionary<TraceId, CollectedTrace> _byId = [];
    private readonly List<CollectedTrace> _traces = [];
    private readonly Dictionary<CollectedTrace, long> _resourceParts = [];
    private readonly Dictionary<CollectedTrace, long> _scopeParts = [];
    private readonly ulong[] _matched = new ulong[program.Set.ConditionWords];

    /// <summary>The traces, in order of first appearance.</summary>
    public IReadOnlyList<CollectedTrace> Traces => _traces;

    /// <summary>Spans that were passed over because their trace or span ID is invalid.</summary>
    public int InvalidSpans { get; private set; }

    /// <summary>Spans that were there before.</summary>
    public int RepeatedSpans { get; private set; }

    /// <summary>Takes the spans of an <c>ExportTraceServiceRequest</c> (or <c>TracesData</c>).</summary>
    /// <exception cref="FormatException">The bytes are no such message; its spans up to there were taken.</exception>
    public void Add(ReadOnlySpan<byte> request)
    {
        WireReader reader = new(request);
        while (TryNext(ref reader, OtlpFields.ExportTraceServiceRequest.ResourceSpans, out ReadOnlySpan<byte> resourceSpans))
        {
            AddResourceSpans(resourceSpans);
        }
    }

    private void AddResourceSpans(ReadOnlySpan<byte> resourceSpans)
    {
        using PooledBuffer resource = new(256);
        Merge(resourceSpans, OtlpFields.ResourceSpans.Resource, resource);
        WireReader reader = new(resourceSpans);
        while (TryNext(ref reader, OtlpFields.ResourceSpans.ScopeSpans, out ReadOnlySpan<byte> scopeSpans))
        {
            AddScopeSpans(scopeSpans, resource.WrittenSpan);
        }

        // The size of a request with this resource and only this trace's spans.
        foreach ((CollectedTrace trace, long scopes) in _resourceParts)
        {
            trace.Bytes += DelimitedSize(DelimitedSize(resource.Length) + scopes);
        }

        _resourceParts.Clear();
    }

    private void AddScopeSpans(ReadOnlySpan<byte> scopeSpans, ReadOnlySpan<byte> resource)
    {
        using PooledBuffer scope = new(256);
        Merge(scopeSpans, OtlpFields.ScopeSpans.Scope, scope);
        WireReader reader = new(scopeSpans);
        while (TryNext(ref reader, OtlpFields.ScopeSpans.Spans, out ReadOnlySpan<byte> span))
        {
            AddSpan(span, resource);
        }

        foreach ((CollectedTrace trace, long spans) in _scopeParts)
        {
            _resourceParts[trace] = _resourceParts.GetValueOrDefault(trace) + DelimitedSize(DelimitedSize(scope.Length) + spans);
        }

        _scopeParts.Clear();
    }

    private void AddSpan(ReadOnlySpan<byte> span, ReadOnlySpan<byte> resource)
    {
        if (!TryReadIds(span, out TraceId traceId))
        {
            InvalidSpans++;
            return;
        }

        if (!_byId.TryGetValue(traceId, out CollectedTrace? trace))
        {
            trace = new CollectedTrace(traceId, program.Set.ConditionWords);
            _byId.Add(traceId, trace);
            _traces.Add(trace);
        }

        Array.Clear(_matched);
        program.ScanSpan(span, _matched, out SpanFacts facts);
        if (!trace.TryAddSpan(facts, span.Length))
        {
            RepeatedSpans++;
            return;
        }

        if (!_resourceParts.ContainsKey(trace) && !_scopeParts.ContainsKey(trace))
        {
            program.ScanResource(resource, trace.Conditions);
        }

        for (int i = 0; i < _matched.Length; i++)
        {
            trace.Conditions[i] |= _matched[i];
        }

        trace.AddTimes(facts);
        _scopeParts[trace] = _scopeParts.GetValueOrDefault(trace) + DelimitedSize(span.Length);
    }

    /// <summary>Reads the trace ID, whether both IDs are valid and, by passing over all the rest, makes sure that the span is well-formed.</summary>
    private static bool TryReadIds(ReadOnlySpan<byte> span, out TraceId traceId)
    {
        traceId = default;
        ulong spanId = 0;
        WireReader reader = new(span);
        while (reader.TryReadTag(out uint tag))
        {
            bool isTraceId = tag == Delimited(OtlpFields.Span.TraceId);
            if (!isTraceId && tag != Delimited(OtlpFields.Span.SpanId))
            {
                if (!reader.TrySkip(tag))
                {
                    break;
                }
            }
            else if (!reader.TryReadBytes(out ReadOnlySpan<byte> id))
            {
                break;
            }
            else if (isTraceId)
            {
                traceId = id.Length == TraceId.Size ? TraceId.Read(id) : default;
            }
            else
            {
                spanId = id.Length == SpanId.Size ? SpanId.Read(id).Value : 0;
            }
        }

        ThrowUnlessAtEnd(reader);
        return traceId.IsValid && spanId != 0;
    }

    /// <summary>Messages of which there are several count as one: they merge by concatenation.</summary>
    private static void Merge(ReadOnlySpan<byte> message, int field, PooledBuffer merged)
    {
        WireReader reader = new(message);
        while (TryNext(ref reader, field, out ReadOnlySpan<byte> part))
        {
            merged.Write(part);
        }
    }

    private static bool TryNext(scoped ref WireReader reader, int field, out ReadOnlySpan<byte> content)
    {
        content = default;
        while (reader.TryReadTag(out uint tag))
        {
            if (tag == Delimited(field))
            {
                if (reader.TryReadBytes(out content))
                {
                    return true;
                }

                break;
            }

            if (!reader.TrySkip(tag))
            {
                break;
            }
        }

        ThrowUnlessAtEnd(reader);
        return false;
    }

    private static void ThrowUnlessAtEnd(in WireReader reader)
    {
        if (!reader.AtEnd)
        {
            throw new FormatException($"no OTLP trace request: {reader.Error} at byte {reader.Position} of a message");
        }
    }

    private static uint Delimited(int field) => ((uint)field << 3) | (uint)WireType.LengthDelimited;

    private static long DelimitedSize(long length) => 1 + WireWriter.VarintSize((ulong)length) + length;
}
