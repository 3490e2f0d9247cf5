using System.Buffers;
using Cluster.Messages.Protobuf;

namespace Cluster.Messages.Otlp;

/// <summary>
/// OTLP/JSON to protobuf bytes and back (<see href="https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding"/>): IDs in hex,
/// 64-bit integers as strings or numbers, enums as numbers or names, unknown members ignored.
/// </summary>
public static class OtlpJson
{
    /// <summary>Appends the protobuf encoding of a JSON <c>ExportTraceServiceRequest</c> to <paramref name="output"/>.</summary>
    /// <returns>False when the JSON is malformed; <paramref name="error"/> then says where and why, and the output is as it was.</returns>
    public static bool TryReadRequest(ReadOnlySpan<byte> json, PooledBuffer output, out OtlpJsonError error) => throw new NotImplementedException();

    /// <summary>Writes a protobuf <c>ExportTraceServiceRequest</c> as one line of JSON without a final newline.</summary>
    /// <exception cref="FormatException">The bytes are no such message.</exception>
    public static void WriteRequest(ReadOnlySpan<byte> request, IBufferWriter<byte> output) => throw new NotImplementedException();
}

/// <summary>Where and why JSON is not an OTLP request.</summary>
/// <param name="Offset">Byte offset into the document.</param>
/// <param name="Problem">What is wrong there, for a person.</param>
public readonly record struct OtlpJsonError(long Offset, string Problem);
