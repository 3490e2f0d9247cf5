namespace Cluster.Node.Demo;

/// <summary>
/// Makes up the traces of <see cref="DemoShop"/>: most are quick and fine, one in twenty meets an error somewhere down its calls, one in
/// twenty a service that takes its time. The same source of randomness makes the same traces. Not thread-safe.
/// </summary>
internal sealed class DemoTraces(Random random)
{
    private const int Server = 2;
    private const int Client = 3;
    private const double FaultShare = 0.05;
    private const double NetworkMilliseconds = 0.4;

    private static readonly string[] Errors = ["card declined", "connection reset by peer", "deadline exceeded", "product is out of stock"];
    private static readonly string[] Tiers = ["free", "free", "free", "silver", "gold"];

    private readonly List<DemoSpan> _spans = [];
    private byte[] _traceId = [];
    private DemoOperation? _failing;
    private DemoOperation? _slow;

    /// <summary>The spans of one request, in the order in which they began: the first is the root. The list is the caller's.</summary>
    public List<DemoSpan> Next()
    {
        DemoOperation request = PickRequest();
        _spans.Clear();
        _traceId = Bytes(16);
        double fault = random.NextDouble();
        _failing = fault < FaultShare ? PickStep(request) : null;
        _slow = fault is >= FaultShare and < 2 * FaultShare ? PickStep(request) : null;

        Serve(request, [], 0);
        DemoSpan root = _spans[0];
        root.Attributes.Add(new("http.response.status_code", root.Error is null ? 200L : 500L));
        root.Attributes.Add(new("customer.tier", Tiers[random.Next(Tiers.Length)]));
        return [.. _spans];
    }

    /// <summary>The span of <paramref name="operation"/> and of all it asks for; returns it.</summary>
    private DemoSpan Serve(DemoOperation operation, byte[] parent, double start, int kind = Server)
    {
        DemoSpan span = Begin(operation, parent, operation.Name, kind, start);
        span.Attributes.AddRange(operation.Attributes);
        double work = operation.Milliseconds * (0.5 + random.NextDouble());
        work += ReferenceEquals(operation, _slow) ? 600 + 1900 * random.NextDouble() : 0;
        double now = start + work / 2;
        if (ReferenceEquals(operation, _failing))
        {
            span.Error = Errors[random.Next(Errors.Length)];
            span.End = now;
            return span;
        }

        foreach (DemoOperation called in operation.Calls)
        {
            DemoSpan answer = Call(operation, called, span, now);
            now = answer.End;
            if (answer.Error is not null)
            {
                span.Error = $"{called.Name}: {answer.Error}";
                break;
            }
        }

        span.End = now + work / 2;
        return span;
    }

    /// <summary>A call as the caller sees it: a client span, and inside it the server's; a database has no span of its own.</summary>
    private DemoSpan Call(DemoOperation caller, DemoOperation called, DemoSpan parent, double now)
    {
        if (called.Service == caller.Service)
        {
            return Serve(called, parent.SpanId, now, Client);
        }

        DemoSpan client = Begin(caller, parent.SpanId, called.Name, Client, now);
        client.Attributes.AddRange(called.Attributes);
        client.Attributes.Add(new("server.address", called.Service));
        DemoSpan server = Serve(called, client.SpanId, now + NetworkMilliseconds);
        client.End = server.End + NetworkMilliseconds;
        client.Error = server.Error;
        return client;
    }

    private DemoSpan Begin(DemoOperation operation, byte[] parent, string name, int kind, double start)
    {
        DemoSpan span = new()
        {
            Service = operation.Service,
            TraceId = _traceId,
            SpanId = Bytes(8),
            ParentSpanId = parent,
            Name = name,
            Kind = kind,
            Start = start,
        };
        _spans.Add(span);
        return span;
    }

    private DemoOperation PickRequest()
    {
        int left = random.Next(DemoShop.Requests.Sum(entry => entry.Weight));
        foreach ((DemoOperation request, int weight) in DemoShop.Requests)
        {
            left -= weight;
            if (left < 0)
            {
                return request;
            }
        }

        return DemoShop.Requests[0].Request;
    }

    /// <summary>Any step of the request but its first.</summary>
    private DemoOperation PickStep(DemoOperation request)
    {
        List<DemoOperation> steps = [];
        Collect(request);
        return steps[random.Next(steps.Count)];

        void Collect(DemoOperation operation)
        {
            foreach (DemoOperation called in operation.Calls)
            {
                steps.Add(called);
                Collect(called);
            }
        }
    }

    private byte[] Bytes(int count)
    {
        byte[] bytes = new byte[count];
        random.NextBytes(bytes);
        // An ID of zeros is invalid.
        bytes[^1] |= 1;
        return bytes;
    }
}
