using System.Buffers.Binary;
using System.IO.Compression;

namespace Cluster.Gateway.Receivers;

/// <summary>How a body is compressed.</summary>
internal enum Compression
{
    /// <summary>Not at all.</summary>
    None = 0,

    /// <summary>RFC 1952, one member or several.</summary>
    Gzip,

    /// <summary>RFC 1950, which HTTP calls <c>deflate</c>.</summary>
    Zlib,
}

/// <summary>
/// Inflates a whole body within a limit: whatever the ratio, at most the limit is ever held. The framework's streams check the sums
/// of the data but take input that ends early, and ignore what follows the data; both are faults here. Thread-safe: it has no state.
/// </summary>
internal static class BodyInflater
{
    // A gzip member has 10 bytes of header, at least 2 of data and 8 of trailer; zlib 2, at least 2, and 4.
    private const int ShortestGzip = 20;
    private const int ShortestZlib = 8;

    // Traces shrink to a fifth or less; a first guess that spares most bodies a second one.
    private const int UsualRatio = 8;

    /// <summary>Inflates <paramref name="input"/> into the empty <paramref name="output"/>.</summary>
    public static BodyFault Inflate(RequestBuffer input, Compression compression, int limit, RequestBuffer output)
    {
        if (input.Length < (compression == Compression.Gzip ? ShortestGzip : ShortestZlib))
        {
            return BodyFault.BadCompression;
        }

        using InputStream source = new(input.Array, input.Length);
        using Stream inflating = compression == Compression.Gzip
            ? new GZipStream(source, CompressionMode.Decompress)
            : new ZLibStream(source, CompressionMode.Decompress);
        try
        {
            BodyFault fault = ReadAll(inflating, input.Length, limit, output);
            if (fault != BodyFault.None)
            {
                return fault;
            }
        }
        catch (InvalidDataException)
        {
            return BodyFault.BadCompression;
        }

        bool whole = compression == Compression.Gzip ? EndsWithTrailer(input.Memory.Span, output.Memory.Span) : source.EndedWithLastByte;
        return whole ? BodyFault.None : BodyFault.BadCompression;
    }

    private static BodyFault ReadAll(Stream inflating, int inputLength, int limit, RequestBuffer output)
    {
        if (!output.TryGrow((int)Math.Min((long)UsualRatio * inputLength, limit), limit))
        {
            return BodyFault.InFlight;
        }

        while (true)
        {
            // The pool may have given more than the limit.
            Span<byte> room = output.Free[..Math.Min(output.Free.Length, limit - output.Length)];
            if (room.IsEmpty)
            {
                if (output.Length == limit)
                {
                    return inflating.ReadByte() < 0 ? BodyFault.None : BodyFault.TooLarge;
                }

                if (!output.TryGrow(0, limit))
                {
                    return BodyFault.InFlight;
                }

                continue;
            }

            int read = inflating.Read(room);
            if (read == 0)
            {
                return BodyFault.None;
            }

            output.Advance(read);
        }
    }

    /// <summary>
    /// Whether the input ends with the trailer of the last member: its CRC-32 and its length. With one member the length alone
    /// tells, as the stream has checked the sum; with several, the sum over the last one does.
    /// </summary>
    private static bool EndsWithTrailer(ReadOnlySpan<byte> input, ReadOnlySpan<byte> output)
    {
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(input[^4..]);
        if (length == (uint)output.Length)
        {
            return true;
        }

        return length < (uint)output.Length
            && Crc32(output[(output.Length - (int)length)..]) == BinaryPrimitives.ReadUInt32LittleEndian(input[^8..]);
    }

    private static uint Crc32(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte b in bytes)
        {
            crc = (crc >> 8) ^ CrcTable[(byte)crc ^ b];
        }

        return ~crc;
    }

    private static readonly uint[] CrcTable = MakeCrcTable();

    private static uint[] MakeCrcTable()
    {
        uint[] table = new uint[256];
        for (uint i = 0; i < table.Length; i++)
        {
            uint value = i;
            for (int bit = 0; bit < 8; bit++)
            {
                value = (value & 1) == 0 ? value >> 1 : (value >> 1) ^ 0xEDB88320;
            }

            table[i] = value;
        }

        return table;
    }

    /// <summary>
    /// Hands out the input, its last byte on its own. A zlib stream asks for more only while it is not at its end: so it ended with the
    /// input exactly if it asked for the last byte and not once more.
    /// </summary>
    private sealed class InputStream(byte[] array, int length) : Stream
    {
        private int _position;
        private bool _askedForMore;

        public bool EndedWithLastByte => _position == length && !_askedForMore;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(Span<byte> buffer)
        {
            int left = length - _position;
            int count = Math.Min(buffer.Length, left > 1 ? left - 1 : left);
            _askedForMore |= left == 0;
            array.AsSpan(_position, count).CopyTo(buffer);
            _position += count;
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
