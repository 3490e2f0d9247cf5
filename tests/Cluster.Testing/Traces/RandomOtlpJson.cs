using System.Collections;
using System.Globalization;
using System.Text;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Cluster.Testing;

/// <summary>
/// OTLP/JSON of a message in random but valid style: members in any order, names in camel or snake case, 64-bit integers as strings or
/// numbers, enums as numbers
/// or names, hex in either case, base64 of both alphabets, escapes where none is needed, nulls, unknown members, white space.
/// </summary>
public sealed class RandomOtlpJson
{
    private readonly Random _random;
    private readonly StringBuilder _json = new();

    private RandomOtlpJson(int seed) => _random = new Random(seed);

    /// <summary>Writes; the same text for the same seed.</summary>
    public static byte[] Write(IMessage message, int seed)
    {
        RandomOtlpJson writer = new(seed);
        writer.Message(message);
        return Encoding.UTF8.GetBytes(writer._json.ToString());
    }

    private void Message(IMessage message)
    {
        List<Action> members = [];
        foreach (FieldDescriptor field in message.Descriptor.Fields.InFieldNumberOrder())
        {
            object? value = field.Accessor.GetValue(message);
            if (field.ContainingOneof is { } oneof ? oneof.Accessor.GetCaseFieldDescriptor(message) != field : IsAbsent(value))
            {
                if (_random.Next(20) == 0)
                {
                    members.Add(() => Member(field, () => _json.Append("null")));
                }

                continue;
            }

            members.Add(() => Member(field, () =>
            {
                if (field.IsRepeated)
                {
                    List((IList)value!, item => Value(field, item));
                }
                else
                {
                    Value(field, value!);
                }
            }));
        }

        if (_random.Next(8) == 0)
        {
            members.Add(() => _json.Append("""
                "unknownMember" : {"deep":[1,2.5e-3,{"x":[null,true,"\u00e9\\"]}],"traceId":"zz"}
                """));
        }

        if (_random.Next(3) == 0)
        {
            members = [.. members.OrderBy(_ => _random.Next())];
        }

        _json.Append('{');
        Separated(members, write => write());
        _json.Append('}');
    }

    private void Member(FieldDescriptor field, Action writeValue)
    {
        Text(_random.Next(4) == 0 ? field.Name : field.JsonName);
        Space();
        _json.Append(':');
        Space();
        writeValue();
    }

    private void List(IList items, Action<object> write)
    {
        _json.Append('[');
        Separated([.. items.Cast<object>()], write);
        _json.Append(']');
    }

    private void Separated<T>(List<T> items, Action<T> write)
    {
        for (int i = 0; i < items.Count; i++)
        {
            _json.Append(i == 0 ? "" : ",");
            Space();
            write(items[i]);
            Space();
        }
    }

    private void Value(FieldDescriptor field, object value)
    {
        switch (field.FieldType)
        {
            case FieldType.Message:
                Message((IMessage)value);
                break;
            case FieldType.String:
                Text((string)value);
                break;
            case FieldType.Bytes when field.Name.EndsWith("_id", StringComparison.Ordinal):
                string hex = Convert.ToHexString(((ByteString)value).Span);
                Text(_random.Next(2) == 0 ? hex : hex.ToLowerInvariant());
                break;
            case FieldType.Bytes:
                string base64 = ((ByteString)value).ToBase64();
                base64 = _random.Next(2) == 0 ? base64 : base64.Replace('+', '-').Replace('/', '_');
                Text(_random.Next(2) == 0 ? base64 : base64.TrimEnd('='));
                break;
            case FieldType.Bool:
                _json.Append((bool)value ? "true" : "false");
                break;
            case FieldType.Double:
                double number = (double)value;
                MaybeQuoted(number.ToString("R", CultureInfo.InvariantCulture), always: !double.IsFinite(number));
                break;
            case FieldType.Enum:
                string? name = field.EnumType.FindValueByNumber((int)value)?.Name;
                string kind = _random.Next(2) == 0 && name is not null ? name : ((int)value).ToString(CultureInfo.InvariantCulture);
                MaybeQuoted(kind, always: ReferenceEquals(kind, name));
                break;
            default:
                Integer(Convert.ToDecimal(value, CultureInfo.InvariantCulture));
                break;
        }
    }

    private void Integer(decimal value)
    {
        string text = value.ToString(CultureInfo.InvariantCulture);
        int zeros = text.Length - text.TrimEnd('0').Length;
        MaybeQuoted(_random.Next(8) switch
        {
            0 when value != 0 && zeros > 0 => text[..^zeros] + "e" + zeros,
            1 => text + ".0",
            2 when zeros > 0 && value != 0 => text[..^zeros] + ".00E+" + zeros,
            _ => text,
        }, always: false);
    }

    private void MaybeQuoted(string text, bool always)
    {
        bool quoted = always || _random.Next(2) == 0;
        _json.Append(quoted ? $"\"{text}\"" : text);
    }

    private void Text(string text)
    {
        bool escapeSome = _random.Next(10) == 0;
        _json.Append('"');
        foreach (char c in text)
        {
            _json.Append(c switch
            {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\t' => "\\t",
                < ' ' => $"\\u{(int)c:x4}",
                _ when escapeSome && _random.Next(3) == 0 => $"\\u{(int)c:X4}",
                '/' when _random.Next(4) == 0 => "\\/",
                _ when char.IsSurrogate(c) && escapeSome => $"\\u{(int)c:X4}",
                _ => c.ToString(),
            });
        }

        _json.Append('"');
    }

    private void Space()
    {
        if (_random.Next(30) == 0)
        {
            _json.Append(" \r\n\t"[.._random.Next(5)]);
        }
    }

    private static bool IsAbsent(object? value) => value switch
    {
        null => true,
        string text => text.Length == 0,
        ByteString bytes => bytes.IsEmpty,
        IMessage => false,
        IList list => list.Count == 0,
        _ => Convert.ToDouble(value, CultureInfo.InvariantCulture) == 0,
    };
}
