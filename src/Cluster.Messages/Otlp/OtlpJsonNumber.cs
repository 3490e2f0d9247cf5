using System.Buffers.Text;
using System.Globalization;

namespace Cluster.Messages.Otlp;

/// <summary>Numbers, hexadecimal digits and base64 out of JSON text. Allocates nothing.</summary>
internal static class OtlpJsonNumber
{
    /// <summary>
    /// Reads an integer, exactly: decimal digits with an optional sign, fraction and exponent, as protobuf's JSON allows, so <c>1.5e1</c>
    /// is 15.
    /// </summary>
    /// <returns>False when it is no number, has a fraction, or its magnitude takes more than 64 bits.</returns>
    public static bool TryReadInteger(ReadOnlySpan<byte> text, out bool negative, out ulong magnitude)
    {
        negative = !text.IsEmpty && text[0] == '-';
        ReadOnlySpan<byte> digits = negative ? text[1..] : text;
        return Utf8Parser.TryParse(digits, out magnitude, out int used) && used == digits.Length && digits[0] != '+'
            || TryReadDecimal(digits, out magnitude);
    }

    /// <summary>Reads a floating point number; the names NaN, Infinity and -Infinity count when <paramref name="names"/> says so.</summary>
    public static bool TryReadDouble(ReadOnlySpan<byte> text, bool names, out double value)
    {
        if (names && text.SequenceEqual("NaN"u8))
        {
            value = double.NaN;
            return true;
        }

        if (names && (text.SequenceEqual("Infinity"u8) || text.SequenceEqual("-Infinity"u8)))
        {
            value = text[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
            return true;
        }

        value = 0;
        return !text.IsEmpty
            && text[0] is (>= (byte)'0' and <= (byte)'9') or (byte)'-' or (byte)'.'
            && double.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent,
                CultureInfo.InvariantCulture, out value)
            && double.IsFinite(value);
    }

    /// <summary>
    /// Decodes hexadecimal digits of either case into <paramref name="destination"/>, half as long, which may begin where the text does
    /// or before.
    /// </summary>
    /// <returns>-1, or the index of the first character that is no digit.</returns>
    public static int DecodeHex(ReadOnlySpan<byte> text, Span<byte> destination)
    {
        for (int i = 0; i + 1 < text.Length; i += 2)
        {
            int high = HexDigit(text[i]);
            int low = HexDigit(text[i + 1]);
            if ((high | low) < 0)
            {
                return high < 0 ? i : i + 1;
            }

            destination[i / 2] = (byte)((high << 4) | low);
        }

        return -1;
    }

    /// <summary>Bytes that base64 of this length decodes to, its padding not counted.</summary>
    public static int Base64Length(ReadOnlySpan<byte> text) => (int)((long)Unpadded(text).Length * 3 / 4);

    /// <summary>
    /// Decodes base64 of the standard or the URL-safe alphabet, padded or not, into <paramref name="destination"/>, which may begin where
    /// the text
    /// does or before.
    /// </summary>
    /// <returns>-1, or the index of the first character that is wrong.</returns>
    public static int DecodeBase64(ReadOnlySpan<byte> text, Span<byte> destination)
    {
        ReadOnlySpan<byte> digits = Unpadded(text);
        if (digits.Length % 4 == 1 || (digits.Length != text.Length && text.Length % 4 != 0))
        {
            return digits.Length;
        }

        uint bits = 0;
        int written = 0;
        for (int i = 0; i < digits.Length; i++)
        {
            int digit = Base64Digit(digits[i]);
            if (digit < 0)
            {
                return i;
            }

            bits = (bits << 6) | (uint)digit;
            if (i % 4 != 0)
            {
                destination[written++] = (byte)(bits >> (6 - 2 * (i % 4)));
            }
        }

        return -1;
    }

    private static ReadOnlySpan<byte> Unpadded(ReadOnlySpan<byte> text)
    {
        int length = text.Length;
        while (length > 0 && text.Length - length < 2 && text[length - 1] == '=')
        {
            length--;
        }

        return text[..length];
    }

    // Zeros are held back until a digit follows them, so that those at the end cost no precision: 1.50e1 and 15e00 are fifteen.
    private static bool TryReadDecimal(ReadOnlySpan<byte> text, out ulong magnitude)
    {
        magnitude = 0;
        int index = 0;
        int digits = 0;
        int zeros = 0;
        long scale = 0;
        bool inFraction = false;
        for (; index < text.Length; index++)
        {
            byte c = text[index];
            if (c == '.' && !inFraction && digits > 0)
            {
                inFraction = true;
                continue;
            }

            if (c is < (byte)'0' or > (byte)'9')
            {
                break;
            }

            digits++;
            scale -= inFraction ? 1 : 0;
            if (c == '0')
            {
                zeros++;
                continue;
            }

            if (!TryScale(ref magnitude, zeros + 1L) || (magnitude += c - (uint)'0') < c - (uint)'0')
            {
                return false;
            }

            zeros = 0;
        }

        if (digits == 0 || (index > 0 && text[index - 1] == '.') || !TryReadExponent(text[index..], out long exponent))
        {
            return false;
        }

        return magnitude == 0 || TryScale(ref magnitude, scale + zeros + exponent);
    }

    private static bool TryReadExponent(ReadOnlySpan<byte> text, out long exponent)
    {
        exponent = 0;
        if (text.IsEmpty)
        {
            return true;
        }

        if (text[0] is not ((byte)'e' or (byte)'E'))
        {
            return false;
        }

        text = text[1..];
        bool negative = !text.IsEmpty && text[0] == '-';
        text = !text.IsEmpty && text[0] is (byte)'-' or (byte)'+' ? text[1..] : text;
        foreach (byte c in text)
        {
            if (c is < (byte)'0' or > (byte)'9')
            {
                return false;
            }

            // Beyond any scale that a document's digits could make up for.
            exponent = Math.Min(exponent * 10 + (c - '0'), uint.MaxValue);
        }

        exponent = negative ? -exponent : exponent;
        return !text.IsEmpty;
    }

    private static bool TryScale(ref ulong magnitude, long powerOfTen)
    {
        if (magnitude == 0)
        {
            return true;
        }

        if (powerOfTen is < 0 or > 19)
        {
            return false;
        }

        for (; powerOfTen > 0; powerOfTen--)
        {
            if (magnitude > ulong.MaxValue / 10)
            {
                return false;
            }

            magnitude *= 10;
        }

        return true;
    }

    private static int HexDigit(byte c) => c switch
    {
        >= (byte)'0' and <= (byte)'9' => c - '0',
        >= (byte)'a' and <= (byte)'f' => c - 'a' + 10,
        >= (byte)'A' and <= (byte)'F' => c - 'A' + 10,
        _ => -1,
    };

    private static int Base64Digit(byte c) => c switch
    {
        >= (byte)'A' and <= (byte)'Z' => c - 'A',
        >= (byte)'a' and <= (byte)'z' => c - 'a' + 26,
        >= (byte)'0' and <= (byte)'9' => c - '0' + 52,
        (byte)'+' or (byte)'-' => 62,
        (byte)'/' or (byte)'_' => 63,
        _ => -1,
    };
}
