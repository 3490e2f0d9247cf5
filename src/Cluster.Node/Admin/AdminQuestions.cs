using System.Text;
using Cluster.Node.Telemetry;
using Microsoft.AspNetCore.WebUtilities;

namespace Cluster.Node.Admin;

/// <summary>
/// Answers the questions of other nodes: paths of the admin endpoint, without HTTP. Only about this node (<c>local=true</c>), so that no question
/// ever travels further. Thread-safe.
/// </summary>
public sealed class AdminQuestions
{
    private const int LongestQuestion = 1000;

    private readonly AdminRoutes _routes;
    private readonly AdminAnswers _answers;

    internal AdminQuestions(AdminRoutes routes, AdminAnswers answers)
    {
        _routes = routes;
        _answers = answers;
    }

    /// <summary>Answers one. Never throws, but when cancelled.</summary>
    /// <param name="question">A path with its query: <c>/api/shards?local=true</c>. Any text is taken.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>JSON: the page, or problem details.</returns>
    public async Task<string> AnswerAsync(string question, CancellationToken cancellationToken)
    {
        AdminReply reply = await ReplyAsync(question, cancellationToken);
        return Encoding.UTF8.GetString(reply.Body);
    }

    private async Task<AdminReply> ReplyAsync(string question, CancellationToken cancellationToken)
    {
        int mark = question.IndexOf('?', StringComparison.Ordinal);
        string path = mark < 0 ? question : question[..mark];
        if (question.Length > LongestQuestion || _routes.Find(path, out string parameter) is not { IsForPeers: true } route)
        {
            return AdminReply.Problem(
                StatusCodes.Status404NotFound, "No such path", $"Nodes do not ask each other for {Text.Shorten(path, 200)}.");
        }

        QueryCollection query = new(QueryHelpers.ParseQuery(mark < 0 ? "" : question[mark..]));
        if (query["local"] != "true")
        {
            return AdminReply.BadParameter($"Nodes ask each other with local=true only: {Text.Shorten(question, 200)}.");
        }

        return AdminQuery.CheckNames(query, route.Template, route.Query!)
            ?? await _answers.AnswerAsync(route, query, parameter, cancellationToken);
    }
}
