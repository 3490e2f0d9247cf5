using System.Collections;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Cluster.Testing;

/// <summary>
/// Encodes a message as no encoder would but every parser must read: fields of different numbers in any order, varints longer than
/// needed, numbers and texts written
/// twice (the last counts), singular messages in two parts (they merge), members of a oneof before the one that counts, and unknown
/// fields of all wire
/// types, groups included. Parsed with unknown fields discarded, the result equals the message.
/// </summary>
public sealed class NoisyEncoder
{
    private static readonly int[] UnknownFields = [17, 99, 1000, 19_000, 536_870_911];

    private readonly Random _random;

    private NoisyEncoder(int seed) => _random = new Random(seed);

    /// <summary>Encodes; the same bytes for the same seed.</summary>
    public static byte[] Encode(IMessage message, int seed) => [.. new NoisyEncoder(seed).Pieces(message).SelectMany(piece => piece)];

    // Each piece is one field with its tag. Pieces of one field (or one oneof) keep their order; lists of them are merged at random.
    private List<byte[]> Pieces(IMessage message)
    {
        List<Queue<byte[]>> sequences = [Unknown()];
        foreach (OneofDescriptor oneof in message.Descriptor.Oneofs)
        {
            if (oneof.Accessor.GetCaseFieldDescriptor(message) is { } set)
            {
                Queue<byte[]> pieces = [];
                if (Rarely() && oneof.Fields.FirstOrDefault(field => field.FieldType == FieldType.String && field != set) is { } other)
                {
                    pieces.Enqueue(Field(other, "overridden"));
                }

                Add(pieces, set, message);
                sequences.Add(pieces);
            }
        }

        foreach (FieldDescriptor field in message.Descriptor.Fields.InFieldNumberOrder().Where(field => field.ContainingOneof is null))
        {
            Queue<byte[]> pieces = [];
            Add(pieces, field, message);
            sequences.Add(pieces);
        }

        List<byte[]> merged = [];
        sequences.RemoveAll(pieces => pieces.Count == 0);
        bool shuffled = _random.Next(3) == 0;
        while (sequences.Count > 0)
        {
            int index = shuffled ? _random.Next(sequences.Count) : sequences.Count > 1 && !Rarely() ? 1 : 0;
            merged.Add(sequences[index].Dequeue());
            sequences.RemoveAll(pieces => pieces.Count == 0);
        }

        return merged;
    }

    private void Add(Queue<byte[]> pieces, FieldDescriptor field, IMessage message)
    {
        object? value = field.Accessor.GetValue(message);
        if (field.IsRepeated)
        {
            foreach (object item in (IList)value!)
            {
                pieces.Enqueue(Field(field, item));
            }
        }
        else if (field.FieldType == FieldType.Message)
        {
            if (value is IMessage nested)
            {
                AddMessage(pieces, field, Pieces(nested));
            }
        }
        else if (field.ContainingOneof is not null || !IsDefault(value) || Rarely())
        {
            if (Rarely() && field.FieldType == FieldType.String)
            {
                pieces.Enqueue(Field(field, "overridden"));
            }
            else if (Rarely() && field.FieldType is FieldType.Fixed64)
            {
                pieces.Enqueue(Field(field, 12345UL));
            }

            pieces.Enqueue(Field(field, value!));
        }
    }

    private void AddMessage(Queue<byte[]> pieces, FieldDescriptor field, List<byte[]> content)
    {
        int cut = Rarely() ? _random.Next(content.Count + 1) : content.Count;
        pieces.Enqueue(Delimited(field.FieldNumber, [.. content.Take(cut).SelectMany(piece => piece)]));
        if (cut < content.Count)
        {
            pieces.Enqueue(Delimited(field.FieldNumber, [.. content.Skip(cut).SelectMany(piece => piece)]));
        }
    }

    private byte[] Field(FieldDescriptor field, object value) => field.FieldType switch
    {
        FieldType.String => Delimited(field.FieldNumber, System.Text.Encoding.UTF8.GetBytes((string)value)),
        FieldType.Bytes => Delimited(field.FieldNumber, ((ByteString)value).ToByteArray()),
        FieldType.Message => Delimited(field.FieldNumber, [.. Pieces((IMessage)value).SelectMany(piece => piece)]),
        FieldType.Fixed64 => [.. Tag(field.FieldNumber, 1), .. BitConverter.GetBytes((ulong)value)],
        FieldType.Double => [.. Tag(field.FieldNumber, 1), .. BitConverter.GetBytes((double)value)],
        FieldType.Fixed32 => [.. Tag(field.FieldNumber, 5), .. BitConverter.GetBytes((uint)value)],
        FieldType.Bool => [.. Tag(field.FieldNumber, 0), .. Varint((bool)value ? 1UL : 0)],
        FieldType.Enum or FieldType.Int32 => [.. Tag(field.FieldNumber, 0), .. Varint((ulong)(int)value)],
        FieldType.UInt32 => [.. Tag(field.FieldNumber, 0), .. Varint((uint)value)],
        FieldType.Int64 => [.. Tag(field.FieldNumber, 0), .. Varint((ulong)(long)value)],
        _ => throw new NotSupportedException($"{field.FieldType}"),
    };

    private Queue<byte[]> Unknown()
    {
        Queue<byte[]> pieces = [];
        for (int count = _random.Next(-4, 3); count > 0; count--)
        {
            int number = UnknownFields[_random.Next(UnknownFields.Length)];
            pieces.Enqueue(_random.Next(5) switch
            {
                0 => [.. Tag(number, 0), .. Varint((ulong)_random.NextInt64())],
                1 => [.. Tag(number, 1), .. BitConverter.GetBytes(_random.NextInt64())],
                2 => [.. Tag(number, 5), .. BitConverter.GetBytes(_random.Next())],
                3 => Group(number, [.. Tag(7, 0), .. Varint(7), .. Group(8, Delimited(9, [1, 2, 3]))]),
                _ => Delimited(number, new byte[_random.Next(200)]),
            });
        }

        return pieces;
    }

    private byte[] Group(int field, byte[] content) => [.. Tag(field, 3), .. content, .. Tag(field, 4)];

    private byte[] Delimited(int field, byte[] content) => [.. Tag(field, 2), .. Varint((ulong)content.Length, limit: 5), .. content];

    private byte[] Tag(int field, uint type) => Varint(((uint)field << 3) | type, limit: 5);

    private byte[] Varint(ulong value, int limit = 10)
    {
        List<byte> bytes = [];
        do
        {
            bytes.Add((byte)(value & 0x7F));
            value >>= 7;
        }
        while (value != 0);
        while (bytes.Count < limit && _random.Next(12) == 0)
        {
            bytes.Add(0);
        }

        for (int i = 0; i < bytes.Count - 1; i++)
        {
            bytes[i] |= 0x80;
        }

        return [.. bytes];
    }

    private static bool IsDefault(object? value) => value switch
    {
        string text => text.Length == 0,
        ByteString bytes => bytes.IsEmpty,
        null => true,
        _ => Convert.ToDouble(value) == 0,
    };

    private bool Rarely() => _random.Next(8) == 0;
}
