using System.Globalization;
using Cluster.Testing.Otlp;
using Google.Protobuf;

namespace Cluster.EndToEnd.Tests.Harness;

/// <summary>One span with everything that goes with it. Equal when all of it is, unknown fields included.</summary>
/// <param name="Resource">Its resource.</param>
/// <param name="ResourceSchemaUrl">schema_url beside it.</param>
/// <param name="Scope">Its instrumentation scope.</param>
/// <param name="ScopeSchemaUrl">schema_url beside it.</param>
/// <param name="Span">The span.</param>
/// <param name="Unknown">Unknown fields of the messages around it, in hex.</param>
internal sealed record Delivery(
    Resource Resource, string ResourceSchemaUrl, InstrumentationScope Scope, string ScopeSchemaUrl, Span Span, string Unknown)
{
    public string TraceId => Hex(Span.TraceId);

    public string SpanId => Hex(Span.SpanId);

    /// <summary>The spans of <paramref name="request"/>, one by one.</summary>
    public static IEnumerable<Delivery> Of(ExportTraceServiceRequest request) =>
        from resource in request.ResourceSpans
        from scope in resource.ScopeSpans
        from span in scope.Spans
        select new Delivery(
            resource.Resource ?? new Resource(), resource.SchemaUrl, scope.Scope ?? new InstrumentationScope(), scope.SchemaUrl, span,
            $"{UnknownOf(resource)}/{UnknownOf(scope)}");

    /// <summary>32 or 16 lower-case digits.</summary>
    public static string Hex(ByteString id) => Convert.ToHexStringLower(id.Span);

    /// <summary>
    /// Asserts that of what was <paramref name="sent"/>, exactly the traces <paramref name="kept"/> are in <paramref name="received"/>:
    /// each span once, nothing changed. Traces that were not sent are somebody else's.
    /// </summary>
    public static void AssertKept(
        IEnumerable<ExportTraceServiceRequest> sent, IEnumerable<string> kept, IEnumerable<ExportTraceServiceRequest> received)
    {
        Delivery[] arrived = ArrivedOf(sent, kept, received, out Dictionary<string, Delivery> expected);
        Assert.Empty(arrived.GroupBy(delivery => delivery.TraceId + delivery.SpanId)
            .Where(group => group.Count() > 1)
            .Select(group => string.Create(CultureInfo.InvariantCulture, $"{group.Key} arrived {group.Count()} times")));
        Assert.Equal(expected.Keys.Order(), arrived.Select(delivery => delivery.TraceId + delivery.SpanId).Order());
        Assert.All(arrived, delivery => Assert.Equal(expected[delivery.TraceId + delivery.SpanId], delivery));
    }

    /// <summary>The same, but spans may be there more than once.</summary>
    public static void AssertKeptAtLeastOnce(
        IEnumerable<ExportTraceServiceRequest> sent, IEnumerable<string> kept, IEnumerable<ExportTraceServiceRequest> received)
    {
        Delivery[] arrived = ArrivedOf(sent, kept, received, out Dictionary<string, Delivery> expected);
        Assert.Equal(expected.Keys.Order(), arrived.Select(delivery => delivery.TraceId + delivery.SpanId).Distinct().Order());
        Assert.All(arrived, delivery => Assert.Equal(expected[delivery.TraceId + delivery.SpanId], delivery));
    }

    /// <summary>What arrived of what was sent, none of it of traces that were not kept; and what has to be there.</summary>
    private static Delivery[] ArrivedOf(
        IEnumerable<ExportTraceServiceRequest> sent,
        IEnumerable<string> kept,
        IEnumerable<ExportTraceServiceRequest> received,
        out Dictionary<string, Delivery> expected)
    {
        HashSet<string> keptIds = [.. kept];
        expected = [];
        HashSet<string> sentIds = [];
        foreach (Delivery delivery in sent.SelectMany(Of))
        {
            sentIds.Add(delivery.TraceId);
            if (keptIds.Contains(delivery.TraceId))
            {
                expected.TryAdd(delivery.TraceId + delivery.SpanId, delivery);
            }
        }

        Assert.Empty(keptIds.Except(sentIds));
        Delivery[] arrived = [.. received.SelectMany(Of).Where(delivery => sentIds.Contains(delivery.TraceId))];
        Assert.Empty(arrived.Select(delivery => delivery.TraceId).Distinct().Except(keptIds));
        return arrived;
    }

    /// <summary>The unknown fields of a message that also has spans below it: all but what is known of it, in hex.</summary>
    private static string UnknownOf(ResourceSpans message)
    {
        ResourceSpans copy = message.Clone();
        copy.Resource = null;
        copy.SchemaUrl = "";
        copy.ScopeSpans.Clear();
        return Convert.ToHexStringLower(copy.ToByteArray());
    }

    private static string UnknownOf(ScopeSpans message)
    {
        ScopeSpans copy = message.Clone();
        copy.Scope = null;
        copy.SchemaUrl = "";
        copy.Spans.Clear();
        return Convert.ToHexStringLower(copy.ToByteArray());
    }
}
