using System.Text;

namespace Cluster.Sampling.Decisions;

/// <summary>
/// Reads a W3C tracestate (<see href="https://www.w3.org/TR/trace-context-1/#tracestate-header"/>) as strictly as OpenTelemetry Go does:
/// blanks before a key and after a value are trimmed, empty members passed over, and one bad or repeated member, or a 33rd, voids the
/// whole list.
/// </summary>
internal static class TraceStateReader
{
    private const int MaxMembers = 32;
    private const int MaxValueLength = 256;

    /// <summary>Sets the bits of the conditions that the list meets.</summary>
    public static void Scan(ReadOnlySpan<byte> list, IReadOnlyList<(TraceStateCondition Condition, int Bit)> asked, Span<ulong> conditions)
    {
        Span<Member> members = stackalloc Member[MaxMembers];
        int count = Parse(list, members);
        for (int i = 0; i < asked.Count; i++)
        {
            (TraceStateCondition condition, int bit) = asked[i];
            foreach (Member member in members[..count])
            {
                if (list.Slice(member.Key, member.KeyLength).SequenceEqual(condition.Key))
                {
                    if (condition.Values.Contains(list.Slice(member.Value, member.ValueLength)))
                    {
                        conditions.Set(bit);
                    }

                    break;
                }
            }
        }
    }

    /// <summary>Finds the members; 0 when the list is empty or void.</summary>
    private static int Parse(ReadOnlySpan<byte> list, Span<Member> members)
    {
        int count = 0;
        for (int start = 0; start < list.Length;)
        {
            int comma = list[start..].IndexOf((byte)',');
            int end = comma < 0 ? list.Length : start + comma;
            if (end > start)
            {
                if (count == MaxMembers || !TryParseMember(list, start, end, out members[count]))
                {
                    return 0;
                }

                ReadOnlySpan<byte> key = list.Slice(members[count].Key, members[count].KeyLength);
                foreach (Member earlier in members[..count])
                {
                    if (list.Slice(earlier.Key, earlier.KeyLength).SequenceEqual(key))
                    {
                        return 0;
                    }
                }

                count++;
            }

            start = end + 1;
        }

        return count;
    }

    private static bool TryParseMember(ReadOnlySpan<byte> list, int start, int end, out Member member)
    {
        member = default;
        int equals = list[start..end].IndexOf((byte)'=');
        if (equals < 0)
        {
            return false;
        }

        int value = start + equals + 1;
        int key = start;
        while (key < value - 1 && list[key] is (byte)' ' or (byte)'\t')
        {
            key++;
        }

        while (end > value && list[end - 1] is (byte)' ' or (byte)'\t')
        {
            end--;
        }

        member = new Member(key, value - 1 - key, value, end - value);
        return IsKey(list.Slice(member.Key, member.KeyLength)) && IsValue(list.Slice(member.Value, member.ValueLength));
    }

    private static bool IsKey(ReadOnlySpan<byte> key)
    {
        int at = key.IndexOf((byte)'@');
        return at < 0
            ? IsKeyPart(key, 256, digitFirst: false)
            : IsKeyPart(key[..at], 241, digitFirst: true) && IsKeyPart(key[(at + 1)..], 14, digitFirst: false);
    }

    private static bool IsKeyPart(ReadOnlySpan<byte> part, int maxLength, bool digitFirst)
    {
        if (part.IsEmpty || part.Length > maxLength || !(part[0] is >= (byte)'a' and <= (byte)'z' || (digitFirst && IsDigit(part[0]))))
        {
            return false;
        }

        for (int i = 1; i < part.Length;)
        {
            if (Rune.DecodeFromUtf8(part[i..], out Rune rune, out int length) != System.Buffers.OperationStatus.Done)
            {
                return false;
            }

            // Go looks at the low byte of the code point only, so that U+0161 passes for an 'a'. So do we.
            byte low = (byte)rune.Value;
            if (!(low is >= (byte)'a' and <= (byte)'z' || IsDigit(low) || rune.Value is '_' or '-' or '*' or '/'))
            {
                return false;
            }

            i += length;
        }

        return true;
    }

    private static bool IsDigit(byte b) => b is >= (byte)'0' and <= (byte)'9';

    /// <summary>Printable ASCII without comma and equals sign; the last one no blank.</summary>
    private static bool IsValue(ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty || value.Length > MaxValueLength || value[^1] == ' ')
        {
            return false;
        }

        foreach (byte b in value)
        {
            if (b is < 0x20 or > 0x7E or (byte)',' or (byte)'=')
            {
                return false;
            }
        }

        return true;
    }

    private readonly record struct Member(int Key, int KeyLength, int Value, int ValueLength);
}
