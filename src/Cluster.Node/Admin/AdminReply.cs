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
    /// <summary>200 with JSON.</summary>
    public static AdminReply Json<T>(T value, JsonTypeInfo<T> type, int status = StatusCodes.Status200OK, string contentType = "application/json") =>
        new(status, contentType, JsonSerializer.SerializeToUtf8Bytes(value, type));

    /// <summary>200 with text.</summary>
    public static AdminReply Text(string text, string contentType) => new(StatusCodes.Status200OK, contentType, Encoding.UTF8.GetBytes(text));

    /// <summary>Problem details (RFC 9457).</summary>
    /// <param name="status">HTTP status.</param>
    /// <param name="title">What kind of problem.</param>
    /// <param name="detail">What is wrong here, and what would be right.</param>
    public static AdminReply Problem(int status, string title, string detail) =>
        Json(new ProblemJson("about:blank", title, status, detail), AdminJson.Default.ProblemJson, status, "application/problem+json");

    /// <summary>400 for a parameter.</summary>
    public static AdminReply BadParameter(string detail) => Problem(StatusCodes.Status400BadRequest, "Bad parameter", detail);
}
