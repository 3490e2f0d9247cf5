using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;

namespace Cluster.Sampling.Tests;

/// <summary>Builds messages field by field, so that tests can also say what no encoder would: repeated fields, odd orders.</summary>
internal sealed class MessageBuilder
{
    private readonly List<byte> _bytes = [];

    public static MessageBuilder Empty => new();

    public byte[] Build() => [.. _bytes];

    public MessageBuilder Raw(params byte[] bytes)
    {
        _bytes.AddRange(bytes);
        return this;
    }

    public MessageBuilder Varint(int field, ulong value)
    {
        Span<byte> buffer = stackalloc byte[20];
        return Raw(buffer[..WireWriter.WriteVarintField(buffer, 0, field, value)].ToArray());
    }

    public MessageBuilder Fixed64(int field, ulong value)
    {
        Span<byte> buffer = stackalloc byte[20];
        return Raw(buffer[..WireWriter.WriteFixed64Field(buffer, 0, field, value)].ToArray());
    }

    public MessageBuilder Fixed32(int field, uint value)
    {
        Span<byte> buffer = stackalloc byte[20];
        return Raw(buffer[..WireWriter.WriteFixed32Field(buffer, 0, field, value)].ToArray());
    }

    public MessageBuilder Bytes(int field, ReadOnlySpan<byte> value)
    {
        byte[] buffer = new byte[value.Length + 20];
        return Raw(buffer[..WireWriter.WriteBytes(buffer, 0, field, value)]);
    }

    public MessageBuilder Text(int field, string value) => Bytes(field, System.Text.Encoding.UTF8.GetBytes(value));
}

/// <summary>Values of attributes.</summary>
internal static class Any
{
    public static byte[] Of(object? value) => value switch
    {
        null => [],
        string s => MessageBuilder.Empty.Text(OtlpFields.AnyValue.StringValue, s).Build(),
        byte[] utf8 => MessageBuilder.Empty.Bytes(OtlpFields.AnyValue.StringValue, utf8).Build(),
        bool b => MessageBuilder.Empty.Varint(OtlpFields.AnyValue.BoolValue, b ? 1UL : 0).Build(),
        int i => MessageBuilder.Empty.Varint(OtlpFields.AnyValue.IntValue, (ulong)i).Build(),
        long l => MessageBuilder.Empty.Varint(OtlpFields.AnyValue.IntValue, (ulong)l).Build(),
        double d => MessageBuilder.Empty.Fixed64(OtlpFields.AnyValue.DoubleValue, BitConverter.DoubleToUInt64Bits(d)).Build(),
        string[] list => MessageBuilder.Empty.Bytes(OtlpFields.AnyValue.ArrayValue, List(list)).Build(),
        _ => throw new ArgumentException(value.GetType().Name, nameof(value)),
    };

    public static byte[] KeyValue(string key, object? value) =>
        MessageBuilder.Empty.Text(OtlpFields.KeyValue.Key, key).Bytes(OtlpFields.KeyValue.Value, Of(value)).Build();

    private static byte[] List(string[] values)
    {
        MessageBuilder list = new();
        foreach (string value in values)
        {
            list.Bytes(OtlpFields.AnyValue.Values, Of(value));
        }

        return list.Build();
    }
}

/// <summary>Builds one <c>Span</c> message.</summary>
internal sealed class SpanBuilder
{
    private readonly MessageBuilder _message = new();

    public byte[] Build() => _message.Build();

    public SpanBuilder Raw(Action<MessageBuilder> write)
    {
        write(_message);
        return this;
    }

    public SpanBuilder Ids(ulong spanId, ulong parentSpanId = 0)
    {
        _message.Bytes(OtlpFields.Span.TraceId, new byte[16]).Bytes(OtlpFields.Span.SpanId, BigEndian(spanId));
        if (parentSpanId != 0)
        {
            _message.Bytes(OtlpFields.Span.ParentSpanId, BigEndian(parentSpanId));
        }

        return this;
    }

    public SpanBuilder Times(ulong start, ulong end)
    {
        _message.Fixed64(OtlpFields.Span.StartTimeUnixNano, start).Fixed64(OtlpFields.Span.EndTimeUnixNano, end);
        return this;
    }

    public SpanBuilder Name(string name) => Raw(m => m.Text(OtlpFields.Span.Name, name));

    public SpanBuilder Kind(int kind) => Raw(m => m.Varint(OtlpFields.Span.Kind, (ulong)kind));

    public SpanBuilder Attribute(string key, object? value) => Raw(m => m.Bytes(OtlpFields.Span.Attributes, Any.KeyValue(key, value)));

    public SpanBuilder Status(int code) =>
        Raw(m => m.Bytes(OtlpFields.Span.Status, MessageBuilder.Empty.Varint(OtlpFields.Status.Code, (ulong)code).Build()));

    public SpanBuilder TraceState(string value) => Raw(m => m.Text(OtlpFields.Span.TraceState, value));

    public SpanBuilder Flags(uint flags) => Raw(m => m.Fixed32(OtlpFields.Span.Flags, flags));

    private static byte[] BigEndian(ulong value)
    {
        byte[] bytes = new byte[8];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(bytes, value);
        return bytes;
    }
}
