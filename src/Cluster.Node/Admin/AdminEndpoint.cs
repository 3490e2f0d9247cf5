using System.Globalization;
using System.Net;
using Cluster.Gateway.Receivers.Hosting;
using Cluster.Node.Telemetry;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Cluster.Node.Admin;

/// <summary>
/// The admin endpoint: HTTP/JSON about this node and its cluster (docs/admin.md), read-only but for draining. It is one more door of the Kestrel
/// server that has the OTLP doors. It answers from snapshots and counters or asks the shards through their mailboxes, a few questions at a time and
/// each with a time limit, so that it never slows intake. There is no authentication: it listens on loopback unless configured otherwise.
/// Thread-safe.
/// </summary>
public sealed class AdminEndpoint : IDisposable
{
    /// <summary>Name of its door.</summary>
    public const string Name = "admin";

    private const int MostConnections = 100;

    /// <summary>Longest time for one answer, waiting for a turn included.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    private readonly bool _isLoopback;
    private readonly AdminRoutes _routes;
    private readonly AdminAnswers _answers;
    private readonly AdminAnswers _answersToPeers;

    /// <summary>Makes it; nothing listens yet.</summary>
    /// <exception cref="FormatException"><see cref="AdminOptions.Endpoint"/> is no address.</exception>
    /// <exception cref="IOException">Its host name is not known.</exception>
    public AdminEndpoint(AdminOptions options, AdminSources sources, TimeProvider time, ILogger<AdminEndpoint> logger)
    {
        Door = options.Endpoint is null ? null : new Door(Name, options.Endpoint, HttpProtocols.Http1, null, HandleAsync);
        _isLoopback = Door is not null && Door.Resolve().All(address => IPAddress.IsLoopback(address.Address));
        _routes = new AdminRoutes(sources, time);
        _answers = new AdminAnswers(time, logger);
        _answersToPeers = new AdminAnswers(time, logger);
        Questions = new AdminQuestions(_routes, _answersToPeers);
    }

    /// <summary>Where it listens; null when it is switched off.</summary>
    public Door? Door { get; }

    /// <summary>Answers other nodes; also when the endpoint itself is switched off.</summary>
    public AdminQuestions Questions { get; }

    internal AdminRoutes Routes => _routes;

    /// <summary>Opens its door on the server; nothing when it is switched off. Its connections are its own, not the OTLP doors'.</summary>
    /// <exception cref="FormatException"><see cref="AdminOptions.Endpoint"/> is no address.</exception>
    /// <exception cref="IOException">Its host name is not known.</exception>
    public void ConfigureKestrel(KestrelServerOptions server)
    {
        if (Door is not null)
        {
            KestrelDoors.Listen(server, Door, MostConnections);
        }
    }

    /// <summary>Answers one request. Throws nothing but what the connection throws.</summary>
    public async Task HandleAsync(HttpContext context)
    {
        AdminReply? reply = await AnswerAsync(context);
        if (reply is null)
        {
            return; // The client has gone.
        }

        HttpResponse response = context.Response;
        response.StatusCode = reply.Status;
        response.ContentType = reply.ContentType;
        response.ContentLength = reply.Body.Length;
        response.Headers.CacheControl = "no-store";
        response.Headers.XContentTypeOptions = "nosniff";
        if (reply.RetryAfterSeconds > 0)
        {
            response.Headers.RetryAfter = reply.RetryAfterSeconds.ToString(CultureInfo.InvariantCulture);
        }

        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await response.Body.WriteAsync(reply.Body, context.RequestAborted);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _answers.Dispose();
        _answersToPeers.Dispose();
    }

    private async Task<AdminReply?> AnswerAsync(HttpContext context)
    {
        HttpRequest request = context.Request;
        if (!IsOwnHost(request.Host))
        {
            return AdminReply.Problem(
                StatusCodes.Status403Forbidden,
                "Wrong host",
                $"This endpoint is for this machine only and does not answer as '{Text.Shorten(request.Host.Host, 100)}'; use localhost or an IP address.");
        }

        string path = request.Path.Value ?? "/";
        AdminRoute? route = _routes.Find(path, out string parameter);
        if (route is null)
        {
            string all = string.Join(", ", _routes.All.Select(known => known.Template));
            return AdminReply.Problem(
                StatusCodes.Status404NotFound, "No such path", $"There is no {Text.Shorten(path, 200)}; there are {all}.");
        }

        if (!route.Takes(request.Method))
        {
            context.Response.Headers.Allow = route.IsPost ? "POST" : "GET, HEAD";
            return AdminReply.Problem(
                StatusCodes.Status405MethodNotAllowed,
                "Method not allowed",
                route.IsPost ? $"{route.Template} changes something; use POST." : $"{route.Template} is read-only; use GET or HEAD.");
        }

        if (route.IsPost && !IsOwnOrigin(request))
        {
            return AdminReply.Problem(
                StatusCodes.Status403Forbidden, "Wrong origin", "A page of another site asks for this; ask without an Origin header.");
        }

        if (route.Query is not null && AdminQuery.CheckNames(request.Query, route.Template, route.Query) is { } problem)
        {
            return problem;
        }

        try
        {
            return await _answers.AnswerAsync(route, request.Query, parameter, context.RequestAborted);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>A browser says which site's page a POST comes from; others say nothing.</summary>
    private static bool IsOwnOrigin(HttpRequest request) =>
        request.Headers.Origin is not [{ } origin] || origin.Equals($"{request.Scheme}://{request.Host}", StringComparison.OrdinalIgnoreCase);

    /// <summary>
    /// A web page that has its own name resolve to this machine (DNS rebinding) could read traces through a browser here. On loopback,
    /// only names that cannot be rebound are answered.
    /// </summary>
    private bool IsOwnHost(HostString host) =>
        !_isLoopback
        || !host.HasValue
        || IPAddress.TryParse(host.Host, out _)
        || host.Host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || host.Host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase);
}
