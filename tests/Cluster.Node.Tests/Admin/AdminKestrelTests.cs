using System.Net;
using Cluster.Gateway.Receivers.Hosting;
using Cluster.Node.Admin;
using Cluster.Node.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace Cluster.Node.Tests.Admin;

public sealed class AdminKestrelTests : IDisposable
{
    private readonly AdminFixture _admin = new();

    public void Dispose() => _admin.Dispose();

    [Fact]
    public async Task ConfigureKestrel_SharedServer_AnswersOnItsOwnPortOnly()
    {
        CancellationToken cancel = TestContext.Current.CancellationToken;
        using AdminEndpoint endpoint = new(new AdminOptions { Endpoint = "127.0.0.1:0" }, _admin.Sources, TimeProvider.System, _admin.Logger);
        Door other = new("other", "127.0.0.1:0", HttpProtocols.Http1, null, context => context.Response.WriteAsync("another door"));
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            KestrelDoors.Listen(kestrel, other, 1);
            endpoint.ConfigureKestrel(kestrel);
        });
        await using WebApplication app = builder.Build();
        app.Run(KestrelDoors.DispatchAsync);
        await app.StartAsync(cancel);
        ListeningAddress listening = ListeningAddress.Of(endpoint.Door!);
        string url = listening.Url;

        using HttpClient client = new();
        Assert.Equal(("admin", url), (listening.Name, listening.LocalUrl));
        Assert.StartsWith("http://127.0.0.1:", url, StringComparison.Ordinal);
        Assert.Contains("\"status\": \"ok\"", await client.GetStringAsync(url + "/healthz", cancel), StringComparison.Ordinal);
        Assert.Equal("another door", await client.GetStringAsync(new Uri(other.Url, "/healthz"), cancel));
        using HttpResponseMessage head = await client.SendAsync(new HttpRequestMessage(HttpMethod.Head, url + "/metrics"), cancel);
        Assert.Equal((HttpStatusCode.OK, true), (head.StatusCode, head.Content.Headers.ContentLength > 1000));
        using HttpResponseMessage post = await client.PostAsync(url + "/api/node", new StringContent("{}"), cancel);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, post.StatusCode);
        Assert.Equal(["GET", "HEAD"], post.Content.Headers.Allow);
    }

    [Fact]
    public void ConfigureKestrel_SwitchedOff_ListensNowhere()
    {
        using AdminEndpoint endpoint = new(new AdminOptions { Endpoint = null }, _admin.Sources, _admin.Time, _admin.Logger);

        endpoint.ConfigureKestrel(new());

        Assert.Null(endpoint.Door);
    }
}
