using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Cluster.Messages.Otlp;

/// <summary>What all writers of JSON here share.</summary>
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
}
