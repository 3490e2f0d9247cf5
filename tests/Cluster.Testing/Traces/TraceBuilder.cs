using System.Buffers.Binary;
using Cluster.Messages.Identity;
using Cluster.Testing.Otlp;
using Google.Protobuf;

namespace Cluster.Testing;

/// <summary>
/// Builds an OTLP request readably: <c>new TraceBuilder().Resource("cart").Span(trace: 1, id: 1, name: "GET /").Error().Span(trace: 1,
/// id: 2, parent: 1)</c>.
/// Calls about a span change the span added last; a span goes under the resource and scope named last ("service", "library" to begin with).
/// Times are milliseconds after <see cref="Epoch"/>.
/// </summary>
public sealed class TraceBuilder
{
    /// <summary>Where the times of spans begin: 2026-01-01T00:00:00Z, in nanoseconds since 1970.</summary>
    public const ulong Epoch = 1_767_225_600_000_000_000;

    private readonly ExportTraceServiceRequest _request = new();
    private ResourceSpans? _resource;
    private ScopeSpans? _scope;
    private Span? _span;

    /// <summary>The span added last, for what has no method here.</summary>
    public Span LastSpan => _span ?? throw new InvalidOperationException("No span was added yet.");

    /// <summary>The trace ID that <see cref="Span"/> gives for a number: its last eight bytes are the number, its first eight a mixed
    /// form of it.</summary>
    public static TraceId TraceId(ulong number) => new(unchecked(number * 0x9E3779B97F4A7C15UL), number);

    /// <summary>Starts the spans of another service.</summary>
    public TraceBuilder Resource(string serviceName)
    {
        _resource = new ResourceSpans { Resource = new Resource { Attributes = { Attribute("service.name", serviceName) } } };
        _request.ResourceSpans.Add(_resource);
        _scope = null;
        return this;
    }

    /// <summary>Adds an attribute to the service named last: string, bool, int, long, double, byte[], or a list of such.</summary>
    public TraceBuilder ResourceAttribute(string key, object value)
    {
        EnsureResource().Resource.Attributes.Add(Attribute(key, value));
        return this;
    }

    /// <summary>Starts the spans of another instrumentation library, in the same service.</summary>
    public TraceBuilder Scope(string name, string version = "")
    {
        _scope = new ScopeSpans { Scope = new InstrumentationScope { Name = name, Version = version } };
        EnsureResource().ScopeSpans.Add(_scope);
        return this;
    }

    /// <summary>Adds a span.</summary>
    /// <param name="trace">Number of the trace, not 0.</param>
    /// <param name="id">Span ID, not 0.</param>
    /// <param name="parent">Parent's span ID; 0 makes it a root.</param>
    /// <param name="name">Name.</param>
    /// <param name="startMs">Start, in milliseconds after <see cref="Epoch"/>.</param>
    /// <param name="durationMs">Duration in milliseconds.</param>
    public TraceBuilder Span(ulong trace, ulong id, ulong parent = 0, string name = "operation", double startMs = 0, double durationMs = 1)
    {
        ulong start = Epoch + (ulong)(startMs * 1e6);
        _span = new Span
        {
            TraceId = Bytes(TraceId(trace)),
            SpanId = SpanIdBytes(id),
            ParentSpanId = parent == 0 ? ByteString.Empty : SpanIdBytes(parent),
            Name = name,
            Kind = Otlp.Span.Types.SpanKind.Internal,
            StartTimeUnixNano = start,
            EndTimeUnixNano = start + (ulong)(durationMs * 1e6),
        };
        if (_scope is null)
        {
            Scope("library");
        }

        _scope!.Spans.Add(_span);
        return this;
    }

    /// <summary>Adds an attribute to the span: string, bool, int, long, double, byte[], or a list of such.</summary>
    public TraceBuilder With(string key, object value)
    {
        LastSpan.Attributes.Add(Attribute(key, value));
        return this;
    }

    /// <summary>Sets the span's status.</summary>
    public TraceBuilder Status(Status.Types.StatusCode code, string message = "")
    {
        LastSpan.Status = new Status { Code = code, Message = message };
        return this;
    }

    /// <summary>Sets the span's status to error.</summary>
    public TraceBuilder Error(string message = "") => Status(Otlp.Status.Types.StatusCode.Error, message);

    /// <summary>Sets the span's kind.</summary>
    public TraceBuilder Kind(Span.Types.SpanKind kind)
    {
        LastSpan.Kind = kind;
        return this;
    }

    /// <summary>Sets the span's tracestate.</summary>
    public TraceBuilder TraceState(string traceState)
    {
        LastSpan.TraceState = traceState;
        return this;
    }

    /// <summary>Sets the span's flags.</summary>
    public TraceBuilder Flags(uint flags)
    {
        LastSpan.Flags = flags;
        return this;
    }

    /// <summary>Adds an event to the span, at the span's start.</summary>
    public TraceBuilder Event(string name, params KeyValue[] attributes)
    {
        LastSpan.Events.Add(new Span.Types.Event { Name = name, TimeUnixNano = LastSpan.StartTimeUnixNano, Attributes = { attributes } });
        return this;
    }

    /// <summary>Adds a link to the span.</summary>
    public TraceBuilder Link(ulong trace, ulong id, params KeyValue[] attributes)
    {
        LastSpan.Links.Add(new Span.Types.Link { TraceId = Bytes(TraceId(trace)), SpanId = SpanIdBytes(id), Attributes = { attributes } });
        return this;
    }

    /// <summary>The request so far; later calls go on changing it.</summary>
    public ExportTraceServiceRequest Build() => _request;

    /// <summary>The request so far, encoded.</summary>
    public byte[] ToBytes() => _request.ToByteArray();

    /// <summary>An attribute.</summary>
    public static KeyValue Attribute(string key, object value) => new() { Key = key, Value = Value(value) };

    /// <summary>A value: string, bool, int, long, double, byte[], a dictionary with string keys, or a list.</summary>
    public static AnyValue Value(object value) => value switch
    {
        AnyValue ready => ready,
        string text => new AnyValue { StringValue = text },
        bool flag => new AnyValue { BoolValue = flag },
        int number => new AnyValue { IntValue = number },
        long number => new AnyValue { IntValue = number },
        double number => new AnyValue { DoubleValue = number },
        byte[] bytes => new AnyValue { BytesValue = ByteString.CopyFrom(bytes) },
        IReadOnlyDictionary<string, object> map => new AnyValue
        {
            KvlistValue = new KeyValueList { Values = { map.Select(pair => Attribute(pair.Key, pair.Value)) } },
        },
        System.Collections.IEnumerable list => new AnyValue
        {
            ArrayValue = new ArrayValue { Values = { list.Cast<object>().Select(Value) } },
        },
        _ => throw new ArgumentException($"No attribute can hold a {value.GetType()}.", nameof(value)),
    };

    /// <summary>The 16 bytes of a trace ID.</summary>
    public static ByteString Bytes(TraceId id)
    {
        byte[] bytes = new byte[Messages.Identity.TraceId.Size];
        id.Write(bytes);
        return ByteString.CopyFrom(bytes);
    }

    /// <summary>The 8 bytes of a span ID.</summary>
    public static ByteString SpanIdBytes(ulong id)
    {
        byte[] bytes = new byte[SpanId.Size];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, id);
        return ByteString.CopyFrom(bytes);
    }

    private ResourceSpans EnsureResource()
    {
        if (_resource is null)
        {
            Resource("service");
        }

        return _resource!;
    }
}
