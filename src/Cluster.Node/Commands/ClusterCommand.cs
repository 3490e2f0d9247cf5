using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Cluster.Node.Admin;

namespace Cluster.Node.Commands;

/// <summary><c>actorsampling cluster status|shards|drain|ready</c>: asks any node's admin endpoint about its cluster.</summary>
internal static class ClusterCommand
{
    /// <summary>Seconds that one request waits for a drain; then the next one tells how far it is.</summary>
    private const int DrainStepSeconds = 2;

    /// <summary>Builds it.</summary>
    public static Command Create(CommandEnvironment environment)
    {
        Command command = new("cluster", "Ask a running cluster, through the admin endpoint of any of its nodes.");
        command.Add(Verb(
            "status", "Who is in the cluster, how much each holds, and what is missing; 1 when something is.", environment, [], StatusAsync));
        command.Add(Verb("shards", "Every shard: who holds it and what is in it.", environment, [], ShardsAsync));
        command.Add(CreateDrain(environment));
        command.Add(Verb(
            "ready", "Whether the node that is asked takes spans; 1 when it does not. For health checks in images without a shell.",
            environment, [], ReadyAsync));
        return command;
    }

    private static Command CreateDrain(CommandEnvironment environment)
    {
        Argument<string?> node = new("NODE") { Description = "Name of the node to empty.", Arity = ArgumentArity.ZeroOrOne };
        Option<bool> self = new("--self") { Description = "Empty the node that is asked." };
        Command drain = Verb(
            "drain", "Move the shards of a node to the others, and wait until it holds none.", environment, [node], DrainAsync);
        drain.Add(self);
        drain.Validators.Add(result =>
        {
            if (result.GetValue(node) is null != result.GetValue(self))
            {
                result.AddError("Which node? Write its name, or --self for the one that is asked.");
            }
        });
        return drain;
    }

    private static Command Verb(
        string name, string description, CommandEnvironment environment, Argument[] arguments, Func<Call, CancellationToken, Task<int>> run)
    {
        Option<string> admin = new("--admin")
        {
            Description = "Admin endpoint of a node.",
            HelpName = "URL",
            DefaultValueFactory = _ => "http://127.0.0.1:8080",
        };
        admin.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: string text }] && !IsUrl(text))
            {
                result.AddError($"--admin: '{text}' is not a URL; write the admin endpoint of a node as http://127.0.0.1:8080");
            }
        });
        Option<string> output = new("--output") { Description = "How to print it.", DefaultValueFactory = _ => "text" };
        output.AcceptOnlyFromAmong("text", "json");
        Command verb = new(name, description) { admin, output };
        foreach (Argument argument in arguments)
        {
            verb.Add(argument);
        }

        verb.SetAction((parsed, cancellationToken) =>
            RunAsync(parsed, parsed.GetValue(admin)!, parsed.GetValue(output) == "json", environment, run, cancellationToken));
        return verb;
    }

    private static bool IsUrl(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out Uri? url) && url.Scheme is "http" or "https" && url.Host.Length > 0;

    private static async Task<int> RunAsync(
        ParseResult parsed,
        string admin,
        bool json,
        CommandEnvironment environment,
        Func<Call, CancellationToken, Task<int>> run,
        CancellationToken cancellationToken)
    {
        using AdminClient client = new(environment.Http(), new Uri(admin));
        try
        {
            return await run(new Call(parsed, client, json, parsed.InvocationConfiguration.Output), cancellationToken);
        }
        catch (AdminClientException e)
        {
            await parsed.InvocationConfiguration.Error.WriteLineAsync(e.Message);
            return e.ExitCode;
        }
    }

    private static async Task<int> StatusAsync(Call call, CancellationToken cancellationToken)
    {
        ClusterJson cluster = await call.Client.AskAsync(HttpMethod.Get, "/api/cluster", AdminJson.Default.ClusterJson, cancellationToken);
        if (!Print(call, cluster, AdminJson.Default.ClusterJson))
        {
            ClusterText.WriteStatus(call.Output, cluster);
        }

        return ClusterText.IsWell(cluster) ? CommandLine.Good : CommandLine.FoundWrong;
    }

    private static async Task<int> ShardsAsync(Call call, CancellationToken cancellationToken)
    {
        ShardsJson shards = await call.Client.AskAsync(HttpMethod.Get, "/api/shards", AdminJson.Default.ShardsJson, cancellationToken);
        if (!Print(call, shards, AdminJson.Default.ShardsJson))
        {
            ClusterText.WriteShards(call.Output, shards);
        }

        return shards.Unanswered.Count == 0 ? CommandLine.Good : CommandLine.FoundWrong;
    }

    private static async Task<int> DrainAsync(Call call, CancellationToken cancellationToken)
    {
        string node = call.Parsed.GetValue<string?>("NODE") is { } name ? $"&node={Uri.EscapeDataString(name)}" : "";
        string path = $"/api/drain?wait={DrainStepSeconds}{node}";
        DrainJson? last = null;
        while (true)
        {
            DrainJson progress = await call.Client.AskAsync(HttpMethod.Post, path, AdminJson.Default.DrainJson, cancellationToken);
            if (!call.Json && progress != last)
            {
                ClusterText.WriteDrain(call.Output, progress);
            }

            last = progress;
            if (progress.State != "draining")
            {
                Print(call, progress, AdminJson.Default.DrainJson);
                return progress.State == "incomplete" ? CommandLine.FoundWrong : CommandLine.Good;
            }
        }
    }

    private static async Task<int> ReadyAsync(Call call, CancellationToken cancellationToken)
    {
        StatusJson status = await call.Client.AskAsync(HttpMethod.Get, "/readyz", AdminJson.Default.StatusJson, cancellationToken);
        if (!Print(call, status, AdminJson.Default.StatusJson))
        {
            call.Output.WriteLine(status.Status);
        }

        return CommandLine.Good;
    }

    /// <summary>Prints the answer as JSON, if that is wanted.</summary>
    private static bool Print<T>(Call call, T answer, JsonTypeInfo<T> type)
    {
        if (call.Json)
        {
            call.Output.WriteLine(JsonSerializer.Serialize(answer, type));
        }

        return call.Json;
    }

    /// <summary>One run of one verb.</summary>
    private sealed record Call(ParseResult Parsed, AdminClient Client, bool Json, TextWriter Output);
}
