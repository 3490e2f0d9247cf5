using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Cluster.Messages.Protobuf;

namespace Cluster.Messages.Otlp;

/// <summary>
/// One pass from JSON tokens to protobuf bytes, by the tables of <see cref="OtlpSchema"/>. Members go out in the order in which they come in;
/// a message's length is put before it when its end is reached. Recursion is bounded by <see cref="MaxValueDepth"/>. Nothing is
/// allocated unless the document is wrong.
/// </summary>
internal ref struct OtlpJsonReader
{
    /// <summary>Attribute values nested in lists deeper than this are refused: the outermost is at 1.</summary>
    public const int MaxValueDepth = 32;

    // JSON nests up to four times as deep as values do, twelve levels of spans and events around them.
    private const int MaxJsonDepth = 160;

    // Room for a tag and a length before text that is unescaped straight into the output.
    private const int PrefixRoom = 16;

    // No name of ours is longer, even with each letter written as a six-character escape.
    private const int MaxNameBytes = 6 * 32;

    private readonly PooledBuffer _output;
    private readonly ReadOnlySpan<byte> _json;
    private Utf8JsonReader _reader;

    public OtlpJsonReader(ReadOnlySpan<byte> json, PooledBuffer output)
    {
        _json = json;
        _output = output;
        _reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = MaxJsonDepth });
    }

    /// <summary>What is wrong, after false was returned.</summary>
    public OtlpJsonError Error { get; private set; }

    /// <summary>Reads the whole document as one <paramref name="message"/>.</summary>
    public bool TryRead(OtlpMessage message)
    {
        if (!Utf8.IsValid(_json))
        {
            return Fail(InvalidByteOffset(), "The text is not valid UTF-8.");
        }

        try
        {
            _reader.Read();
            if (_reader.TokenType != JsonTokenType.StartObject)
            {
                return Fail($"{message.Name} must be an object.");
            }

            // The last read finds what follows the object, and throws.
            return TryReadMessage(message, valueDepth: 0) && !_reader.Read();
        }
        catch (JsonException e)
        {
            int detail = e.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
            return Fail(OffsetOf(e), detail < 0 ? e.Message : e.Message[..detail]);
        }
    }

    private bool TryReadMessage(OtlpMessage message, int valueDepth)
    {
        if (ReferenceEquals(message, OtlpSchema.AnyValue) && ++valueDepth > MaxValueDepth)
        {
            return Fail($"Values are nested deeper than {MaxValueDepth}.");
        }

        // Encoders write members in one order: the one after the last is tried first.
        int next = 0;
        uint seen = 0;
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndObject)
        {
            if (!TryFindField(message, next, out int index))
            {
                return false;
            }

            _reader.Read();
            if (index < 0)
            {
                _reader.Skip();
                continue;
            }

            next = index + 1;
            OtlpField field = message.Fields[index];
            if (_reader.TokenType == JsonTokenType.Null)
            {
                continue;
            }

            // A default is left out, except where its being there says something: which member of a oneof, or that an earlier duplicate does not hold.
            bool keepDefault = message.IsOneof || (seen & (1u << index)) != 0;
            if (!(field.Repeated ? TryReadList(field, valueDepth) : TryReadValue(field, valueDepth, keepDefault)))
            {
                return false;
            }

            seen |= 1u << index;
        }

        return true;
    }

    private bool TryFindField(OtlpMessage message, int next, out int index)
    {
        ReadOnlySpan<byte> name = _reader.ValueSpan;
        index = -1;
        if (_reader.ValueIsEscaped)
        {
            Span<byte> unescaped = stackalloc byte[MaxNameBytes];
            if (name.Length > unescaped.Length)
            {
                return true;
            }

            if (!TryUnescape(unescaped, out int length))
            {
                return false;
            }

            index = IndexOf(message.Fields, unescaped[..length], next);
            return true;
        }

        index = IndexOf(message.Fields, name, next);
        return true;
    }

    private static int IndexOf(OtlpField[] fields, ReadOnlySpan<byte> name, int next)
    {
        if (next < fields.Length && name.SequenceEqual(fields[next].Utf8Name))
        {
            return next;
        }

        for (int i = 0; i < fields.Length; i++)
        {
            if (name.SequenceEqual(fields[i].Utf8Name) || name.SequenceEqual(fields[i].Utf8OriginalName))
            {
                return i;
            }
        }

        return -1;
    }

    private bool TryReadList(OtlpField field, int valueDepth)
    {
        if (_reader.TokenType != JsonTokenType.StartArray)
        {
            return Expected(field, "a list");
        }

        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndArray)
        {
            if (!TryReadValue(field, valueDepth, keepDefault: true))
            {
                return false;
            }
        }

        return true;
    }

    private bool TryReadValue(OtlpField field, int valueDepth, bool keepDefault)
    {
        switch (field.Kind)
        {
            case OtlpFieldKind.Message:
                if (_reader.TokenType != JsonTokenType.StartObject)
                {
                    return Expected(field, "an object");
                }

                int content = _output.BeginMessage(field.Number);
                if (!TryReadMessage(field.Message!, valueDepth))
                {
                    return false;
                }

                _output.EndMessage(content);
                return true;
            case OtlpFieldKind.Text:
                return TryReadString(field, keepDefault);
            case OtlpFieldKind.Hex:
                return TryReadHex(field, keepDefault);
            case OtlpFieldKind.Base64:
                return TryReadBase64(field, keepDefault);
            case OtlpFieldKind.Bool:
                if (_reader.TokenType is not (JsonTokenType.True or JsonTokenType.False))
                {
                    return Expected(field, "true or false");
                }

                return WriteNumber(field, _reader.TokenType == JsonTokenType.True ? 1u : 0u, keepDefault);
            case OtlpFieldKind.Double:
                return TryReadDouble(field, keepDefault);
            default:
                return TryReadInteger(field, keepDefault);
        }
    }

    private bool TryReadString(OtlpField field, bool keepDefault)
    {
        if (_reader.TokenType != JsonTokenType.String)
        {
            return Expected(field, "a string");
        }

        if (!TryGetText(out ReadOnlySpan<byte> text))
        {
            return false;
        }

        if (text.Length > 0 || keepDefault)
        {
            Span<byte> room = WriteLengthPrefix(field, text.Length);
            text.CopyTo(room);
            _output.Advance(text.Length);
        }

        return true;
    }

    private bool TryReadHex(OtlpField field, bool keepDefault)
    {
        if (_reader.TokenType != JsonTokenType.String)
        {
            return Expected(field, "a string of hexadecimal digits");
        }

        if (!TryGetText(out ReadOnlySpan<byte> text))
        {
            return false;
        }

        if (text.Length % 2 != 0)
        {
            return Fail($"{field.JsonName} has an odd number of hexadecimal digits.");
        }

        if (text.Length > 0 || keepDefault)
        {
            Span<byte> room = WriteLengthPrefix(field, text.Length / 2);
            if (OtlpJsonNumber.DecodeHex(text, room) is >= 0 and var wrong)
            {
                return FailInText(wrong, $"{field.JsonName} has a character that is no hexadecimal digit.");
            }

            _output.Advance(text.Length / 2);
        }

        return true;
    }

    private bool TryReadBase64(OtlpField field, bool keepDefault)
    {
        if (_reader.TokenType != JsonTokenType.String)
        {
            return Expected(field, "a string in base64");
        }

        if (!TryGetText(out ReadOnlySpan<byte> text))
        {
            return false;
        }

        if (text.Length > 0 || keepDefault)
        {
            int length = OtlpJsonNumber.Base64Length(text);
            Span<byte> room = WriteLengthPrefix(field, length);
            if (OtlpJsonNumber.DecodeBase64(text, room) is >= 0 and var wrong)
            {
                return FailInText(wrong, $"{field.JsonName} is not base64.");
            }

            _output.Advance(length);
        }

        return true;
    }

    private bool TryReadDouble(OtlpField field, bool keepDefault)
    {
        bool isString = _reader.TokenType == JsonTokenType.String;
        if (!isString && _reader.TokenType != JsonTokenType.Number)
        {
            return Expected(field, "a number");
        }

        if (!TryGetText(out ReadOnlySpan<byte> text))
        {
            return false;
        }

        return OtlpJsonNumber.TryReadDouble(text, names: isString, out double value)
            ? WriteNumber(field, BitConverter.DoubleToUInt64Bits(value), keepDefault)
            : Fail($"{field.JsonName} is no number in the range of a double.");
    }

    private bool TryReadInteger(OtlpField field, bool keepDefault)
    {
        bool isString = _reader.TokenType == JsonTokenType.String;
        if (!isString && _reader.TokenType != JsonTokenType.Number)
        {
            return Expected(field, "an integer");
        }

        if (!TryGetText(out ReadOnlySpan<byte> text))
        {
            return false;
        }

        if (field.Kind == OtlpFieldKind.Enum && isString && IndexOf(field.EnumNames, text) is >= 0 and var value)
        {
            return WriteNumber(field, (uint)value, keepDefault);
        }

        if (!OtlpJsonNumber.TryReadInteger(text, out bool negative, out ulong magnitude))
        {
            return Fail(field.Kind == OtlpFieldKind.Enum
                ? $"{field.JsonName} is no value of its enumeration."
                : $"{field.JsonName} is no integer of at most 64 bits.");
        }

        (ulong lowest, ulong highest) = field.Kind switch
        {
            OtlpFieldKind.Int64 => (1UL << 63, (ulong)long.MaxValue),
            OtlpFieldKind.Enum => (1UL << 31, (ulong)int.MaxValue),
            OtlpFieldKind.Fixed64 => (0UL, ulong.MaxValue),
            _ => (0UL, (ulong)uint.MaxValue),
        };
        return magnitude <= (negative ? lowest : highest)
            ? WriteNumber(field, negative ? 0 - magnitude : magnitude, keepDefault)
            : Fail($"{field.JsonName} is out of range.");
    }

    private static int IndexOf(string[] names, ReadOnlySpan<byte> text)
    {
        for (int i = 0; i < names.Length; i++)
        {
            if (Ascii.Equals(text, names[i]))
            {
                return i;
            }
        }

        return -1;
    }

    private readonly bool WriteNumber(OtlpField field, ulong value, bool keepDefault)
    {
        if (value == 0 && !keepDefault)
        {
            return true;
        }

        Span<byte> room = _output.GetSpan(PrefixRoom + WireWriter.MaxVarintSize);
        int position = WireWriter.WriteVarint(room, 0, field.Tag);
        switch ((WireType)(field.Tag & 7))
        {
            case WireType.Fixed64:
                BinaryPrimitives.WriteUInt64LittleEndian(room[position..], value);
                position += sizeof(ulong);
                break;
            case WireType.Fixed32:
                BinaryPrimitives.WriteUInt32LittleEndian(room[position..], (uint)value);
                position += sizeof(uint);
                break;
            default:
                position = WireWriter.WriteVarint(room, position, value);
                break;
        }

        _output.Advance(position);
        return true;
    }

    // Where the text was unescaped into the output there is room already: nothing moves, and the prefix ends before the text begins.
    private readonly Span<byte> WriteLengthPrefix(OtlpField field, int length)
    {
        Span<byte> room = _output.GetSpan(PrefixRoom + length);
        int position = WireWriter.WriteVarint(room, 0, field.Tag);
        position = WireWriter.WriteVarint(room, position, (uint)length);
        _output.Advance(position);
        return room[position..];
    }

    /// <summary>The text of a string or number: a view of the document or, unescaped, of the output's free space.</summary>
    private bool TryGetText(out ReadOnlySpan<byte> text)
    {
        if (!_reader.ValueIsEscaped)
        {
            text = _reader.ValueSpan;
            return true;
        }

        Span<byte> room = _output.GetSpan(PrefixRoom + _reader.ValueSpan.Length)[PrefixRoom..];
        bool unescaped = TryUnescape(room, out int length);
        text = room[..length];
        return unescaped;
    }

    private bool TryUnescape(scoped Span<byte> destination, out int length)
    {
        try
        {
            length = _reader.CopyString(destination);
            return true;
        }
        catch (InvalidOperationException)
        {
            length = 0;
            return Fail("The string escapes half of a surrogate pair.");
        }
    }

    private bool Expected(OtlpField field, string what) => Fail($"{field.JsonName} expects {what}.");

    private bool FailInText(int index, string problem) =>
        Fail(_reader.ValueIsEscaped ? _reader.TokenStartIndex : _reader.TokenStartIndex + 1 + index, problem);

    private bool Fail(string problem) => Fail(_reader.TokenStartIndex, problem);

    private bool Fail(long offset, string problem)
    {
        Error = new OtlpJsonError(offset, problem);
        return false;
    }

    private readonly long OffsetOf(JsonException e)
    {
        int lineStart = 0;
        for (long line = e.LineNumber ?? 0; line > 0; line--)
        {
            lineStart += _json[lineStart..].IndexOf((byte)'\n') + 1;
        }

        return lineStart + (e.BytePositionInLine ?? 0);
    }

    private readonly int InvalidByteOffset()
    {
        int offset = 0;
        while (Rune.DecodeFromUtf8(_json[offset..], out _, out int length) == OperationStatus.Done)
        {
            offset += length;
        }

        return offset;
    }
}
