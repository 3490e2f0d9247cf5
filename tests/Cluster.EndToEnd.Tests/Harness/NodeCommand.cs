using System.Diagnostics;

namespace Cluster.EndToEnd.Tests.Harness;

/// <summary>A command of <c>actorsampling</c> that ends by itself.</summary>
/// <param name="ExitCode">0 good, 1 found something wrong, 2 usage.</param>
/// <param name="Output">Standard output.</param>
/// <param name="Errors">Standard error.</param>
internal sealed record NodeCommand(int ExitCode, string Output, string Errors)
{
    /// <summary>Runs it to its end.</summary>
    public static async Task<NodeCommand> RunAsync(params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo("dotnet", [Repository.NodeProgram, .. arguments])
        {
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

        return new NodeCommand(process.ExitCode, await output, await errors);
    }
}
