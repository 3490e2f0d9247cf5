using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Cluster.Messages.Protobuf;

namespace Cluster.Messages.Otlp;

/// <summary>
/// One pass from JSON tokens to protobuf bytes, by the tables of <see cref="OtlpSchema"/>. Members go out in the order in which they come
/// in;
/// a message's length is put before it when its end is reached. Recursion is bounded by <see cref="MaxValueDepth"/>. Nothing is
/// allocated unless the document is wrong.
/// </summary>
internal ref partial struct OtlpJsonReader
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

            // A default is left out, except where its being there says something: which member of a oneof, or that an earlier duplicate
            // does not hold.
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
        if (_reader.ValueIsEscaped)
        {
            return TryFindEscapedField(message, next, out index);
        }

        index = IndexOf(message.Fields, _reader.ValueSpan, next);
        return true;
    }

    private bool TryFindEscapedField(OtlpMessage message, int next, out int index)
    {
        index = -1;
        Span<byte> name = stackalloc byte[MaxNameBytes];
        if (_reader.ValueSpan.Length > name.Length)
        {
            return true;
        }

        bool unescaped = TryUnescape(name, out int length);
        index = unescaped ? IndexOf(message.Fields, name[..length], next) : -1;
        return unescaped;
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
