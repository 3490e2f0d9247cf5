using System.Text;

namespace Cluster.LoadGenerator.Sending;

/// <summary>What a client needs of response headers and trailers.</summary>
internal struct ResponseHead
{
    /// <summary><c>:status</c>; 0 before it came.</summary>
    public int HttpStatus;

    /// <summary><c>grpc-status</c>; -1 before it came.</summary>
    public int GrpcStatus;

    /// <summary><c>grpc-message</c>.</summary>
    public string? GrpcMessage;

    /// <summary>From <c>grpc-status-details-bin</c>.</summary>
    public TimeSpan? RetryAfter;
}

/// <summary>
/// Decodes header blocks (<see href="https://www.rfc-editor.org/rfc/rfc7541"/>) of a peer that was told to use no dynamic table.
/// </summary>
internal static class HpackReader
{
    // The code of RFC 7541, appendix B, is canonical: the symbols of each length, in order, are enough to rebuild it.
    // Codes of more than 15 bits stand for control characters and bytes above 127, which no header here holds.
    private static readonly string[] SymbolsByLength =
    [
        "", "", "", "", "", "012aceiost", " %-./3456789=A_bdfghlmnpru", ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz", "&*,;XZ", "", "!\"()?",
        "'+|", "#>",
        "\0$@[]~", "^}", "<`{",
    ];

    private static readonly int[] StaticStatuses = [200, 204, 206, 304, 400, 404, 500];

    /// <summary>Reads a block into <paramref name="head"/>.</summary>
    /// <exception cref="InvalidDataException">The block is malformed or refers to a dynamic table.</exception>
    public static void Read(ReadOnlySpan<byte> block, ref ResponseHead head)
    {
        int position = 0;
        while (position < block.Length)
        {
            byte first = block[position];
            if (first >= 0x80)
            {
                int index = Integer(block, ref position, 7);
                if (index is >= 8 and <= 14)
                {
                    head.HttpStatus = StaticStatuses[index - 8];
                }
                else if (index is 0 or > 61)
                {
                    throw new InvalidDataException($"header index {index} though there is no dynamic table");
                }
            }
            else if (first is >= 0x20 and < 0x40)
            {
                Integer(block, ref position, 5);
            }
            else
            {
                int nameIndex = Integer(block, ref position, first >= 0x40 ? 6 : 4);
                string name = nameIndex == 0 ? Text(block, ref position) : nameIndex is >= 8 and <= 14 ? ":status" : "";
                Take(name, Text(block, ref position), ref head);
            }
        }
    }

    private static void Take(string name, string value, ref ResponseHead head)
    {
        switch (name)
        {
            case ":status":
                head.HttpStatus = int.TryParse(value, out int httpStatus) ? httpStatus : 0;
                break;
            case "grpc-status":
                head.GrpcStatus = int.TryParse(value, out int grpcStatus) ? grpcStatus : 2;
                break;
            case "grpc-message":
                head.GrpcMessage = Uri.UnescapeDataString(value);
                break;
            case "grpc-status-details-bin":
                head.RetryAfter = ResponseMessages.RetryDelay(value);
                break;
        }
    }

    private static int Integer(ReadOnlySpan<byte> block, ref int position, int prefixBits)
    {
        int mask = (1 << prefixBits) - 1;
        int value = At(block, position++) & mask;
        for (int shift = 0; value >= mask && shift < 21; shift += 7)
        {
            byte next = At(block, position++);
            value += (next & 0x7F) << shift;
            if (next < 0x80)
            {
                break;
            }
        }

        return value;
    }

    private static string Text(ReadOnlySpan<byte> block, ref int position)
    {
        bool isHuffman = (At(block, position) & 0x80) != 0;
        int length = Integer(block, ref position, 7);
        if (length > block.Length - position)
        {
            throw new InvalidDataException("header string is cut off");
        }

        ReadOnlySpan<byte> bytes = block.Slice(position, length);
        position += length;
        return isHuffman ? Huffman(bytes) : Encoding.ASCII.GetString(bytes);
    }

    internal static string Huffman(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder(bytes.Length * 2);
        int code = 0;
        int length = 0;
        int firstCode = 0;
        foreach (byte b in bytes)
        {
            for (int bit = 7; bit >= 0; bit--)
            {
                code = (code << 1) | ((b >> bit) & 1);
                firstCode <<= 1;
                if (++length == SymbolsByLength.Length)
                {
                    throw new InvalidDataException("header string holds a character that is not expected there");
                }

                string symbols = SymbolsByLength[length];
                if (code - firstCode < symbols.Length)
                {
                    text.Append(symbols[code - firstCode]);
                    code = length = firstCode = 0;
                }
                else
                {
                    firstCode += symbols.Length;
                }
            }
        }

        return text.ToString();
    }

    private static byte At(ReadOnlySpan<byte> block, int position) =>
        position < block.Length ? block[position] : throw new InvalidDataException("header block is cut off");
}
