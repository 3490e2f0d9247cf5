using Cluster.Messages.Otlp;

namespace Cluster.LoadGenerator.Workload;

/// <summary>Names and attributes of resources and spans: a shop of twelve services, in the words of the semantic conventions.</summary>
internal static class SpanText
{
    /// <summary>The route that a policy keeps.</summary>
    public const string KeptRoute = "/api/v1/checkout";

    private const int Attributes = OtlpFields.Span.Attributes;

    /// <summary>The services.</summary>
    private static readonly string[] Services =
    [
        "frontend", "checkout", "cart", "catalog", "payment", "shipping",
        "inventory", "pricing", "recommendation", "account", "search", "email",
    ];

    private static readonly string[] Methods = ["GET", "GET", "GET", "POST", "PUT", "DELETE"];

    private static readonly string[] Nouns =
        ["orders", "items", "users", "carts", "quotes", "offers", "stocks", "reviews", "labels", "events"];

    private static readonly string[] Verbs = ["list", "find", "update", "remove"];

    private static readonly string[] Agents =
    [
        "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0",
        "okhttp/4.12.0",
        "Go-http-client/2.0",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.1 Safari",
    ];

    private static readonly string[] Operations = ["SELECT", "SELECT", "SELECT", "INSERT", "UPDATE"];

    private static readonly string[] Units = ["Validator", "Mapper", "RuleEngine", "Cache", "Serializer", "Scheduler"];

    private static readonly int[] StatusCodes = [200, 200, 200, 200, 201, 204, 304, 404];

    /// <summary>One of the forty routes that no policy keeps.</summary>
    private static string OtherRoute(int index) => $"/api/v1/{Nouns[index % 10]}/{Verbs[index / 10]}/{{id}}";

    /// <summary>Writes a service's resource: eleven string attributes.</summary>
    public static void WriteResource(MessageWriter resource, int service)
    {
        const int field = OtlpFields.Resource.Attributes;
        string name = Services[service];
        resource.Attribute(field, "service.name", name);
        resource.Attribute(field, "service.namespace", "shop");
        resource.Attribute(field, "service.version", $"2.{service}.14");
        resource.Attribute(field, "service.instance.id", $"{name}-7d9f8b6c5{service:x}-x2k4q");
        resource.Attribute(field, "deployment.environment.name", "production");
        resource.Attribute(field, "host.name", $"ip-10-0-{service}-42.eu-west-1.compute.internal");
        resource.Attribute(field, "k8s.namespace.name", "shop-production");
        resource.Attribute(field, "k8s.pod.name", $"{name}-7d9f8b6c5{service:x}-x2k4q");
        resource.Attribute(field, "telemetry.sdk.name", "opentelemetry");
        resource.Attribute(field, "telemetry.sdk.language", "dotnet");
        resource.Attribute(field, "telemetry.sdk.version", "1.20.1");
    }

    /// <summary>The instrumentation scope of a service.</summary>
    public static void WriteScope(MessageWriter scope, int service)
    {
        scope.String(OtlpFields.InstrumentationScope.Name, $"Shop.{Services[service]}.Tracing");
        scope.String(OtlpFields.InstrumentationScope.Version, "1.4.2");
    }

    /// <summary>The span's name, and its kind as OTLP counts it.</summary>
    public static (string Name, int Kind) Head(SpanRole role, string route, string method, SplitMix64 random) => role switch
    {
        SpanRole.Server => ($"{method} {route}", 2),
        SpanRole.HttpClient => (method, 3),
        SpanRole.DatabaseClient => ($"{random.Pick<string>(Operations)} shop.{random.Pick<string>(Nouns)}", 3),
        _ => ($"{random.Pick<string>(Units)}.{random.Pick<string>(Verbs)}", 1),
    };

    /// <summary>A route: the kept one for a root that must be kept by it, otherwise one of forty.</summary>
    public static string Route(bool kept, SplitMix64 random) => kept ? KeptRoute : OtherRoute(random.Below(40));

    /// <summary>An HTTP method.</summary>
    public static string Method(SplitMix64 random) => random.Pick<string>(Methods);

    /// <summary>Writes the attributes of a span.</summary>
    public static void WriteAttributes(MessageWriter span, SpanRole role, string name, string route, string method, SplitMix64 random)
    {
        switch (role)
        {
            case SpanRole.Server:
                WriteServer(span, route, method, random);
                break;
            case SpanRole.HttpClient:
                WriteHttpClient(span, method, random);
                break;
            case SpanRole.DatabaseClient:
                WriteDatabaseClient(span, name, random);
                break;
            default:
                WriteInternal(span, name, random);
                break;
        }
    }

    /// <summary>Writes the one event of a failed span.</summary>
    public static void WriteException(MessageWriter exception, SplitMix64 random)
    {
        const int field = OtlpFields.Event.Attributes;
        string noun = random.Pick<string>(Nouns);
        exception.String(OtlpFields.Event.Name, "exception");
        exception.Attribute(field, "exception.type", "Shop.Storage.TimeoutException");
        exception.Attribute(field, "exception.message", $"no answer for {noun}/{random.Below(1_000_000)} within 2000 ms");
        exception.Attribute(
            field,
            "exception.stacktrace",
            $"   at Shop.Storage.{noun}.Client.SendAsync(Request request) in Client.cs:line {random.Below(400)}\n"
            + $"   at Shop.Storage.{noun}.Repository.LoadAsync(Key key) in Repository.cs:line {random.Below(400)}\n"
            + "   at Shop.Endpoints.Handle(Context context)");
    }

