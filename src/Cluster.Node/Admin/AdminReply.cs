using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Cluster.Node.Admin;

/// <summary>A whole answer.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="ContentType">Media type.</param>
/// <param name="Body">What to send.</param>
internal sealed record AdminReply(int Status, string ContentType, byte[] Body)
{
    /// <summary>Seconds after which to try again; 0 for no hint.</summary>
    public int RetryAfterSeconds { get; init; }

    /// <summary>JSON, 200 unless said otherwise.</summary>
    public static AdminReply Json<T>(T value, JsonTypeInfo<T> type, int status = StatusCodes.Status200OK, string contentType = "application/json") =>
        new(status, contentType, JsonSerializer.SerializeToUtf8Bytes(value, type));

    /// <summary>200 with text.</summary>
    public static AdminReply Text(string text, string contentType) => new(StatusCodes.Status200OK, contentType, Encoding.UTF8.GetBytes(text));

    /// <summary>Problem details (RFC 9457).</summary>
    /// <param name="status">HTTP status.</param>
    /// <param name="title">What kind of problem.</param>
    /// <param name="detail">What is wrong here, and what would be right.</param>
    public static AdminReply Problem(int status, string title, string detail) =>
        Problem(new ProblemJson("about:blank", title, status, detail));

    /// <summary>What another node said is wrong.</summary>
    public static AdminReply Problem(ProblemJson problem) =>
        Json(problem, AdminJson.Default.ProblemJson, problem.Status, "application/problem+json");

    /// <summary>503 for what may answer a little later.</summary>
    public static AdminReply NoAnswer(string detail) =>
        Problem(StatusCodes.Status503ServiceUnavailable, "No answer in time", detail) with { RetryAfterSeconds = 1 };

    /// <summary>400 for a parameter.</summary>
    public static AdminReply BadParameter(string detail) => Problem(StatusCodes.Status400BadRequest, "Bad parameter", detail);
}
