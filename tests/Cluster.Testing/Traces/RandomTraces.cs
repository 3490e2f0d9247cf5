using System.Text;
using Cluster.Testing.Otlp;
using Google.Protobuf;
using SpanKind = Cluster.Testing.Otlp.Span.Types.SpanKind;
using StatusCode = Cluster.Testing.Otlp.Status.Types.StatusCode;

namespace Cluster.Testing;

/// <summary>How large <see cref="RandomTraces"/> makes a request.</summary>
public sealed record RandomTracesSize
{
    /// <summary>Different traces.</summary>
    public int Traces { get; init; } = 4;

    /// <summary>Spans of a trace: 1 to this many.</summary>
    public int SpansPerTrace { get; init; } = 8;

    /// <summary>Resources: 1 to this many.</summary>
    public int Resources { get; init; } = 3;

    /// <summary>Scopes of a resource: 0 to this many.</summary>
    public int ScopesPerResource { get; init; } = 3;
}

/// <summary>
/// Random requests from a seed, the same for the same seed: span trees that lie across resources and scopes, some with missing parents,
/// attributes of all
/// kinds nested in each other, events, links, statuses, flags, tracestates, empty scopes, spans without a resource.
/// <see cref="NoisyEncoder"/> encodes
/// them in unusual but valid ways.
/// </summary>
public sealed class RandomTraces
{
    private static readonly string[] Words =
    [
        "GET /cart", "", "db.query", "http.status_code", "größe", "路由", "😀 emoji", "tab\t\"quote\" \\ \u0001", "<html>&'", "a",
        "service.name", "k8s.pod.uid",
    ];

    private readonly Random _random;
    private readonly RandomTracesSize _size;

    private RandomTraces(int seed, RandomTracesSize size)
    {
        _random = new Random(seed);
        _size = size;
    }

    /// <summary>A request.</summary>
    public static ExportTraceServiceRequest Request(int seed, RandomTracesSize? size = null) =>
        new RandomTraces(seed, size ?? new RandomTracesSize()).Request();

    /// <summary>A request in an unusual encoding, with unknown fields at every level.</summary>
    public static byte[] NoisyBytes(int seed, RandomTracesSize? size = null) => NoisyEncoder.Encode(Request(seed, size), seed);

    private ExportTraceServiceRequest Request()
    {
        ExportTraceServiceRequest request = new();
        for (int resources = 1 + _random.Next(_size.Resources); resources > 0; resources--)
        {
            request.ResourceSpans.Add(ResourceSpans());
        }

        List<ScopeSpans> scopes = [.. request.ResourceSpans.SelectMany(resource => resource.ScopeSpans)];
        if (scopes.Count == 0)
        {
            scopes.Add(new ScopeSpans());
            request.ResourceSpans[0].ScopeSpans.Add(scopes[0]);
        }

        for (int trace = 0; trace < _size.Traces; trace++)
        {
            AddTrace(scopes);
        }

        return request;
    }

    private ResourceSpans ResourceSpans()
    {
        ResourceSpans spans = new() { SchemaUrl = Rarely() ? "https://opentelemetry.io/schemas/1.37.0" : "" };
        if (!Rarely())
        {
            spans.Resource = new Resource { DroppedAttributesCount = Count() };
            spans.Resource.Attributes.Add(TraceBuilder.Attribute("service.name", Word()));
            AddAttributes(spans.Resource.Attributes, 4);
            if (Rarely())
            {
                spans.Resource.EntityRefs.Add(new EntityRef
                {
                    SchemaUrl = Word(),
                    Type = "service",
                    IdKeys = { "service.name", "" },
                    DescriptionKeys = { Word() },
                });
            }
        }

        for (int scopes = _random.Next(_size.ScopesPerResource + 1); scopes > 0; scopes--)
        {
            ScopeSpans scope = new() { SchemaUrl = Rarely() ? Word() : "" };
            if (!Rarely())
            {
                scope.Scope = new InstrumentationScope
                {
                    Name = Word(),
                    Version = Rarely() ? "1.2.3" : "",
                    DroppedAttributesCount = Count(),
                };
                AddAttributes(scope.Scope.Attributes, 1);
            }

            spans.ScopeSpans.Add(scope);
        }

        return spans;
    }

    private void AddTrace(List<ScopeSpans> scopes)
    {
        ByteString traceId = Bytes(16);
        List<ByteString> ids = [];
        for (int spans = 1 + _random.Next(_size.SpansPerTrace); spans > 0; spans--)
        {
            Span span = Span();
            span.TraceId = traceId;
            span.SpanId = Bytes(8);
            span.ParentSpanId = ids.Count == 0 ? ByteString.Empty : Rarely() ? Bytes(8) : ids[_random.Next(ids.Count)];
            ids.Add(span.SpanId);
            scopes[_random.Next(scopes.Count)].Spans.Add(span);
        }
    }

