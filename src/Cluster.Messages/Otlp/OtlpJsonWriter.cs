using System.Runtime.CompilerServices;
using System.Text.Json;
using Cluster.Messages.Protobuf;

namespace Cluster.Messages.Otlp;

/// <summary>
/// Protobuf bytes to JSON, by the tables of <see cref="OtlpSchema"/>. Each message is walked once to note where its fields are, because
/// they
/// may come in any order and repeatedly: of a number or text the last counts, messages that are no list merge.
/// </summary>
internal static class OtlpJsonWriter
{
    // What generated parsers allow by default: a deeper request no back end could read.
    private const int MaxDepth = 100;

    /// <summary>Writes <paramref name="bytes"/> as an object.</summary>
    /// <exception cref="FormatException">The bytes are no such message.</exception>
    public static void WriteMessage(Utf8JsonWriter json, OtlpMessage message, ReadOnlySpan<byte> bytes, int depth = 0)
    {
        if (depth > MaxDepth)
        {
            throw new FormatException($"The message is nested deeper than {MaxDepth}.");
        }

        Places places = default;
        FindFields(message, bytes, places);
        json.WriteStartObject();
        for (int i = 0; i < message.Fields.Length; i++)
        {
            OtlpField field = message.Fields[i];
            Place place = places[i];
            if (place.Count == 0)
            {
                continue;
            }

            if (field.Repeated)
            {
                json.WriteStartArray(field.EncodedName);
                WriteOccurrences(json, field, bytes[place.First..], place.Count, depth);
                json.WriteEndArray();
            }
            else if (field.Kind == OtlpFieldKind.Message)
            {
                json.WritePropertyName(field.EncodedName);
                ReadOnlySpan<byte> content =
                    place.Count == 1 ? Content(bytes, place.Last) : Merge(field, bytes[place.First..], place.Count);
                WriteMessage(json, field.Message!, content, depth + 1);
            }
            else
            {
                WriteScalar(json, field, bytes[place.Last..], keepDefault: message.IsOneof);
            }
        }

        json.WriteEndObject();
    }

    private static void FindFields(OtlpMessage message, ReadOnlySpan<byte> bytes, Span<Place> places)
    {
        int last = -1;
        int tagStart = 0;
        WireReader reader = new(bytes);
        while (reader.TryReadTag(out uint tag))
        {
            int index = message.IndexOf(tag);
            if (index >= 0)
            {
                // Another member of a oneof takes the place of the one before; the same one again is merged or overrides.
                if (message.IsOneof && last >= 0 && last != index)
                {
                    places[last] = default;
                }

                last = index;
                ref Place place = ref places[index];
                place.First = place.Count == 0 ? tagStart : place.First;
                place.Last = reader.Position;
                place.Count++;
            }

            if (!reader.TrySkip(tag))
            {
                break;
            }

            tagStart = reader.Position;
        }

        if (!reader.AtEnd)
        {
            throw new FormatException($"{message.Name} is malformed at its byte {reader.Position}: {reader.Error}.");
        }
    }

    // From here on the bytes are known to be well-formed at this level.
    private static void WriteOccurrences(Utf8JsonWriter json, OtlpField field, ReadOnlySpan<byte> bytes, int count, int depth)
    {
        WireReader reader = new(bytes);
        while (count > 0 && reader.TryReadTag(out uint tag))
        {
            if (tag != field.Tag)
            {
                reader.TrySkip(tag);
                continue;
            }

            reader.TryReadBytes(out ReadOnlySpan<byte> content);
            if (field.Kind == OtlpFieldKind.Message)
            {
                WriteMessage(json, field.Message!, content, depth + 1);
            }
            else
            {
                json.WriteStringValue(content);
            }

            count--;
        }
    }

    // Messages merge by concatenation of their encodings.
    private static byte[] Merge(OtlpField field, ReadOnlySpan<byte> bytes, int count)
    {
        using PooledBuffer merged = new(bytes.Length);
        WireReader reader = new(bytes);
        while (count > 0 && reader.TryReadTag(out uint tag))
        {
            if (tag != field.Tag)
            {
                reader.TrySkip(tag);
                continue;
            }

            reader.TryReadBytes(out ReadOnlySpan<byte> content);
            merged.Write(content);
            count--;
        }

        return merged.WrittenSpan.ToArray();
    }

