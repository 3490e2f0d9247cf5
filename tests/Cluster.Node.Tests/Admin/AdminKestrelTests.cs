using System.Net;
using Cluster.Node.Admin;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Cluster.Node.Tests.Admin;

public sealed class AdminKestrelTests : IDisposable
{
    private readonly AdminFixture _admin = new();

    public void Dispose() => _admin.Dispose();

    [Fact]
    public async Task ConfigureKestrel_SharedServer_OwnsOnlyItsOwnPort()
    {
        CancellationToken cancel = TestContext.Current.CancellationToken;
        using AdminEndpoint endpoint = new(new AdminOptions { Endpoint = "127.0.0.1:0" }, _admin.Sources, TimeProvider.System, _admin.Logger);
        Assert.Null(endpoint.Listening);
        int otherPort = 0;
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        Microsoft.AspNetCore.Server.Kestrel.Core.ListenOptions? other = null;
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0, listen => other = listen);
            endpoint.ConfigureKestrel(kestrel);
        });
        await using WebApplication app = builder.Build();
        app.Run(context => endpoint.Owns(context) ? endpoint.HandleAsync(context) : context.Response.WriteAsync("another door"));
        await app.StartAsync(cancel);
        otherPort = other!.IPEndPoint!.Port;
        string url = endpoint.Listening!.Url;

        using HttpClient client = new();
        Assert.Equal("admin", endpoint.Listening.Name);
        Assert.StartsWith("http://127.0.0.1:", url, StringComparison.Ordinal);
        Assert.Contains("\"status\": \"ok\"", await client.GetStringAsync(url + "/healthz", cancel), StringComparison.Ordinal);
        Assert.Equal("another door", await client.GetStringAsync($"http://127.0.0.1:{otherPort}/healthz", cancel));
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

        Assert.Null(endpoint.Listening);
    }
}