    private static void WriteServer(MessageWriter span, string route, string method, SplitMix64 random)
    {
        span.Attribute(Attributes, "http.request.method", method);
        span.Attribute(Attributes, "http.route", route);
        span.Attribute(Attributes, "url.path", route.Replace("{id}", $"{random.Next() & 0xFFFF_FFFF:x8}", StringComparison.Ordinal));
        span.Attribute(Attributes, "url.scheme", "https");
        span.Attribute(Attributes, "server.address", "eu-west-1.gateway.shop.example.com");
        span.Attribute(Attributes, "client.address", Address(random));
        span.Attribute(Attributes, "network.protocol.version", "1.1");
        span.Attribute(Attributes, "user_agent.original", random.Pick<string>(Agents));
        span.Attribute(Attributes, "http.response.status_code", random.Pick<int>(StatusCodes));
        span.Attribute(Attributes, "server.port", 443);
        span.Attribute(Attributes, "http.response.body.size", random.Below(60_000));
    }

    private static void WriteHttpClient(MessageWriter span, string method, SplitMix64 random)
    {
        string host = $"{random.Pick<string>(Services)}.shop-production.svc.cluster.local";
        string path = OtherRoute(random.Below(40)).Replace("{id}", $"{random.Next() & 0xFFFF_FFFF:x8}", StringComparison.Ordinal);
        span.Attribute(Attributes, "http.request.method", method);
        span.Attribute(Attributes, "url.full", $"http://{host}:8080{path}?source=storefront");
        span.Attribute(Attributes, "server.address", host);
        span.Attribute(Attributes, "network.peer.address", Address(random));
        span.Attribute(Attributes, "network.protocol.name", "http");
        span.Attribute(Attributes, "network.protocol.version", "1.1");
        span.Attribute(Attributes, "network.transport", "tcp");
        span.Attribute(Attributes, "http.response.status_code", random.Pick<int>(StatusCodes));
        span.Attribute(Attributes, "server.port", 8080);
        span.Attribute(Attributes, "http.request.resend_count", random.Below(3));
    }

    private static void WriteDatabaseClient(MessageWriter span, string name, SplitMix64 random)
    {
        string operation = name[..name.IndexOf(' ', StringComparison.Ordinal)];
        string table = name[(operation.Length + 6)..];
        span.Attribute(Attributes, "db.system.name", "postgresql");
        span.Attribute(Attributes, "db.namespace", "shop");
        span.Attribute(Attributes, "db.operation.name", operation);
        span.Attribute(Attributes, "db.collection.name", table);
        span.Attribute(Attributes, "db.query.text", QueryText(operation, table));
        span.Attribute(Attributes, "server.address", "postgres-primary.shop-production.svc.cluster.local");
        span.Attribute(Attributes, "network.peer.address", Address(random));
        span.Attribute(Attributes, "server.port", 5432);
        span.Attribute(Attributes, "network.peer.port", 5432);
        span.Attribute(Attributes, "db.response.returned_rows", random.Below(200));
    }

    private static void WriteInternal(MessageWriter span, string name, SplitMix64 random)
    {
        string unit = name[..name.IndexOf('.', StringComparison.Ordinal)];
        span.Attribute(Attributes, "code.function.name", $"Shop.Domain.{name}");
        span.Attribute(Attributes, "code.file.path", $"/home/build/agent/shop/Domain/{unit}.cs");
        span.Attribute(Attributes, "thread.name", ".NET ThreadPool Worker");
        span.Attribute(Attributes, "app.tenant.id", $"tenant-{random.Below(500):d4}");
        span.Attribute(Attributes, "app.customer.id", $"{random.Next() & 0xFFFF_FFFF_FFFF:x12}");
        span.Attribute(Attributes, "app.feature.flag", random.Chance(0.5) ? "new-pricing-rules" : "default-pricing-rules");
        span.Attribute(Attributes, "app.region", "eu-west-1");
        span.Attribute(Attributes, "code.line.number", random.Below(900));
        span.Attribute(Attributes, "thread.id", 4 + random.Below(60));
        span.Attribute(Attributes, "app.items.count", random.Below(40));
    }

    private static string QueryText(string operation, string table) => operation switch
    {
        "SELECT" => $"SELECT id, state, amount, updated_at FROM shop.{table} WHERE id = $1 AND tenant = $2 ORDER BY updated_at",
        "INSERT" => $"INSERT INTO shop.{table} (id, state, amount, tenant) VALUES ($1, $2, $3, $4)",
        _ => $"UPDATE shop.{table} SET state = $1, updated_at = now() WHERE id = $2 AND tenant = $3",
    };

    private static string Address(SplitMix64 random) => $"10.{random.Below(4)}.{random.Below(256)}.{random.Below(256)}";
}
