using System.ComponentModel;
using System.Diagnostics;

namespace Cluster.Deploy.Tests.Harness;

/// <summary>Programs that read what is deployed. One that is missing fails the test that needs it, with what to do.</summary>
internal static class Tool
{
    private const string Folder = "tests/Cluster.Deploy.Tests";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    /// <summary>Renders a folder with kustomize, or with the kubectl that contains it.</summary>
    public static async Task<string> KustomizeAsync(string folder)
    {
        string path = Repository.PathTo(folder);
        string? kustomize = Find("kustomize");
        (int code, string output, string errors) = kustomize is not null
            ? await RunAsync(kustomize, ["build", path])
            : await RunAsync(Find("kubectl") ?? throw Missing("kustomize"), ["kustomize", path]);
        Assert.True(code == 0, $"kustomize cannot render {folder}: {errors}");
        return output;
    }

    /// <summary>A compose file with everything filled in, as JSON.</summary>
    public static async Task<string> ComposeAsync(string file)
    {
        string program = Find("docker-compose") ?? throw Missing("docker-compose");
        (int code, string output, string errors) = await RunAsync(program, ["-f", Repository.PathTo(file), "config", "--format", "json"]);
        Assert.True(code == 0, $"docker-compose does not take {file}: {errors}");
        Assert.Equal("", errors);
        return output;
    }

    /// <summary>What is wrong with manifests as objects of the Kubernetes API; empty when nothing is.</summary>
    public static async Task<string> CheckManifestsAsync(string yaml)
    {
        string clients = Repository.PathTo($"{Folder}/clients/manifests");
        if (!Directory.Exists(Path.Combine(clients, "node_modules")))
        {
            throw new InvalidOperationException($"the packages of {clients} are not installed: run ./test deploy");
        }

        (int code, string output, string errors) = await RunAsync("node", [Path.Combine(clients, "check.mjs")], yaml);
        Assert.True(errors.Length == 0 && code == (output.Length == 0 ? 0 : 1), $"check.mjs ended with {code}: {errors}");
        return output;
    }

    private static string? Find(string name)
    {
        string path = Environment.GetEnvironmentVariable("PATH") ?? "";
        return path.Split(Path.PathSeparator)
            .Prepend(Repository.PathTo($"{Folder}/bin/tools"))
            .Select(folder => Path.Combine(folder, name))
            .FirstOrDefault(File.Exists);
    }

    private static InvalidOperationException Missing(string name) =>
        new($"{name} is not there: run {Folder}/install-tools, which gets it from Debian, or install it");

    private static async Task<(int Code, string Output, string Errors)> RunAsync(string program, string[] arguments, string input = "")
    {
        ProcessStartInfo start = new(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (Win32Exception exception)
        {
            throw new InvalidOperationException($"{program} cannot be started: {exception.Message}", exception);
        }

        using (process)
        using (CancellationTokenSource deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken))
        {
            deadline.CancelAfter(Patience);
            Task<string> output = process.StandardOutput.ReadToEndAsync(deadline.Token);
            Task<string> errors = process.StandardError.ReadToEndAsync(deadline.Token);
            await process.StandardInput.WriteAsync(input);
            process.StandardInput.Close();
            try
            {
                await process.WaitForExitAsync(deadline.Token);
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
                throw;
            }

            return (process.ExitCode, await output, await errors);
        }
    }
}
