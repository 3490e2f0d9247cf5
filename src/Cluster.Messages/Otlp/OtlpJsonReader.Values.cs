using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using Cluster.Messages.Protobuf;

namespace Cluster.Messages.Otlp;

/// <content>Values that are no messages.</content>
internal ref partial struct OtlpJsonReader
{
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
}
