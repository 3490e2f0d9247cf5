using System.Text;
using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;

namespace Cluster.LoadGenerator.Workload;

/// <summary>Writes a protobuf message into memory that grows. For building templates: it allocates freely. Not thread-safe.</summary>
internal sealed class MessageWriter
{
    private byte[] _bytes = new byte[256];

    /// <summary>Bytes written.</summary>
    public int Length { get; private set; }

    /// <summary>What was written; dead after the next write.</summary>
    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    /// <summary>Forgets what was written.</summary>
    public void Clear() => Length = 0;

    /// <summary>A length-delimited field. Returns the offset of its content.</summary>
    public int Bytes(int field, ReadOnlySpan<byte> value)
    {
        EnsureRoom(2 * WireWriter.MaxVarintSize + value.Length);
        Length = WireWriter.WriteBytes(_bytes, Length, field, value);
        return Length - value.Length;
    }

    /// <summary>A string field.</summary>
    public void String(int field, string value) => Bytes(field, Encoding.UTF8.GetBytes(value));

    /// <summary>An embedded message. Returns the offset of its content.</summary>
    public int Message(int field, MessageWriter message) => Bytes(field, message.Written);

    /// <summary>A varint field.</summary>
    public void Varint(int field, ulong value)
    {
        EnsureRoom(2 * WireWriter.MaxVarintSize);
        Length = WireWriter.WriteVarintField(_bytes, Length, field, value);
    }

    /// <summary>A fixed64 field. Returns the offset of its value.</summary>
    public int Fixed64(int field, ulong value)
    {
        EnsureRoom(WireWriter.MaxVarintSize + sizeof(ulong));
        Length = WireWriter.WriteFixed64Field(_bytes, Length, field, value);
        return Length - sizeof(ulong);
    }

    /// <summary>A string attribute.</summary>
    public void Attribute(int field, string key, string value)
    {
        var any = new MessageWriter();
        any.String(OtlpFields.AnyValue.StringValue, value);
        KeyValue(field, key, any);
    }

    /// <summary>An integer attribute.</summary>
    public void Attribute(int field, string key, long value)
    {
        var any = new MessageWriter();
        any.Varint(OtlpFields.AnyValue.IntValue, (ulong)value);
        KeyValue(field, key, any);
    }

    private void KeyValue(int field, string key, MessageWriter value)
    {
        var pair = new MessageWriter();
        pair.String(OtlpFields.KeyValue.Key, key);
        pair.Message(OtlpFields.KeyValue.Value, value);
        Message(field, pair);
    }

    private void EnsureRoom(int count)
    {
        if (_bytes.Length - Length < count)
        {
            Array.Resize(ref _bytes, Math.Max(Length + count, 2 * _bytes.Length));
        }
    }
}
