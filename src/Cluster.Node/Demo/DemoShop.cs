namespace Cluster.Node.Demo;

/// <summary>What one service does for a caller, and whom it asks in turn.</summary>
/// <param name="Service">Its <c>service.name</c>.</param>
/// <param name="Name">Span name.</param>
/// <param name="Milliseconds">Typical time of its own work, without that of those it asks.</param>
/// <param name="Attributes">Attributes of its span.</param>
/// <param name="Calls">Whom it asks, one after the other. One of the same service is a client span only: a database, a cache.</param>
internal sealed record DemoOperation(
    string Service,
    string Name,
    double Milliseconds,
    IReadOnlyList<KeyValuePair<string, object>> Attributes,
    IReadOnlyList<DemoOperation> Calls);

/// <summary>An imagined web shop of nine services: the requests that its users make, each with how often.</summary>
internal static class DemoShop
{
    private const string Frontend = "frontend";
    private const string Checkout = "checkout";
    private const string Cart = "cart";
    private const string Catalog = "catalog";
    private const string Currency = "currency";
    private const string Email = "email";
    private const string Payment = "payment";
    private const string Recommendation = "recommendation";
    private const string Shipping = "shipping";

    /// <summary>Requests and their weights.</summary>
    public static IReadOnlyList<(DemoOperation Request, int Weight)> Requests { get; } =
        [(Home(), 5), (Product(), 6), (AddToCart(), 3), (PlaceOrder(), 2)];

    private static DemoOperation Home() => Route("GET", "/", 6,
        Call(Catalog, "ListProducts", 4, Database(Catalog, "SELECT products", "postgresql", 12)),
        Call(Recommendation, "ListRecommendations", 9,
            Call(Catalog, "GetProducts", 2, Database(Catalog, "SELECT products", "postgresql", 7))),
        Call(Currency, "GetSupportedCurrencies", 1));

    private static DemoOperation Product() => Route("GET", "/product/{id}", 5,
        Call(Catalog, "GetProduct", 2, Database(Catalog, "SELECT products", "postgresql", 5)),
        Call(Currency, "Convert", 1),
        Call(Recommendation, "ListRecommendations", 7));

    private static DemoOperation AddToCart() => Route("POST", "/cart", 3,
        Call(Catalog, "GetProduct", 2, Database(Catalog, "SELECT products", "postgresql", 5)),
        Call(Cart, "AddItem", 2, Database(Cart, "HSET", "redis", 1)));

    private static DemoOperation PlaceOrder() => Route("POST", "/cart/checkout", 8,
        Call(Checkout, "PlaceOrder", 12,
            Call(Cart, "GetCart", 2, Database(Cart, "HGET", "redis", 1)),
            Call(Catalog, "GetProducts", 2, Database(Catalog, "SELECT products", "postgresql", 8)),
            Call(Currency, "Convert", 1),
            Call(Shipping, "GetQuote", 15),
            Call(Payment, "Charge", 45, Database(Payment, "INSERT charges", "mysql", 6)),
            Call(Shipping, "ShipOrder", 11),
            Call(Cart, "EmptyCart", 1, Database(Cart, "DEL", "redis", 1)),
            Call(Email, "SendOrderConfirmation", 18)));

    private static DemoOperation Route(string method, string route, double milliseconds, params DemoOperation[] calls) =>
        new(Frontend, $"{method} {route}", milliseconds, [new("http.request.method", method), new("http.route", route)], calls);

    private static DemoOperation Call(string service, string method, double milliseconds, params DemoOperation[] calls) => new(
        service,
        $"shop.{service}/{method}",
        milliseconds,
        [new("rpc.system", "grpc"), new("rpc.service", $"shop.{service}"), new("rpc.method", method)],
        calls);

    private static DemoOperation Database(string service, string statement, string system, double milliseconds) =>
        new(service, statement, milliseconds, [new("db.system.name", system), new("db.query.summary", statement)], []);
}
