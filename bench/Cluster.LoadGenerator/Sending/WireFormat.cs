using System.Buffers.Binary;
using System.Text;
using Cluster.LoadGenerator.Workload;

namespace Cluster.LoadGenerator.Sending;

/// <summary>
/// Puts the bytes of a transport around a request, once, ahead of time: what is sent later is one run of memory.
/// </summary>
internal abstract class WireFormat
{
    /// <summary>The request with its framing. <paramref name="compressed"/> says that it is gzip.</summary>
    public abstract byte[] Wrap(ReadOnlySpan<byte> request, bool compressed);

    /// <summary>The template with its framing.</summary>
    public abstract RequestTemplate Wrap(RequestTemplate template);
}

/// <summary>HTTP/1.1: a head with the length, then the request.</summary>
internal sealed class Http1Format(string authority) : WireFormat
{
    /// <inheritdoc/>
    public override byte[] Wrap(ReadOnlySpan<byte> request, bool compressed) => [.. Head(request.Length, compressed), .. request];

    /// <inheritdoc/>
    public override RequestTemplate Wrap(RequestTemplate template)
    {
        byte[] head = Head(template.Bytes.Length, compressed: false);
        return template.Relocate([.. head, .. template.Bytes], offset => offset + head.Length);
    }

    private byte[] Head(int length, bool compressed) => Encoding.ASCII.GetBytes(
        $"POST /v1/traces HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: {GrpcFormat.UserAgent}\r\nContent-Type: application/x-protobuf\r\n"
        + (compressed ? "Content-Encoding: gzip\r\n" : "")
        + $"Content-Length: {length}\r\n\r\n");
}

/// <summary>
/// gRPC over HTTP/2: a HEADERS frame of indexed fields and DATA frames of at most 16 KiB; only the stream ID is missing. The indexes are
/// those that <see cref="FirstHeaders"/> gives the fields, which takes the place of the first HEADERS frame of a connection.
/// </summary>
internal sealed class GrpcFormat(string authority, bool compressed) : WireFormat
{
    /// <summary>What the generator calls itself.</summary>
    public const string UserAgent = "actorsampling-loadgen/1.0";

    /// <summary>Bytes before the payload of a frame.</summary>
    public const int FrameHead = 9;

    /// <summary>Frame types, RFC 9113 section 6.</summary>
    public const byte Data = 0, Headers = 1, ResetStream = 3, Settings = 4, PushPromise = 5, Ping = 6, GoAway = 7, WindowUpdate = 8;

    /// <summary>Frame flags.</summary>
    public const byte EndStream = 1, Ack = 1, EndHeaders = 4, Padded = 8, Priority = 0x20;

    private const int MaxFrame = 16384;
    private const int MessagePrefix = 5;

    /// <summary>Size of the HEADERS frame at the start of everything wrapped.</summary>
    public int HeadersLength => FrameHead + 2 + Fields.Length;

    private (int NameIndex, string Name, string Value)[] Fields =>
    [
        (4, ":path", "/opentelemetry.proto.collector.trace.v1.TraceService/Export"),
        (1, ":authority", authority),
        (31, "content-type", "application/grpc"),
        (0, "te", "trailers"),
        (58, "user-agent", UserAgent),
        .. compressed ? [(0, "grpc-encoding", "gzip")] : Array.Empty<(int, string, string)>(),
    ];

    /// <summary>A HEADERS frame with all fields in words, each to be remembered by the peer's dynamic table.</summary>
    public byte[] FirstHeaders()
    {
        var block = new List<byte> { 0x83, 0x86 };
        foreach ((int nameIndex, string name, string value) in Fields)
        {
            block.Add((byte)(0x40 | nameIndex));
            if (nameIndex == 0)
            {
                block.Add((byte)name.Length);
                block.AddRange(Encoding.ASCII.GetBytes(name));
            }

            block.Add((byte)value.Length);
            block.AddRange(Encoding.ASCII.GetBytes(value));
        }

        byte[] frame = new byte[FrameHead + block.Count];
        WriteFrameHead(frame, block.Count, Headers, EndHeaders);
        block.CopyTo(frame, FrameHead);
        return frame;
    }

    /// <inheritdoc/>
    public override byte[] Wrap(ReadOnlySpan<byte> request, bool compressed)
    {
        int total = MessagePrefix + request.Length;
        var cuts = new List<int>();
        for (int cut = MaxFrame; cut < total; cut += MaxFrame)
        {
            cuts.Add(cut);
        }

        return Frame(request, compressed, cuts);
    }

    /// <inheritdoc/>
    public override RequestTemplate Wrap(RequestTemplate template)
    {
        // Frames end where a span's IDs begin, so that none of what is patched lies across two frames.
        var cuts = new List<int>();
        int begin = 0;
        int candidate = 0;
        int total = MessagePrefix + template.Bytes.Length;
        foreach (int offset in template.Patches.Select(patch => MessagePrefix + patch.IdOffset).Append(total))
        {
            if (offset - begin > MaxFrame)
            {
                cuts.Add(candidate);
                begin = candidate;
            }

            candidate = offset;
        }

        int Moved(int offset) =>
            HeadersLength + MessagePrefix + offset + (FrameHead * (1 + cuts.Count(cut => cut <= MessagePrefix + offset)));
        return template.Relocate(Frame(template.Bytes, compressed: false, cuts), Moved);
    }

    /// <summary>Writes the nine bytes before a frame's payload, for stream 0.</summary>
    public static void WriteFrameHead(Span<byte> destination, int length, byte type, byte flags)
    {
        BinaryPrimitives.WriteUInt32BigEndian(destination, (uint)length << 8 | type);
        destination[4] = flags;
        BinaryPrimitives.WriteUInt32BigEndian(destination[5..], 0);
    }

    private byte[] Frame(ReadOnlySpan<byte> request, bool compressed, List<int> cuts)
    {
        byte[] message = new byte[MessagePrefix + request.Length];
        message[0] = compressed ? (byte)1 : (byte)0;
        BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(1), request.Length);
        request.CopyTo(message.AsSpan(MessagePrefix));

        byte[] framed = new byte[HeadersLength + message.Length + (FrameHead * (cuts.Count + 1))];
        WriteFrameHead(framed, HeadersLength - FrameHead, Headers, EndHeaders);
        framed[FrameHead] = 0x83;
        framed[FrameHead + 1] = 0x86;
        int fields = Fields.Length;
        for (int i = 0; i < fields; i++)
        {
            // The newest entry of the dynamic table has index 62.
            framed[FrameHead + 2 + i] = (byte)(0x80 | (62 + fields - 1 - i));
        }

        int position = HeadersLength;
        int begin = 0;
        for (int i = 0; i <= cuts.Count; i++)
        {
            int end = i < cuts.Count ? cuts[i] : message.Length;
            WriteFrameHead(framed.AsSpan(position), end - begin, Data, i < cuts.Count ? (byte)0 : EndStream);
            message.AsSpan(begin..end).CopyTo(framed.AsSpan(position + FrameHead));
            position += FrameHead + end - begin;
            begin = end;
        }

        return framed;
    }
}
