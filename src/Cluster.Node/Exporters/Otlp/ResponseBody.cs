using System.Buffers;

namespace Cluster.Node.Exporters.Otlp;

/// <summary>Reads a response to its end, which is where gRPC trailers are, and keeps only its beginning.</summary>
internal static class ResponseBody
{
    /// <summary>Bytes kept. An honest response has a few; the rest is read and forgotten.</summary>
    public const int KeptBytes = 64 << 10;

    /// <summary>The first <see cref="KeptBytes"/> of the response's body.</summary>
    public static async ValueTask<ReadOnlyMemory<byte>> ReadAsync(HttpResponseMessage response, CancellationToken cancellation)
    {
        await using Stream stream = await response.Content.ReadAsStreamAsync(cancellation);
        byte[] chunk = ArrayPool<byte>.Shared.Rent(4096);
        byte[] kept = [];
        int length = 0;
        try
        {
            int read;
            while ((read = await stream.ReadAsync(chunk, cancellation)) > 0)
            {
                int keep = Math.Min(read, KeptBytes - length);
                if (kept.Length < length + keep)
                {
                    Array.Resize(ref kept, Math.Max(length + keep, Math.Min(kept.Length * 2, KeptBytes)));
                }

                chunk.AsSpan(0, keep).CopyTo(kept.AsSpan(length));
                length += keep;
            }

            return kept.AsMemory(0, length);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(chunk);
        }
    }
}
