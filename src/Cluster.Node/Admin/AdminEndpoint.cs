using System.Net;
using Cluster.Gateway.Receivers.Hosting;
using Cluster.Node.Telemetry;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Cluster.Node.Admin;

/// <summary>
/// The admin endpoint: read-only HTTP/JSON about this node (docs/admin.md). It is one more door of the Kestrel server that has the OTLP
/// doors. It answers from snapshots and counters or asks the shards through their mailboxes, a few questions at a time and each with a
/// time limit, so that it never slows intake. There is no authentication: it listens on loopback unless configured otherwise. Thread-safe.
/// </summary>
public sealed class AdminEndpoint : IDisposable
{
    /// <summary>Name of its door.</summary>
    public const string Name = "admin";

    private const int MostQuestions = 4;
    private const int MostConnections = 100;

    /// <summary>Longest time for one answer, waiting for a turn included.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    private readonly bool _isLoopback;
    private readonly AdminRoutes _routes;
    private readonly TimeProvider _time;
    private readonly ILogger<AdminEndpoint> _logger;
    private readonly SemaphoreSlim _turns = new(MostQuestions, MostQuestions);

    /// <summary>Makes it; nothing listens yet.</summary>
    /// <exception cref="FormatException"><see cref="AdminOptions.Endpoint"/> is no address.</exception>
    /// <exception cref="IOException">Its host name is not known.</exception>
    public AdminEndpoint(AdminOptions options, AdminSources sources, TimeProvider time, ILogger<AdminEndpoint> logger)
    {
        Door = options.Endpoint is null ? null : new Door(Name, options.Endpoint, HttpProtocols.Http1, null, HandleAsync);
        _isLoopback = Door is not null && Door.Resolve().All(address => IPAddress.IsLoopback(address.Address));
        _routes = new AdminRoutes(sources, time);
        _time = time;
        _logger = logger;
    }

    /// <summary>Where it listens; null when it is switched off.</summary>
    public Door? Door { get; }

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
        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await response.Body.WriteAsync(reply.Body, context.RequestAborted);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _turns.Dispose();

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

        if (!HttpMethods.IsGet(request.Method) && !HttpMethods.IsHead(request.Method))
        {
            context.Response.Headers.Allow = "GET, HEAD";
            return AdminReply.Problem(
                StatusCodes.Status405MethodNotAllowed, "Method not allowed", $"{route.Template} is read-only; use GET or HEAD.");
        }

        return (route.Query is null ? null : AdminQuery.CheckNames(request.Query, route.Template, route.Query))
            ?? await AskAsync(context, route, parameter);
    }

    private async Task<AdminReply?> AskAsync(HttpContext context, AdminRoute route, string parameter)
    {
        using CancellationTokenSource late = new(Timeout, _time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, context.RequestAborted);
        bool turn = false;
        try
        {
            if (route.AsksShards)
            {
                await _turns.WaitAsync(either.Token);
                turn = true;
            }

            return await route.Answer(context.Request, parameter, either.Token);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            return null;
        }
        catch (OperationCanceledException) when (late.IsCancellationRequested)
        {
            _logger.RequestTimedOut(route.Template, Timeout.TotalSeconds);
            context.Response.Headers.RetryAfter = "1";
            return AdminReply.Problem(
                StatusCodes.Status503ServiceUnavailable, "No answer in time", $"The shards did not answer within {Timeout.TotalSeconds} seconds; try again.");
        }
#pragma warning disable CA1031 // Whatever one answer runs into must not end the node or the connection.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            _logger.RequestFailed(route.Template, exception);
            return AdminReply.Problem(
                StatusCodes.Status500InternalServerError, "Internal error", "The answer could not be made; the node's log says why.");
        }
        finally
        {
            if (turn)
            {
                _turns.Release();
            }
        }
    }

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
