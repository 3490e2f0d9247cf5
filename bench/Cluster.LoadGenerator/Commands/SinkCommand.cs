using System.CommandLine;
using Cluster.LoadGenerator.Sink;

namespace Cluster.LoadGenerator.Commands;

/// <summary><c>loadgen sink</c>: the recording back end.</summary>
internal static class SinkCommand
{
    private static readonly Option<int> s_grpcPort = new("--grpc-port") { Description = "OTLP/gRPC.", DefaultValueFactory = _ => 14327 };

    private static readonly Option<int> s_httpPort = new("--http-port") { Description = "OTLP/HTTP.", DefaultValueFactory = _ => 14328 };

    private static readonly Option<int> s_controlPort =
        new("--control-port") { Description = "GET /stats, POST /reset.", DefaultValueFactory = _ => 14329 };

    /// <summary>The command.</summary>
    public static Command Create()
    {
        var command = new Command("sink", "Take OTLP on loopback and record which spans of which traces arrive.")
        {
            s_grpcPort,
            s_httpPort,
            s_controlPort,
        };
        command.SetAction(async result =>
        {
            await using SinkServer server = await SinkServer.StartAsync(
                result.GetValue(s_grpcPort), result.GetValue(s_httpPort), result.GetValue(s_controlPort));
            await server.WaitAsync();
        });
        return command;
    }
}
