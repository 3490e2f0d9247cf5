using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Cluster.Messages.Otlp;

/// <summary>What all writers of JSON here share.</summary>
internal static class OtlpJsonText
{
    // Relaxed: the output goes to OTLP readers, not into HTML. Depth is bounded by what is written, so the writer need not check.
    private static readonly JsonWriterOptions Options = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Indented = false,
        SkipValidation = true,
        MaxDepth = 512,
    };

    /// <summary>A writer of one line; whoever makes it disposes it, which flushes it.</summary>
    public static Utf8JsonWriter NewWriter(IBufferWriter<byte> output) => new(output, Options);

    /// <summary>The text with lone surrogates, which JSON in UTF-8 cannot carry, replaced by U+FFFD.</summary>
    public static string Clean(string text)
    {
        Span<char> clean = text.Length <= 256 ? stackalloc char[text.Length] : new char[text.Length];
        text.CopyTo(clean);
        bool changed = false;
        for (int i = 0; i < clean.Length; i++)
        {
            if (!char.IsSurrogate(clean[i]))
            {
                continue;
            }

            if (i + 1 < clean.Length && char.IsSurrogatePair(clean[i], clean[i + 1]))
            {
                i++;
            }
            else
            {
                clean[i] = '\uFFFD';
                changed = true;
            }
        }

        return changed ? new string(clean) : text;
    }
}
