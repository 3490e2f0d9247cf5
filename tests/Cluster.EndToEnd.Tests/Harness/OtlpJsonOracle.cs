using System.Text.Json.Nodes;
using Cluster.Testing.Otlp;
using Google.Protobuf;

namespace Cluster.EndToEnd.Tests.Harness;

/// <summary>
/// Reads OTLP/JSON without the product's help: Google.Protobuf's own JSON, after the one thing where OTLP differs from it, IDs in hex
/// instead of base64.
/// </summary>
internal static class OtlpJsonOracle
{
    private static readonly JsonParser Parser = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true));

    /// <exception cref="Exception">The text is no such request.</exception>
    public static ExportTraceServiceRequest Read(ReadOnlySpan<byte> json)
    {
        JsonNode document = JsonNode.Parse(json)!;
        IdsToBase64(document);
        return Parser.Parse<ExportTraceServiceRequest>(document.ToJsonString());
    }

    private static void IdsToBase64(JsonNode? node)
    {
        switch (node)
        {
            case JsonArray array:
                foreach (JsonNode? item in array)
                {
                    IdsToBase64(item);
                }

                break;
            case JsonObject members:
                foreach (string name in members.Select(member => member.Key).ToArray())
                {
                    if (name is "traceId" or "spanId" or "parentSpanId" && members[name] is JsonValue id)
                    {
                        members[name] = Convert.ToBase64String(Convert.FromHexString(id.GetValue<string>()));
                    }
                    else
                    {
                        IdsToBase64(members[name]);
                    }
                }

                break;
        }
    }
}
