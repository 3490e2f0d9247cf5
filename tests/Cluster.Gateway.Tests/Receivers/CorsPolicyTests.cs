using Cluster.Gateway.Receivers.Otlp;

namespace Cluster.Gateway.Tests.Receivers;

public sealed class CorsPolicyTests
{
    private const string Local = "http://localhost:3000";

    private static readonly CorsOptions Options = new()
    {
        AllowedOrigins = ["https://*.example.com", "http://localhost:3000"],
        AllowedHeaders = ["X-Tenant"],
        MaxAgeSeconds = 600,
    };

    [Fact]
    public async Task Preflight_AllowedOrigin_AnswersWhatIsAllowed()
    {
        Headers answer = await PreflightAsync(Options, "https://shop.example.com", "POST", "content-type, x-tenant");

        Assert.Equal(204, answer.Status);
        Assert.Equal("https://shop.example.com", answer["Access-Control-Allow-Origin"]);
        Assert.Equal("true", answer["Access-Control-Allow-Credentials"]);
        Assert.Equal("POST", answer["Access-Control-Allow-Methods"]);
        Assert.Equal("content-type, x-tenant", answer["Access-Control-Allow-Headers"]);
        Assert.Equal("600", answer["Access-Control-Max-Age"]);
        Assert.Equal("Origin, Access-Control-Request-Method, Access-Control-Request-Headers", answer["Vary"]);
    }

    [Theory]
    [InlineData("https://example.org", "POST", "content-type")]
    [InlineData("https://shop.example.com", "DELETE", "content-type")]
    [InlineData("https://shop.example.com", "POST", "content-type, x-other")]
    public async Task Preflight_NotAllowed_AnswersWithoutPermission(string origin, string method, string headers)
    {
        Headers answer = await PreflightAsync(Options, origin, method, headers);

        Assert.Equal(204, answer.Status);
        Assert.Null(answer["Access-Control-Allow-Origin"]);
        Assert.Null(answer["Access-Control-Allow-Methods"]);
    }

    [Theory]
    [InlineData("x-requested-with", true)]
    [InlineData("X-REQUESTED-WITH", true)]
    [InlineData("authorization", false)]
    public async Task Preflight_NoHeadersConfigured_AllowsThoseOfOldLibraries(string header, bool allowed)
    {
        Headers answer = await PreflightAsync(Options with { AllowedHeaders = [], MaxAgeSeconds = 0 }, Local, "POST", header);

        Assert.Equal(allowed, answer["Access-Control-Allow-Origin"] is not null);
        Assert.Null(answer["Access-Control-Max-Age"]);
    }

    [Fact]
    public async Task Preflight_StarAmongHeaders_AllowsAny()
    {
        Headers answer = await PreflightAsync(Options with { AllowedHeaders = ["*"] }, "http://localhost:3000", "POST", "anything");

        Assert.Equal("anything", answer["Access-Control-Allow-Headers"]);
    }

    [Fact]
    public async Task Preflight_CorsIsOff_Is405()
    {
        Headers answer = await PreflightAsync(null, "http://localhost:3000", "POST", "content-type");

        Assert.Equal(405, answer.Status);
        Assert.Null(answer["Access-Control-Allow-Origin"]);
        Assert.Null(answer["Vary"]);
    }

    [Theory]
    [InlineData("http://localhost:3000", "http://localhost:3000")]
    [InlineData("http://localhost:3001", null)]
    [InlineData(null, null)]
    public async Task Post_WithOrigin_IsTakenAndSaysWhetherThePageMayKnow(string? origin, string? allowed)
    {
        Headers answer = await SendAsync(Options, new HttpRequestMessage(HttpMethod.Post, "/v1/traces")
        {
            Content = new ByteArrayContent([]) { Headers = { { "Content-Type", "application/x-protobuf" } } },
        }, origin);

        Assert.Equal(200, answer.Status);
        Assert.Equal(allowed, answer["Access-Control-Allow-Origin"]);
        Assert.Equal(allowed is null ? null : "Retry-After", answer["Access-Control-Expose-Headers"]);
        Assert.Equal("Origin", answer["Vary"]);
    }

    [Theory]
    [InlineData("*", "", true)]
    [InlineData("*", "https://a", true)]
    [InlineData("https://*.a.com", "https://b.a.com", true)]
    [InlineData("https://*.a.com", "https://b.c.a.com", true)]
    [InlineData("https://*.a.com", "https://a.com", false)]
    [InlineData("https://*.a.com", "https://b.a.com.evil.org", false)]
    [InlineData("https://*.a.com", "http://b.a.com", false)]
    [InlineData("HTTPS://A.com", "https://a.COM", true)]
    [InlineData("*a*b*", "xxaxxbxx", true)]
    [InlineData("*a*b*", "xxbxxaxx", false)]
    [InlineData("a**", "a", true)]
    [InlineData("", "a", false)]
    [InlineData("", "", true)]
    public void Matches_Patterns_StarIsAnyRun(string pattern, string text, bool matches)
    {
        Assert.Equal(matches, CorsPolicy.Matches(pattern, text));
    }

    private static Task<Headers> PreflightAsync(CorsOptions? cors, string origin, string method, string headers)
    {
        HttpRequestMessage request = new(HttpMethod.Options, "/v1/traces");
        request.Headers.Add("Access-Control-Request-Method", method);
        request.Headers.Add("Access-Control-Request-Headers", headers);
        return SendAsync(cors, request, origin);
    }

    private static async Task<Headers> SendAsync(CorsOptions? cors, HttpRequestMessage request, string? origin)
    {
        await using DoorHost host = await DoorHost.StartAsync(http: new OtlpHttpOptions { Cors = cors });
        using HttpClient client = new() { BaseAddress = host.Receiver.Http!.Url };
        if (origin is not null)
        {
            request.Headers.Add("Origin", origin);
        }

        using HttpResponseMessage response = await client.SendAsync(request);
        return new Headers((int)response.StatusCode, response.Headers.ToDictionary(
            header => header.Key, header => string.Join(", ", header.Value), StringComparer.OrdinalIgnoreCase));
    }

    private sealed record Headers(int Status, Dictionary<string, string> Values)
    {
        public string? this[string name] => Values.GetValueOrDefault(name);
    }
}
