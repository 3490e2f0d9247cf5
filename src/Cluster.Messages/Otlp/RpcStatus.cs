using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Cluster.Messages.Protobuf;

namespace Cluster.Messages.Otlp;

/// <summary>
/// <c>google.rpc.Status</c> with at most one <c>google.rpc.RetryInfo</c> among its details: the body of a failed OTLP/HTTP request and,
/// in base64, the <c>grpc-status-details-bin</c> trailer (<see href="https://opentelemetry.io/docs/specs/otlp/#failures"/>).
/// Thread-safe: it has no state.
/// </summary>
public static class RpcStatus
{
    private const int Code = 1;
    private const int Message = 2;
    private const int Details = 3;
    private const int TypeUrl = 1;
    private const int Value = 2;
    private const int RetryDelay = 1;
    private const int Seconds = 1;
    private const int Nanos = 2;
    private const string RetryInfoUrl = "type.googleapis.com/google.rpc.RetryInfo";

    // The range of google.protobuf.Duration, about ten thousand years.
    private const long MaxSeconds = 315_576_000_000;

    private static ReadOnlySpan<byte> RetryInfoUrlBytes => "type.googleapis.com/google.rpc.RetryInfo"u8;

    /// <summary>Appends the protobuf encoding.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="code">A gRPC status code, 0 to 16.</param>
    /// <param name="message">What is wrong, for a developer; may be empty.</param>
    /// <param name="retryAfter">How long to wait before the request is tried again, 0 or more; null leaves <c>RetryInfo</c> out.</param>
    /// <exception cref="ArgumentOutOfRangeException">The delay is negative.</exception>
    public static void Write(IBufferWriter<byte> output, int code, string message, TimeSpan? retryAfter)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(retryAfter.GetValueOrDefault(), TimeSpan.Zero);
        byte[] text = Encoding.UTF8.GetBytes(message);
        Span<byte> detail = stackalloc byte[128];
        detail = retryAfter is { } delay ? detail[..WriteRetryInfo(detail, delay)] : [];
        Span<byte> buffer = output.GetSpan(1 + WireWriter.MaxVarintSize
            + WireWriter.LengthDelimitedSize(text.Length) + WireWriter.LengthDelimitedSize(detail.Length));
        int position = 0;
        if (code != 0)
        {
            position = WireWriter.WriteVarintField(buffer, position, Code, (ulong)code);
        }

        if (text.Length != 0)
        {
            position = WireWriter.WriteBytes(buffer, position, Message, text);
        }

        if (!detail.IsEmpty)
        {
            position = WireWriter.WriteBytes(buffer, position, Details, detail);
        }

