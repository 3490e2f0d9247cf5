using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;
using YamlDotNet.Serialization;

namespace Cluster.Deploy.Tests.Harness;

/// <summary>YAML as JSON nodes, which are easier to walk.</summary>
internal static class Yaml
{
    /// <summary>Every document of a text.</summary>
    public static IReadOnlyList<JsonNode> All(string text)
    {
        IDeserializer reader = new DeserializerBuilder().WithAttemptingUnquotedStringTypeDeserialization().Build();
        ISerializer writer = new SerializerBuilder().JsonCompatible().Build();
        // Merge keys (<<) are filled in before anything is read.
        MergingParser parser = new(new Parser(new StringReader(text)));
        List<JsonNode> documents = [];
        parser.Consume<StreamStart>();
        while (parser.Accept<DocumentStart>(out _))
        {
            if (reader.Deserialize(parser) is { } document)
            {
                documents.Add(JsonNode.Parse(writer.Serialize(document))!);
            }
        }

        return documents;
    }

    /// <summary>The only document of a text.</summary>
    public static JsonNode One(string text) => Assert.Single(All(text));
}
