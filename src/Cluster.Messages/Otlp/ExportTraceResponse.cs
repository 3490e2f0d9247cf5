using System.Buffers;
using System.Text;
using System.Text.Json;
using Cluster.Messages.Protobuf;
using Fields = Cluster.Messages.Otlp.OtlpFields.ExportTraceServiceResponse;

namespace Cluster.Messages.Otlp;

/// <summary>
/// <c>ExportTraceServiceResponse</c>, the answer to a taken request
/// (<see href="https://opentelemetry.io/docs/specs/otlp/#partial-success"/>). Nothing rejected and no message: an empty message.
/// Thread-safe: it has no state.
/// </summary>
public static class ExportTraceResponse
{
    /// <summary>Appends the protobuf encoding, which is no bytes at all when everything was taken and there is nothing to say.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="rejected">Spans that were not taken, 0 or more.</param>
    /// <param name="message">Why, or a warning when none was rejected; empty for none.</param>
    public static void Write(IBufferWriter<byte> output, long rejected, string message)
    {
        if (rejected == 0 && message.Length == 0)
        {
            return;
        }

        byte[] text = Encoding.UTF8.GetBytes(message);
        int content = (rejected == 0 ? 0 : 1 + WireWriter.VarintSize((ulong)rejected))
            + (text.Length == 0 ? 0 : WireWriter.LengthDelimitedSize(text.Length));
        int total = WireWriter.LengthDelimitedSize(content);
        Span<byte> buffer = output.GetSpan(total);
        int position = WireWriter.WriteLengthPrefix(buffer, 0, Fields.PartialSuccess, content);
        if (rejected != 0)
        {
            position = WireWriter.WriteVarintField(buffer, position, Fields.RejectedSpans, (ulong)rejected);
        }

        if (text.Length != 0)
        {
            position = WireWriter.WriteBytes(buffer, position, Fields.ErrorMessage, text);
        }

        output.Advance(position);
    }

    /// <summary>Appends the JSON encoding: <c>{}</c>, or <c>{"partialSuccess":{"rejectedSpans":"1","errorMessage":"…"}}</c>.</summary>
    /// <inheritdoc cref="Write"/>
    public static void WriteJson(IBufferWriter<byte> output, long rejected, string message)
    {
        using Utf8JsonWriter json = OtlpJsonText.NewWriter(output);
        json.WriteStartObject();
        if (rejected != 0 || message.Length != 0)
        {
            json.WriteStartObject("partialSuccess"u8);
            if (rejected != 0)
            {
                json.WriteString("rejectedSpans"u8, rejected.ToString());
            }

            if (message.Length != 0)
            {
                json.WriteString("errorMessage"u8, message);
            }

            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    /// <summary>Reads the protobuf encoding. Bytes of the message that are not UTF-8 are replaced by U+FFFD.</summary>
    /// <param name="bytes">The encoded message; no bytes mean that everything was taken.</param>
    /// <param name="rejected">Spans that were not taken.</param>
    /// <param name="message">Why, or a warning; empty for none.</param>
    /// <returns>False when the bytes are no such message.</returns>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out long rejected, out string message)
    {
        rejected = 0;
        message = "";
        WireReader response = new(bytes);
        while (response.TryReadTag(out uint tag))
        {
            if (tag != WireTag.LengthDelimited(Fields.PartialSuccess))
            {
                if (!response.TrySkip(tag))
                {
                    return false;
                }
            }
            else if (!response.TryReadBytes(out ReadOnlySpan<byte> partial) || !TryReadPartial(partial, ref rejected, ref message))
            {
                return false;
            }
        }

        return response.AtEnd;
    }

    /// <summary>Reads the JSON encoding; names in camel or snake case, unknown members ignored.</summary>
    /// <param name="json">The encoded message.</param>
    /// <param name="rejected">Spans that were not taken.</param>
    /// <param name="message">Why, or a warning; empty for none.</param>
    /// <returns>False when the text is no such message.</returns>
    public static bool TryReadJson(ReadOnlySpan<byte> json, out long rejected, out string message)
    {
        rejected = 0;
        message = "";
        using JsonDocument? document = OtlpJsonText.TryParseObject(json);
        if (document is null)
        {
            return false;
        }

        return !OtlpJsonText.TryGet(document.RootElement, "partialSuccess", "partial_success", out JsonElement partial)
            || (partial.ValueKind == JsonValueKind.Object
                && OtlpJsonText.TryGetInteger(partial, "rejectedSpans", "rejected_spans", out rejected)
                && OtlpJsonText.TryGetText(partial, "errorMessage", "error_message", out message));
    }

    private static bool TryReadPartial(ReadOnlySpan<byte> bytes, ref long rejected, ref string message)
    {
        WireReader partial = new(bytes);
        while (partial.TryReadTag(out uint tag))
        {
            switch (tag)
            {
                case (Fields.RejectedSpans << 3) | (uint)WireType.Varint when partial.TryReadVarint(out ulong value):
                    rejected = (long)value;
                    break;
                case (Fields.ErrorMessage << 3) | (uint)WireType.LengthDelimited when partial.TryReadBytes(out ReadOnlySpan<byte> text):
                    message = Encoding.UTF8.GetString(text);
                    break;
                default:
                    if (partial.Error != WireError.None || !partial.TrySkip(tag))
                    {
                        return false;
                    }

                    break;
            }
        }

        return partial.AtEnd;
    }
}