        output.Advance(position);
    }

    /// <summary>
    /// Appends the JSON encoding: <c>{"code":8,"message":"…","details":[{"@type":"…/google.rpc.RetryInfo","retryDelay":"1.5s"}]}</c>.
    /// </summary>
    /// <inheritdoc cref="Write"/>
    public static void WriteJson(IBufferWriter<byte> output, int code, string message, TimeSpan? retryAfter)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(retryAfter.GetValueOrDefault(), TimeSpan.Zero);
        using Utf8JsonWriter json = OtlpJsonText.NewWriter(output);
        json.WriteStartObject();
        if (code != 0)
        {
            json.WriteNumber("code"u8, code);
        }

        if (message.Length != 0)
        {
            json.WriteString("message"u8, message);
        }

        if (retryAfter is { } delay)
        {
            json.WriteStartArray("details"u8);
            json.WriteStartObject();
            json.WriteString("@type"u8, RetryInfoUrl);
            decimal seconds = Math.Min(decimal.Divide(delay.Ticks, TimeSpan.TicksPerSecond), MaxSeconds);
            json.WriteString("retryDelay"u8, seconds.ToString("0.#######", CultureInfo.InvariantCulture) + "s");
            json.WriteEndObject();
            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    /// <summary>Reads the protobuf encoding. Bytes of the message that are not UTF-8 are replaced by U+FFFD.</summary>
    /// <param name="bytes">The encoded message.</param>
    /// <param name="code">The gRPC status code, 0 when it is not named.</param>
    /// <param name="message">What is wrong; empty when it is not said.</param>
    /// <param name="retryDelay">
    /// The delay of the last <c>RetryInfo</c>, rounded down to 100 ns; a negative one reads as zero. Null without one.
    /// </param>
    /// <returns>False when the bytes are no such message.</returns>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out int code, out string message, out TimeSpan? retryDelay)
    {
        code = 0;
        message = "";
        retryDelay = null;
        WireReader status = new(bytes);
        while (status.TryReadTag(out uint tag))
        {
            switch (tag)
            {
                case (Code << 3) | (uint)WireType.Varint when status.TryReadVarint(out ulong value):
                    code = (int)value;
                    break;
                case (Message << 3) | (uint)WireType.LengthDelimited when status.TryReadBytes(out ReadOnlySpan<byte> text):
                    message = Encoding.UTF8.GetString(text);
                    break;
                case (Details << 3) | (uint)WireType.LengthDelimited when status.TryReadBytes(out ReadOnlySpan<byte> detail):
                    if (!TryReadDetail(detail, ref retryDelay))
                    {
                        return false;
                    }

                    break;
                default:
                    if (status.Error != WireError.None || !status.TrySkip(tag))
                    {
                        return false;
                    }

                    break;
            }
        }

        return status.AtEnd;
    }

    /// <summary>Reads the JSON encoding; unknown members and details are ignored, and so is a delay that is none.</summary>
    /// <param name="json">The encoded message.</param>
    /// <param name="code">The gRPC status code, 0 when it is not named.</param>
    /// <param name="message">What is wrong; empty when it is not said.</param>
    /// <param name="retryDelay">As in <see cref="TryRead"/>.</param>
    /// <returns>False when the text is no such message.</returns>
    public static bool TryReadJson(ReadOnlySpan<byte> json, out int code, out string message, out TimeSpan? retryDelay)
    {
        code = 0;
        message = "";
        retryDelay = null;
        using JsonDocument? document = OtlpJsonText.TryParseObject(json);
        if (document is null
            || !OtlpJsonText.TryGetInteger(document.RootElement, "code", "code", out long number)
            || number is < int.MinValue or > int.MaxValue
            || !OtlpJsonText.TryGetText(document.RootElement, "message", "message", out message))
        {
            return false;
        }

        code = (int)number;
        if (!OtlpJsonText.TryGet(document.RootElement, "details", "details", out JsonElement details))
        {
            return true;
        }

        if (details.ValueKind != JsonValueKind.Array)
        {
            return false;
        }

        foreach (JsonElement detail in details.EnumerateArray())
        {
            if (detail.ValueKind == JsonValueKind.Object
                && OtlpJsonText.TryGetText(detail, "@type", "@type", out string type)
                && type.EndsWith("/google.rpc.RetryInfo", StringComparison.Ordinal)
                && OtlpJsonText.TryGetText(detail, "retryDelay", "retry_delay", out string delay)
                && delay.EndsWith('s')
                && decimal.TryParse(delay.AsSpan(0, delay.Length - 1), NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint,
                    CultureInfo.InvariantCulture, out decimal seconds))
            {
                retryDelay = new TimeSpan((long)(Math.Clamp(seconds, 0, MaxSeconds) * TimeSpan.TicksPerSecond));
            }
        }

        return true;
    }

    private static int WriteRetryInfo(Span<byte> buffer, TimeSpan delay)
    {
        long seconds = Math.Min(delay.Ticks / TimeSpan.TicksPerSecond, MaxSeconds);
        int nanos = (int)(delay.Ticks % TimeSpan.TicksPerSecond) * 100;
        int duration = 2 + WireWriter.VarintSize((ulong)seconds) + WireWriter.VarintSize((ulong)nanos);
        int position = WireWriter.WriteBytes(buffer, 0, TypeUrl, RetryInfoUrlBytes);
        position = WireWriter.WriteLengthPrefix(buffer, position, Value, WireWriter.LengthDelimitedSize(duration));
        position = WireWriter.WriteLengthPrefix(buffer, position, RetryDelay, duration);
        position = WireWriter.WriteVarintField(buffer, position, Seconds, (ulong)seconds);
        return WireWriter.WriteVarintField(buffer, position, Nanos, (ulong)nanos);
    }

    // google.protobuf.Any: which message it holds is known by the part of the URL after the last slash.
    private static bool TryReadDetail(ReadOnlySpan<byte> bytes, ref TimeSpan? retryDelay)
    {
        ReadOnlySpan<byte> url = default;
        ReadOnlySpan<byte> value = default;
        WireReader any = new(bytes);
        while (any.TryReadTag(out uint tag))
        {
            bool read = tag switch
            {
                (TypeUrl << 3) | (uint)WireType.LengthDelimited => any.TryReadBytes(out url),
                (Value << 3) | (uint)WireType.LengthDelimited => any.TryReadBytes(out value),
                _ => any.TrySkip(tag),
            };
            if (!read)
            {
                return false;
            }
        }

        return any.AtEnd && (!url[(url.LastIndexOf((byte)'/') + 1)..].SequenceEqual("google.rpc.RetryInfo"u8)
            || TryReadRetryInfo(value, ref retryDelay));
    }

    private static bool TryReadRetryInfo(ReadOnlySpan<byte> bytes, ref TimeSpan? retryDelay)
    {
        WireReader info = new(bytes);
        while (info.TryReadTag(out uint tag))
        {
            if (tag != WireTag.LengthDelimited(RetryDelay))
            {
                if (!info.TrySkip(tag))
                {
                    return false;
                }
            }
            else if (!info.TryReadBytes(out ReadOnlySpan<byte> duration) || !TryReadDuration(duration, out retryDelay))
            {
                return false;
            }
        }

        return info.AtEnd;
    }

    private static bool TryReadDuration(ReadOnlySpan<byte> bytes, out TimeSpan? value)
    {
        ulong seconds = 0;
        ulong nanos = 0;
        value = null;
        WireReader duration = new(bytes);
        while (duration.TryReadTag(out uint tag))
        {
            bool read = tag switch
            {
                (Seconds << 3) | (uint)WireType.Varint => duration.TryReadVarint(out seconds),
                (Nanos << 3) | (uint)WireType.Varint => duration.TryReadVarint(out nanos),
                _ => duration.TrySkip(tag),
            };
            if (!read)
            {
                return false;
            }
        }

        long whole = Math.Clamp((long)seconds, 0, MaxSeconds);
        int fraction = (long)seconds < 0 ? 0 : Math.Clamp((int)nanos, 0, 999_999_999);
        value = new TimeSpan(whole * TimeSpan.TicksPerSecond + fraction / 100);
        return duration.AtEnd;
    }
}