    private static ReadOnlySpan<byte> Content(ReadOnlySpan<byte> bytes, int position)
    {
        WireReader reader = new(bytes[position..]);
        reader.TryReadBytes(out ReadOnlySpan<byte> content);
        return content;
    }

    private static void WriteScalar(Utf8JsonWriter json, OtlpField field, ReadOnlySpan<byte> bytes, bool keepDefault)
    {
        WireReader reader = new(bytes);
        switch ((WireType)(field.Tag & 7))
        {
            case WireType.LengthDelimited:
                reader.TryReadBytes(out ReadOnlySpan<byte> content);
                if (content.Length > 0 || keepDefault)
                {
                    json.WritePropertyName(field.EncodedName);
                    WriteBytes(json, field.Kind, content);
                }

                return;
            case WireType.Varint:
                reader.TryReadVarint(out ulong varint);
                WriteNumber(json, field, varint, keepDefault);
                return;
            case WireType.Fixed64:
                reader.TryReadFixed64(out ulong fixed64);
                WriteNumber(json, field, fixed64, keepDefault);
                return;
            default:
                reader.TryReadFixed32(out uint fixed32);
                WriteNumber(json, field, fixed32, keepDefault);
                return;
        }
    }

    private static void WriteBytes(Utf8JsonWriter json, OtlpFieldKind kind, ReadOnlySpan<byte> content)
    {
        switch (kind)
        {
            case OtlpFieldKind.Text:
                json.WriteStringValue(content);
                break;
            case OtlpFieldKind.Base64:
                json.WriteBase64StringValue(content);
                break;
            default:
                Span<byte> hex = content.Length <= 32 ? stackalloc byte[64] : new byte[2 * content.Length];
                Convert.TryToHexStringLower(content, hex, out int length);
                json.WriteStringValue(hex[..length]);
                break;
        }
    }

    private static void WriteNumber(Utf8JsonWriter json, OtlpField field, ulong value, bool keepDefault)
    {
        // A varint may carry more bits than its type has: they are cut off before the default is looked for.
        value = field.Kind switch
        {
            OtlpFieldKind.Bool => value != 0 ? 1u : 0u,
            OtlpFieldKind.UInt32 or OtlpFieldKind.Enum => (uint)value,
            _ => value,
        };
        if (value == 0 && !keepDefault)
        {
            return;
        }

        json.WritePropertyName(field.EncodedName);
        Span<byte> digits = stackalloc byte[20];
        int length;
        switch (field.Kind)
        {
            case OtlpFieldKind.Bool:
                json.WriteBooleanValue(value != 0);
                break;
            case OtlpFieldKind.Int64:
                ((long)value).TryFormat(digits, out length);
                json.WriteStringValue(digits[..length]);
                break;
            case OtlpFieldKind.Fixed64:
                value.TryFormat(digits, out length);
                json.WriteStringValue(digits[..length]);
                break;
            case OtlpFieldKind.Double:
                WriteDouble(json, BitConverter.UInt64BitsToDouble(value));
                break;
            case OtlpFieldKind.Enum:
                json.WriteNumberValue((int)value);
                break;
            default:
                json.WriteNumberValue(value);
                break;
        }
    }

    private static void WriteDouble(Utf8JsonWriter json, double value)
    {
        if (double.IsFinite(value))
        {
            json.WriteNumberValue(value);
        }
        else
        {
            json.WriteStringValue(double.IsNaN(value) ? "NaN"u8 : value > 0 ? "Infinity"u8 : "-Infinity"u8);
        }
    }

    /// <summary>Where in a message a field occurs.</summary>
    private struct Place
    {
        /// <summary>Position of the tag of the first occurrence.</summary>
        public int First;

        /// <summary>Position of the value of the last occurrence.</summary>
        public int Last;

        /// <summary>Occurrences, 0 when the field is not there.</summary>
        public int Count;
    }

    [InlineArray(OtlpMessage.MaxFields)]
    private struct Places
    {
        private Place _first;
    }
}
