using System.Diagnostics;
using Cluster.EndToEnd.Tests.Harness;
using Cluster.Testing;
using Cluster.Testing.Otlp;
using Xunit.Sdk;

namespace Cluster.EndToEnd.Tests;

/// <summary>The comparison that the tests of the cluster stand on finds what it is there to find.</summary>
public sealed class LoadReportTests
{
    private const ulong Kept = 1;
    private const ulong NotKept = 2;
    private const ulong Either = 3;

    private static readonly long Noon = 1_000_000 * Stopwatch.Frequency;

    [Fact]
    public void AssertGood_KeptWholeAndOthersNot_Passes() => Report(Sent(), At(0, Part(Kept, 1), Part(Kept, 2))).AssertGood();

    [Fact]
    public void AssertGood_LastSpanInTime_Passes() =>
        Report(Sent(), At(0, Part(Kept, 1), Part(Kept, 2), Part(Either, 1), Part(Either, 2))).AssertGood();

    [Fact]
    public void AssertGood_AcknowledgedSpanOfKeptTraceMissing_Fails()
    {
        LoadReport report = Report(Sent(), At(0, Part(Kept, 1)));
        Assert.Single(report.Lost);
        AssertFails(report);
    }

    [Fact]
    public void AssertGood_SpanThatWasNeverAcknowledgedMissing_Passes()
    {
        SentSpan[] sent = Sent();
        sent.Single(span => span.Key == Key(Kept, 2)).Acknowledged = 0;
        Report(sent, At(0, Part(Kept, 1))).AssertGood();
    }

    [Fact]
    public void AssertGood_SpanOfTraceNotToKeep_Fails()
    {
        LoadReport report = Report(Sent(), At(0, Part(Kept, 1), Part(Kept, 2), Part(NotKept, 2)));
        Assert.Equal([Key(NotKept, 2)], report.Wrong);
        AssertFails(report);
    }

    [Fact]
    public void AssertGood_HalfATrace_Fails()
    {
        LoadReport report = Report(Sent(), At(0, Part(Kept, 1), Part(Kept, 2), Part(Either, 2)));
        Assert.Single(report.Split);
        AssertFails(report);
    }

    [Fact]
    public void AssertGood_SpanChanged_Fails()
    {
        ExportTraceServiceRequest changed = Part(Kept, 2);
        changed.ResourceSpans[0].ScopeSpans[0].Spans[0].Name = "other";
        LoadReport report = Report(Sent(), At(0, Part(Kept, 1), changed));
        Assert.Equal([Key(Kept, 2)], report.Changed);
        AssertFails(report);
    }

    [Fact]
    public void AssertGood_SpanThatNobodySent_Fails()
    {
        LoadReport report = Report(Sent(), At(0, Part(Kept, 1), Part(Kept, 2), Part(9, 1)));
        Assert.Equal([Key(9, 1)], report.Unknown);
        AssertFails(report);
    }

    [Fact]
    public void AssertGood_SpanTwiceWithoutAFault_Fails()
    {
        LoadReport report = Report(Sent(), At(0, Part(Kept, 1), Part(Kept, 2)), At(1, Part(Kept, 2)));
        Assert.Single(report.Duplicates);
        AssertFails(report);
        AssertFails(report, Between(3, 9));
        AssertFails(report, Between(-9, -3));
    }

    [Fact]
    public void AssertGood_SpanTwiceAroundAFault_Passes() =>
        Report(Sent(), At(0, Part(Kept, 1), Part(Kept, 2)), At(7, Part(Kept, 2))).AssertGood(Between(0.5, 6));

    [Fact]
    public void AssertGood_SpanThatWasSentTwiceArrivesTwice_Passes()
    {
        SentSpan[] sent = Sent();
        sent.Single(span => span.Key == Key(Kept, 2)).Attempts = 2;
        Report(sent, At(0, Part(Kept, 1), Part(Kept, 2)), At(1, Part(Kept, 2))).AssertGood();
    }

    private static void AssertFails(LoadReport report, params Fault[] faults) => Assert.ThrowsAny<XunitException>(() => report.AssertGood(faults));

    private static LoadReport Report(SentSpan[] sent, params IEnumerable<Arrival>[] arrivals) =>
        LoadReport.Of(sent, arrivals.SelectMany(arrival => arrival));

    /// <summary>Three traces of two spans, one of each fate, all acknowledged.</summary>
    private static SentSpan[] Sent() => [.. from trace in (ulong[])[Kept, NotKept, Either]
                                            from span in (ulong[])[1, 2]
                                            select new SentSpan((Fate)(trace - 1), Delivery.Of(Part(trace, span)).Single())
                                            {
                                                Acknowledged = Noon,
                                                Attempts = 1,
                                            }];

    private static ExportTraceServiceRequest Part(ulong trace, ulong span) => new TraceBuilder().Span(trace, span).Build();

    private static string Key(ulong trace, ulong span) => Delivery.Of(Part(trace, span)).Select(part => part.TraceId + part.SpanId).Single();

    private static IEnumerable<Arrival> At(double seconds, params ExportTraceServiceRequest[] requests) =>
        requests.Select(request => new Arrival(Time(seconds), request));

    private static Fault Between(double from, double to) => new(Time(from), Time(to));

    private static long Time(double seconds) => Noon + (long)(seconds * Stopwatch.Frequency);
}
