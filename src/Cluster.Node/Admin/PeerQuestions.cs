using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Cluster.Messages.Sharding;
using Cluster.Sharding.Region;

namespace Cluster.Node.Admin;

/// <summary>What another node answered: one of the two, or neither when it did not answer in time, or nothing that can be read.</summary>
internal readonly record struct PeerAnswer<T>(T? Value, ProblemJson? Problem)
    where T : class;

/// <summary>Asks other nodes for pages of their admin endpoints. Thread-safe.</summary>
internal sealed class PeerQuestions(IClusterView view, TimeProvider time)
{
    /// <summary>How long one is waited for: less than the whole answer may take.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <summary>Asks one.</summary>
    /// <param name="member">Who.</param>
    /// <param name="question">A path with its query, which says <c>local=true</c>.</param>
    /// <param name="type">What the page has in it.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<PeerAnswer<T>> AskAsync<T>(
        MemberId member, string question, JsonTypeInfo<T> type, CancellationToken cancellationToken)
        where T : class
    {
        string? answer = await WithPatienceAsync(token => view.AskAsync(member, question, token), time, cancellationToken);
        return answer is null ? default : Read(answer, type);
    }

    /// <summary>Runs something for as long as one is waited for; null when it takes longer.</summary>
    public static async Task<T?> WithPatienceAsync<T>(
        Func<CancellationToken, Task<T?>> run, TimeProvider time, CancellationToken cancellationToken)
        where T : class
    {
        using CancellationTokenSource late = new(Patience, time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        try
        {
            return await run(either.Token).WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (late.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>A peer may be of another version, or wrong: what cannot be read is no answer.</summary>
    private static PeerAnswer<T> Read<T>(string answer, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(answer);
            bool isProblem = document.RootElement.ValueKind == JsonValueKind.Object
                && document.RootElement.TryGetProperty("title", out _) && document.RootElement.TryGetProperty("detail", out _);
            return isProblem
                ? new PeerAnswer<T>(null, Checked(document.Deserialize(AdminJson.Default.ProblemJson)))
                : new PeerAnswer<T>(document.Deserialize(type), null);
        }
        catch (JsonException)
        {
            return default;
        }
    }

    private static ProblemJson? Checked(ProblemJson? problem) =>
        problem is { Status: >= 400 and <= 599, Title: not null, Detail: not null } ? problem with { Type = "about:blank" } : null;
}
