using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;

namespace Cluster.Sampling.Decisions;

/// <summary>
/// The attribute conditions of one program, looked up by key: by length, then by the first eight bytes, then by all of it. Values are
/// looked at only where the key is asked for and some answer is still open. For one thread.
/// </summary>
internal sealed class AttributeConditions
{
    private const byte KeyTag = (OtlpFields.KeyValue.Key << 3) | (byte)WireType.LengthDelimited;
    private const byte ValueTag = (OtlpFields.KeyValue.Value << 3) | (byte)WireType.LengthDelimited;
    private const int LongKey = 63;

    private readonly Key[] _keys;
    private readonly int[] _firstOfLength = new int[LongKey + 2];
    private readonly ulong _lengths;
    private readonly ulong[] _seen;

    public AttributeConditions(Conditions conditions)
    {
        _keys =
        [
            .. conditions.Attributes
                .GroupBy(c => Convert.ToHexString(c.Key), StringComparer.Ordinal)
                .Select(g => new Key(g.First().Key, [.. g.Select(c => (c.Condition.ForProgram(), c.Bit))]))
                .OrderBy(k => k.Bytes.Length),
        ];
        _seen = new ulong[(_keys.Length + 63) / 64];
        for (int length = 0; length <= LongKey; length++)
        {
            _firstOfLength[length + 1] = _firstOfLength[length] + _keys.Count(k => Math.Min(k.Bytes.Length, LongKey) == length);
            _lengths |= _firstOfLength[length + 1] > _firstOfLength[length] ? 1UL << length : 0;
        }
    }

    /// <summary>Whether anything is asked of attributes at all.</summary>
    public bool Any => _keys.Length > 0;

    /// <summary>Values that took too much work to judge.</summary>
    public long GivenUp => _keys.Sum(k => k.Conditions.Sum(c => c.Condition.GivenUp));

    /// <summary>A bit for every length of a key that is asked for; bit 63 for all lengths from 63 on.</summary>
    public ulong KeyLengths => _lengths;

    /// <summary>
    /// Whether an attribute certainly does not matter: it is of the usual shape (key, value, nothing else, lengths of one byte), and no key
    /// of its length is asked for.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsUnasked(ReadOnlySpan<byte> attribute, ulong keyLengths)
    {
        if (attribute.Length < 4 || attribute[0] != KeyTag)
        {
            return false;
        }

        int length = attribute[1];
        return length < LongKey
            && (keyLengths & (1UL << length)) == 0
            && length + 3 < attribute.Length
            && attribute[length + 2] == ValueTag
            && attribute[length + 3] == attribute.Length - length - 4
            && attribute[length + 3] < 0x80;
    }

    /// <summary>Begins with the attributes of another resource or span.</summary>
    public void Begin() => Array.Clear(_seen);

    /// <summary>Sets the bits of the conditions that one attribute meets.</summary>
    /// <param name="attribute">A <c>KeyValue</c> message.</param>
    /// <param name="conditions">Where bits are set.</param>
    /// <param name="onResource">Whether it is a resource's.</param>
    public void Scan(ReadOnlySpan<byte> attribute, Span<ulong> conditions, bool onResource)
    {
        // The usual shape: key, value, nothing else, lengths of one byte. Anything else goes the long way.
        if (attribute.Length >= 2 && attribute[0] == KeyTag && attribute[1] < 0x80)
        {
            int length = attribute[1];
            int next = 2 + length;
            if (next + 1 < attribute.Length && attribute[next] == ValueTag && attribute[next + 1] == attribute.Length - next - 2
                && attribute[next + 1] < 0x80)
            {
                if ((_lengths & (1UL << Math.Min(length, LongKey))) != 0 && Find(attribute.Slice(2, length)) is >= 0 and var key)
                {
                    AttributeValue value = default;
                    if (IsOpen(key, conditions))
                    {
                        value.Merge(attribute[(next + 2)..]);
                        Evaluate(key, value, conditions, onResource);
                    }
                }

                return;
            }
        }

        ScanAnyShape(attribute, conditions, onResource);
    }

    private void ScanAnyShape(ReadOnlySpan<byte> attribute, Span<ulong> conditions, bool onResource)
    {
        ReadOnlySpan<byte> name = default;
        AttributeValue value = default;
        WireReader reader = new(attribute);
        while (reader.TryReadTag(out uint tag))
        {
            bool read;
            switch (tag)
            {
                case KeyTag:
                    if (read = reader.TryReadBytes(out ReadOnlySpan<byte> bytes))
                    {
                        name = bytes;
                    }

                    break;
                case ValueTag:
                    if (read = reader.TryReadBytes(out bytes))
                    {
                        value.Merge(bytes);
                    }

                    break;
                default:
                    read = reader.TrySkip(tag);
                    break;
            }

            if (!read)
            {
                return;
            }
        }

        if (reader.AtEnd && Find(name) is >= 0 and var key && IsOpen(key, conditions))
        {
            Evaluate(key, value, conditions, onResource);
        }
    }

    private int Find(ReadOnlySpan<byte> name)
    {
        int length = Math.Min(name.Length, LongKey);
        ulong head = Head(name);
        for (int i = _firstOfLength[length]; i < _firstOfLength[length + 1]; i++)
        {
            if (_keys[i].Head == head && name.SequenceEqual(_keys[i].Bytes))
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>Marks the key as seen. False when it was before (the first counts), or when nothing it could say is new.</summary>
    private bool IsOpen(int key, ReadOnlySpan<ulong> conditions)
    {
        ref ulong seen = ref _seen[key >> 6];
        ulong bit = 1UL << key;
        if ((seen & bit) != 0)
        {
            return false;
        }

        seen |= bit;
        foreach ((_, int condition) in _keys[key].Conditions)
        {
            if (!conditions.IsSet(condition))
            {
                return true;
            }
        }

        return false;
    }

    private void Evaluate(int key, in AttributeValue value, Span<ulong> conditions, bool onResource)
    {
        foreach ((AttributeCondition condition, int bit) in _keys[key].Conditions)
        {
            if (!((ReadOnlySpan<ulong>)conditions).IsSet(bit) && condition.IsMet(value, onResource))
            {
                conditions.Set(bit);
            }
        }
    }

    private static ulong Head(ReadOnlySpan<byte> name)
    {
        if (name.Length >= sizeof(ulong))
        {
            return BinaryPrimitives.ReadUInt64LittleEndian(name);
        }

        ulong head = 0;
        foreach (byte b in name)
        {
            head = (head << 8) | b;
        }

        return head;
    }

    private readonly record struct Key(byte[] Bytes, (AttributeCondition Condition, int Bit)[] Conditions)
    {
        public readonly ulong Head = AttributeConditions.Head(Bytes);
    }
}
