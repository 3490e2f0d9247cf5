using Cluster.Messages.Protobuf;

namespace Cluster.Messages.Otlp;

/// <summary>
/// Goes through the spans of a protobuf <c>ExportTraceServiceRequest</c> in order, each with its resource and scope:
/// <c>foreach (OtlpSpan span in new OtlpTraceReader(request))</c>. For what is not the hot path: admin, debug exporter, command line.
/// Every view is
/// of the request's own memory and valid as long as that is. Throws <see cref="FormatException"/> where the bytes are no such message;
/// the spans before that place have come out by then.
/// </summary>
public ref struct OtlpTraceReader
{
    private WireReader _request;
    private WireReader _resourceSpans;
    private WireReader _scopeSpans;
    private ReadOnlySpan<byte> _resource;
    private ReadOnlySpan<byte> _scope;

    /// <summary>A reader before the first span of <paramref name="request"/>.</summary>
    public OtlpTraceReader(ReadOnlySpan<byte> request) => _request = new WireReader(request);

    /// <summary>The span that <see cref="MoveNext"/> came to.</summary>
    public OtlpSpan Current { get; private set; }

    /// <summary>Makes <c>foreach</c> work.</summary>
    public readonly OtlpTraceReader GetEnumerator() => this;

    /// <summary>Goes to the next span.</summary>
    /// <returns>False after the last.</returns>
    /// <exception cref="FormatException">The bytes are no OTLP trace request.</exception>
    public bool MoveNext()
    {
        while (true)
        {
            if (TryReadNext(ref _scopeSpans, OtlpFields.ScopeSpans.Spans, out ReadOnlySpan<byte> span))
            {
                Current = new OtlpSpan(_resource, _scope, span);
                return true;
            }

            if (TryReadNext(ref _resourceSpans, OtlpFields.ResourceSpans.ScopeSpans, out ReadOnlySpan<byte> scopeSpans))
            {
                _scopeSpans = new WireReader(scopeSpans);
                _scope = Merged(scopeSpans, OtlpFields.ScopeSpans.Scope);
                continue;
            }

            if (!TryReadNext(ref _request, OtlpFields.ExportTraceServiceRequest.ResourceSpans, out ReadOnlySpan<byte> resourceSpans))
            {
                return false;
            }

            _resourceSpans = new WireReader(resourceSpans);
            _resource = Merged(resourceSpans, OtlpFields.ResourceSpans.Resource);
        }
    }

    private static bool TryReadNext(scoped ref WireReader reader, int field, out ReadOnlySpan<byte> content)
    {
        content = default;
        if (WireLookup.TryReadUntil(ref reader, WireTag.LengthDelimited(field)) && reader.TryReadBytes(out content))
        {
            return true;
        }

        return reader.AtEnd
            ? false
            : throw new FormatException($"No OTLP trace request: {reader.Error} at byte {reader.Position} of a message.");
    }

    // The resource may stand behind the spans, and there may be several of it, which then count as one: messages merge by concatenation.
    private static ReadOnlySpan<byte> Merged(ReadOnlySpan<byte> message, int field)
    {
        WireReader reader = new(message);
        if (!TryReadNext(ref reader, field, out ReadOnlySpan<byte> first) || !TryReadNext(ref reader, field, out ReadOnlySpan<byte> part))
        {
            return first;
        }

        using PooledBuffer merged = new(message.Length);
        merged.Write(first);
        do
        {
            merged.Write(part);
        }
        while (TryReadNext(ref reader, field, out part));
        return merged.WrittenSpan.ToArray();
    }
}
