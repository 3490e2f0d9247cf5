using Cluster.Node.Configuration;
using Cluster.Sampling.Configuration;

namespace Cluster.Node.Tests.Configuration;

/// <summary>How tests read configurations.</summary>
internal static class TestFiles
{
    public const long AvailableMemory = 8L << 30;

    public static readonly LocalMachine Machine = new("host-1", () => "10.0.0.7");

    public static NodeConfiguration? Read(
        string yaml, out ConfigurationErrors errors, CommandLineOverrides? given = null, LocalMachine? machine = null)
    {
        errors = new ConfigurationErrors();
        return NodeConfigurationReader.Read(yaml, Variable, AvailableMemory, errors, given, machine ?? Machine);
    }

    /// <summary>Reads a file that must have no error; its warnings do not matter.</summary>
    public static NodeConfiguration ReadGood(string yaml, CommandLineOverrides? given = null, LocalMachine? machine = null)
    {
        NodeConfiguration? configuration = Read(yaml, out ConfigurationErrors errors, given, machine);
        Assert.False(errors.HasErrors, string.Join('\n', errors.All));
        return configuration!;
    }

    public static string Findings(string name, ConfigurationErrors errors)
    {
        ConfigurationSource source = new(name, "");
        return string.Concat(errors.All.Select(e => source.Describe(e) + "\n"));
    }

    /// <summary>A small file that runs, with lines replaced or added.</summary>
    public static string Minimal(
        string receiver = "{ protocols: { grpc: , http: } }", string tailSampling = "", string exporter = "{}", string rest = "") => $$"""
        receivers:
          otlp: {{receiver}}
        processors:
          tail_sampling:
            policies: [{ name: all, type: always_sample }]
            {{tailSampling}}
        exporters:
          debug: {{exporter}}
        service:
          pipelines:
            traces: { receivers: [otlp], processors: [tail_sampling], exporters: [debug] }
        {{rest}}
        """;

    public static string? Variable(string name) => name switch
    {
        "HOST" => "10.0.0.7",
        "PORT" => "5317",
        "WAIT" => "750ms",
        "DIGITS" => "0123456789",
        "DOLLARS" => "pa$$word${HOST}",
        "EMPTY" => "",
        "TRUE" => "true",
        "LIST" => "[otlp]",
        "TOKEN" => "Bearer: {abc}",
        _ => null,
    };
}
