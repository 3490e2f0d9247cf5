using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Cluster.Messages.Otlp;

/// <summary>What all writers of JSON here share, and the reading of small answers. Not for requests: it builds a document.</summary>
internal static class OtlpJsonText
{
    // Relaxed: the output goes to OTLP readers, not into HTML. Depth is bounded by what is written, so the writer need not check.
    // Text that is not valid UTF-8 or UTF-16 comes out with U+FFFD in it.
    private static readonly JsonWriterOptions Options = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Indented = false,
        SkipValidation = true,
        MaxDepth = 512,
    };

    /// <summary>A writer of one line; whoever makes it disposes it, which flushes it.</summary>
    public static Utf8JsonWriter NewWriter(IBufferWriter<byte> output) => new(output, Options);

    /// <summary>Parses a document, which the caller disposes; null when it is malformed or no object.</summary>
    public static JsonDocument? TryParseObject(ReadOnlySpan<byte> json)
    {
        try
        {
            JsonDocument document = JsonDocument.Parse(json.ToArray());
            if (document.RootElement.ValueKind == JsonValueKind.Object)
            {
                return document;
            }

            document.Dispose();
        }
        catch (JsonException)
        {
            // Reported as null.
        }

        return null;
    }

    /// <summary>Finds a member by its name in camel or in snake case; null counts as absent.</summary>
    public static bool TryGet(JsonElement element, string name, string originalName, out JsonElement value) =>
        (element.TryGetProperty(name, out value) || element.TryGetProperty(originalName, out value))
        && value.ValueKind != JsonValueKind.Null;

    /// <summary>Reads an integer member, a number or a string; 0 when it is absent.</summary>
    /// <returns>False when it is there and is no 64-bit integer.</returns>
    public static bool TryGetInteger(JsonElement element, string name, string originalName, out long value)
    {
        value = 0;
        return !TryGet(element, name, originalName, out JsonElement member) || member.ValueKind switch
        {
            JsonValueKind.Number => member.TryGetInt64(out value),
            JsonValueKind.String => TryGetText(element, name, originalName, out string text) && long.TryParse(text, out value),
            _ => false,
        };
    }

    /// <summary>Reads a text member; empty when it is absent.</summary>
    /// <returns>False when it is there and is no text.</returns>
    public static bool TryGetText(JsonElement element, string name, string originalName, out string value)
    {
        value = "";
        if (!TryGet(element, name, originalName, out JsonElement member))
        {
            return true;
        }

        try
        {
            value = member.ValueKind == JsonValueKind.String ? member.GetString()! : "";
            return member.ValueKind == JsonValueKind.String;
        }
        catch (InvalidOperationException)
        {
            // Half of a surrogate pair, or bytes that are not UTF-8.
            return false;
        }
    }
}
