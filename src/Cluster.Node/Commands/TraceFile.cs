using System.Text.Json;
using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;

namespace Cluster.Node.Commands;

/// <summary>
/// A file of recorded traces: one OTLP/JSON document, several after one another (JSON lines), or one protobuf
/// <c>ExportTraceServiceRequest</c>. Which of them is seen from its first bytes.
/// </summary>
internal static class TraceFile
{
    /// <summary>Larger files are refused: split them.</summary>
    public const long LargestFileBytes = 1L << 30;

    private const int DeepestJson = 256;

    /// <summary>No request begins so: field 3 of wire type 7 does not exist.</summary>
    private static ReadOnlySpan<byte> GzipMagic => [0x1F, 0x8B];

    /// <summary>Reads the file into <paramref name="traces"/>.</summary>
    /// <returns>Null, or what is wrong: <c>FILE:LINE: problem</c> for JSON, else <c>FILE: problem</c>.</returns>
    /// <exception cref="IOException">It cannot be read, or is too large.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    public static string? Read(string path, TraceCollection traces)
    {
        if (Directory.Exists(path))
        {
            throw new IOException("it is a directory; name a file");
        }

        if (new FileInfo(path) is { Exists: true, Length: > LargestFileBytes })
        {
            throw new IOException($"larger than {LargestFileBytes >> 20} MiB");
        }

        ReadOnlySpan<byte> bytes = File.ReadAllBytes(path);
        if (bytes.StartsWith(GzipMagic))
        {
            return $"{path}: is compressed with gzip; unpack it first: gzip -dk {path}";
        }

        if (bytes.StartsWith("\uFEFF"u8))
        {
            bytes = bytes[3..];
        }

        if (IsJson(bytes))
        {
            return ReadJson(path, bytes, traces);
        }

        try
        {
            traces.Add(bytes);
            return null;
        }
        catch (FormatException e)
        {
            return $"{path}: neither OTLP/JSON nor OTLP protobuf: {e.Message}";
        }
    }

    /// <summary>A request begins with the byte of a line feed too: what can be walked to its end as protobuf is that.</summary>
    private static bool IsJson(ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<byte> text = bytes.TrimStart(" \t\r\n"u8);
        if (text is not [(byte)'{', ..])
        {
            return false;
        }

        WireReader reader = new(bytes);
        while (reader.TryReadTag(out uint tag) && reader.TrySkip(tag))
        {
        }

        return !reader.AtEnd;
    }

    private static string? ReadJson(string path, ReadOnlySpan<byte> bytes, TraceCollection traces)
    {
        using PooledBuffer request = new();
        int start = 0;
        try
        {
            Utf8JsonReader reader = new(bytes, new JsonReaderOptions { AllowMultipleValues = true, MaxDepth = DeepestJson });
            while (reader.Read())
            {
                start = (int)reader.TokenStartIndex;
                reader.Skip();
                request.Clear();
                if (!OtlpJson.TryReadRequest(bytes[start..(int)reader.BytesConsumed], request, out OtlpJsonError error))
                {
                    return $"{path}:{LineOf(bytes, start + error.Offset)}: {error.Problem}";
                }

                traces.Add(request.WrittenSpan);
            }

            return null;
        }
        catch (JsonException e)
        {
            return $"{path}:{(e.LineNumber ?? 0) + 1}: not valid JSON: {e.Message}";
        }
        catch (FormatException e)
        {
            return $"{path}:{LineOf(bytes, start)}: {e.Message}";
        }
    }

    private static int LineOf(ReadOnlySpan<byte> bytes, long offset) => 1 + bytes[..(int)Math.Min(offset, bytes.Length)].Count((byte)'\n');
}