    private Span Span()
    {
        ulong start = TraceBuilder.Epoch + (ulong)_random.NextInt64(10_000_000_000);
        Span span = new()
        {
            Name = Word(),
            Kind = Rarely() ? (SpanKind)_random.Next(-3, 200) : (SpanKind)_random.Next(6),
            StartTimeUnixNano = Rarely() ? 0 : start,
            EndTimeUnixNano = Rarely() ? ulong.MaxValue : start + (ulong)_random.NextInt64(1_000_000_000),
            TraceState = Rarely() ? "ot=th:8,vendor=value" : "",
            Flags = Rarely() ? (uint)_random.NextInt64(1L << 32) : 0x101,
            DroppedAttributesCount = Count(),
            DroppedEventsCount = Count(),
            DroppedLinksCount = Count(),
        };
        AddAttributes(span.Attributes, 6);
        for (int events = _random.Next(-3, 3); events > 0; events--)
        {
            Span.Types.Event item = new() { Name = Word(), TimeUnixNano = start, DroppedAttributesCount = Count() };
            AddAttributes(item.Attributes, 2);
            span.Events.Add(item);
        }

        for (int links = _random.Next(-3, 3); links > 0; links--)
        {
            Span.Types.Link link = new()
            {
                TraceId = Bytes(16),
                SpanId = Bytes(8),
                TraceState = Rarely() ? Word() : "",
                DroppedAttributesCount = Count(),
                Flags = Count(),
            };
            AddAttributes(link.Attributes, 2);
            span.Links.Add(link);
        }

        if (_random.Next(2) == 0)
        {
            span.Status = new Status { Code = (StatusCode)_random.Next(Rarely() ? 10 : 3), Message = Rarely() ? Word() : "" };
        }

        return span;
    }

    private void AddAttributes(ICollection<KeyValue> attributes, int atMost)
    {
        for (int count = _random.Next(atMost + 1); count > 0; count--)
        {
            KeyValue attribute = new() { Key = Word() };
            if (_random.Next(20) != 0)
            {
                attribute.Value = Value(0);
            }

            attributes.Add(attribute);
        }
    }

    private AnyValue Value(int depth)
    {
        switch (_random.Next(depth < 4 ? 10 : 7))
        {
            case 0:
                return new AnyValue { BoolValue = _random.Next(2) == 0 };
            case 1:
                return new AnyValue { IntValue = Integer() };
            case 2:
                return new AnyValue { DoubleValue = Double() };
            case 3:
                return new AnyValue { BytesValue = Bytes(_random.Next(40)) };
            case 4:
                return new AnyValue();
            case 7:
                AnyValue list = new() { ArrayValue = new ArrayValue() };
                for (int items = _random.Next(4); items > 0; items--)
                {
                    list.ArrayValue.Values.Add(Value(depth + 1));
                }

                return list;
            case 8:
                AnyValue map = new() { KvlistValue = new KeyValueList() };
                for (int items = _random.Next(4); items > 0; items--)
                {
                    map.KvlistValue.Values.Add(new KeyValue { Key = Word(), Value = Value(depth + 1) });
                }

                return map;
            default:
                return new AnyValue { StringValue = Word() };
        }
    }

    private long Integer() => _random.Next(4) switch
    {
        0 => _random.Next(-1, 2),
        1 => _random.Next(2) == 0 ? long.MinValue : long.MaxValue,
        _ => _random.NextInt64(long.MinValue, long.MaxValue) >> _random.Next(64),
    };

    private double Double() => _random.Next(6) switch
    {
        0 => 0,
        1 => double.NaN,
        2 => _random.Next(2) == 0 ? double.PositiveInfinity : double.NegativeInfinity,
        3 => _random.Next(2) == 0 ? double.MaxValue : double.Epsilon,
        4 => -0.0,
        _ => (_random.NextDouble() - 0.5) * Math.Pow(10, _random.Next(-20, 20)),
    };

    private string Word()
    {
        if (_random.Next(30) != 0)
        {
            return Words[_random.Next(Words.Length)];
        }

        StringBuilder text = new();
        for (int i = _random.Next(400); i > 0; i--)
        {
            text.Append((char)_random.Next(0, 0xD800));
        }

        return text.ToString();
    }

    private uint Count() => Rarely() ? (uint)_random.NextInt64(1L << 32) : 0;

    private ByteString Bytes(int count)
    {
        byte[] bytes = new byte[count];
        _random.NextBytes(bytes);
        return ByteString.CopyFrom(bytes);
    }

    private bool Rarely() => _random.Next(6) == 0;
}
