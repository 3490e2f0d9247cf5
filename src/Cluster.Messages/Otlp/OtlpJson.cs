using System.Buffers;
using System.Text.Json;
using Cluster.Messages.Protobuf;

namespace Cluster.Messages.Otlp;

/// <summary>
/// OTLP/JSON to protobuf bytes and back (<see href="https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding"/>): IDs in hex,
/// 64-bit integers as strings or numbers, enums as numbers or names, unknown members ignored. Thread-safe: it has no state.
/// </summary>
public static class OtlpJson
{
    /// <summary>
    /// Appends the protobuf encoding of a JSON <c>ExportTraceServiceRequest</c> to <paramref name="output"/>. Names of members may be in
    /// camel or in
    /// snake case; a null member is an absent one; of a repeated member the last counts, lists go on and objects merge. An ID of a wrong
    /// length is
    /// passed on as it is. Values nest to 32. The output is at most 1.5 times as long as the input, plus 64 bytes. Allocates
    /// nothing for a document that is right, other than the output's growth.
    /// </summary>
    /// <returns>False when the JSON is malformed; <paramref name="error"/> then says where and why, and the output is as it was.</returns>
    public static bool TryReadRequest(ReadOnlySpan<byte> json, PooledBuffer output, out OtlpJsonError error)
    {
        int length = output.Length;
        OtlpJsonReader reader = new(json, output);
        bool read = reader.TryRead(OtlpSchema.Request);
        error = reader.Error;
        if (!read)
        {
            output.Truncate(length);
        }

        return read;
    }

    /// <summary>
    /// Writes a protobuf <c>ExportTraceServiceRequest</c> as one line of JSON without a final newline: IDs in lower-case hex, 64-bit
    /// integers as
    /// strings, enums as numbers, bytes in base64, defaults left out. Fields that the schema does not know are left out: JSON cannot
    /// carry them.
    /// Text that is not UTF-8 gets U+FFFD.
    /// </summary>
    /// <exception cref="FormatException">The bytes are no such message, or nest deeper than 100 messages; part of it may have been
    /// written.</exception>
    public static void WriteRequest(ReadOnlySpan<byte> request, IBufferWriter<byte> output)
    {
        using Utf8JsonWriter json = OtlpJsonText.NewWriter(output);
        OtlpJsonWriter.WriteMessage(json, OtlpSchema.Request, request);
    }
}

/// <summary>Where and why JSON is not an OTLP request.</summary>
/// <param name="Offset">Byte offset into the document.</param>
/// <param name="Problem">What is wrong there, for a person.</param>
public readonly record struct OtlpJsonError(long Offset, string Problem);
