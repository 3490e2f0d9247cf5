using System.Text;
using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;

namespace Cluster.LoadGenerator.Sending;

/// <summary>The little that is read of answers.</summary>
internal static class ResponseMessages
{
    private const uint LengthDelimited = (uint)WireType.LengthDelimited;

    /// <summary>Spans that an <c>ExportTraceServiceResponse</c> says were rejected.</summary>
    public static long RejectedSpans(ReadOnlySpan<byte> response)
    {
        ReadOnlySpan<byte> partial = Field(response, OtlpFields.ExportTraceServiceResponse.PartialSuccess);
        return (long)Number(partial, OtlpFields.ExportTraceServiceResponse.RejectedSpans);
    }

    /// <summary>The delay of the <c>RetryInfo</c> in a <c>google.rpc.Status</c> in base64; null when there is none.</summary>
    public static TimeSpan? RetryDelay(string statusDetails)
    {
        byte[] status = new byte[statusDetails.Length];
        string padded = statusDetails.PadRight((statusDetails.Length + 3) / 4 * 4, '=');
        if (!Convert.TryFromBase64String(padded, status, out int length))
        {
            return null;
        }

        var reader = new WireReader(status.AsSpan(0, length));
        while (reader.TryReadTag(out uint tag))
        {
            if (tag != (3 << 3 | LengthDelimited))
            {
                reader.TrySkip(tag);
            }
            else if (reader.TryReadBytes(out ReadOnlySpan<byte> any)
                && Encoding.UTF8.GetString(Field(any, 1)).EndsWith("google.rpc.RetryInfo", StringComparison.Ordinal))
            {
                ReadOnlySpan<byte> duration = Field(Field(any, 2), 1);
                return TimeSpan.FromSeconds(Number(duration, 1)) + TimeSpan.FromMicroseconds((long)Number(duration, 2) / 1000);
            }
        }

        return null;
    }

    private static ReadOnlySpan<byte> Field(ReadOnlySpan<byte> message, int field)
    {
        var reader = new WireReader(message);
        while (reader.TryReadTag(out uint tag))
        {
            if (tag == ((uint)field << 3 | LengthDelimited))
            {
                return reader.TryReadBytes(out ReadOnlySpan<byte> value) ? value : default;
            }

            reader.TrySkip(tag);
        }

        return default;
    }

    private static ulong Number(ReadOnlySpan<byte> message, int field)
    {
        var reader = new WireReader(message);
        while (reader.TryReadTag(out uint tag))
        {
            if (tag == (uint)field << 3)
            {
                return reader.TryReadVarint(out ulong value) ? value : 0;
            }

            reader.TrySkip(tag);
        }

        return 0;
    }
}
