using System.Diagnostics;
using System.Text.Json;
using Cluster.EndToEnd.Tests.Harness;
using Cluster.Testing.Otlp;

namespace Cluster.EndToEnd.Tests.Clients;

/// <summary>What a client sent, and the traces of each fate.</summary>
/// <param name="Sent">Every span, as the client's own SDK encodes it.</param>
/// <param name="Fates">Trace IDs by fate: error, slow, attribute, none.</param>
internal sealed record ClientReport(ExportTraceServiceRequest Sent, IReadOnlyDictionary<string, string[]> Fates)
{
    /// <summary>What the policies of <see cref="NodeSettings"/> keep.</summary>
    public IEnumerable<string> Kept => Fates.Where(fate => fate.Key != "none").SelectMany(fate => fate.Value);

    public IEnumerable<string> All => Fates.SelectMany(fate => fate.Value);
}

/// <summary>The OpenTelemetry JS SDK in a process of its own.</summary>
internal static class JavaScriptClient
{
    private static int s_seed;

    /// <summary>Runs the client to its end; asserts that all it sent was acknowledged.</summary>
    public static async Task<ClientReport> RunAsync(Uri endpoint, string protocol, string compression)
    {
        string seed = Interlocked.Increment(ref s_seed).ToString();
        string url = endpoint.GetLeftPart(UriPartial.Authority);
        using Process process = Process.Start(new ProcessStartInfo(
            "node", ["client.js", "--endpoint", url, "--protocol", protocol, "--compression", compression, "--seed", seed])
        {
            WorkingDirectory = Repository.JavaScriptClients,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        CancellationToken cancelled = TestContext.Current.CancellationToken;
        Task<string> output = process.StandardOutput.ReadToEndAsync(cancelled);
        Task<string> errors = process.StandardError.ReadToEndAsync(cancelled);
        try
        {
            await process.WaitForExitAsync(cancelled).WaitAsync(Eventually.Deadline, cancelled);
        }
        catch
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        Assert.True(process.ExitCode == 0, $"client.js ended with {process.ExitCode}: {await errors}");

        using JsonDocument report = JsonDocument.Parse(await output);
        return new ClientReport(
            ExportTraceServiceRequest.Parser.ParseFrom(report.RootElement.GetProperty("sent").GetBytesFromBase64()),
            report.RootElement.GetProperty("fates").Deserialize<Dictionary<string, string[]>>()!);
    }
}
