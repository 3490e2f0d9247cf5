using System.Diagnostics;
using System.Globalization;

namespace Cluster.EndToEnd.Tests.Harness;

/// <summary>What a load sent, held against what arrived at the back end. Every list but the duplicates has to be empty, whatever happened.</summary>
/// <param name="Spans">Spans sent.</param>
/// <param name="Acknowledged">Of these, acknowledged.</param>
/// <param name="Lost">Acknowledged spans of traces to keep that did not arrive.</param>
/// <param name="Wrong">Spans that arrived, of traces with nothing to keep.</param>
/// <param name="Split">Traces of which some spans arrived, and some acknowledged ones did not: two verdicts.</param>
/// <param name="Changed">Spans that are not as they were sent.</param>
/// <param name="Unknown">Spans that nobody sent.</param>
/// <param name="Duplicates">Spans that arrived more than once, with the time when the first of them did.</param>
internal sealed record LoadReport(
    int Spans,
    int Acknowledged,
    IReadOnlyList<string> Lost,
    IReadOnlyList<string> Wrong,
    IReadOnlyList<string> Split,
    IReadOnlyList<string> Changed,
    IReadOnlyList<string> Unknown,
    IReadOnlyList<(SentSpan Span, long FirstArrival, int Times)> Duplicates)
{
    /// <summary>Compares.</summary>
    public static LoadReport Of(IEnumerable<SentSpan> sent, IEnumerable<Arrival> arrivals)
    {
        Dictionary<string, SentSpan> spans = sent.ToDictionary(span => span.Key);
        Dictionary<string, (long First, int Times)> arrived = [];
        HashSet<string> changed = [], unknown = [];
        foreach ((long at, Delivery delivery) in arrivals.SelectMany(arrival => Delivery.Of(arrival.Request).Select(span => (arrival.At, span))))
        {
            string key = delivery.TraceId + delivery.SpanId;
            if (!spans.TryGetValue(key, out SentSpan? span))
            {
                unknown.Add(key);
            }
            else if (span.Sent != delivery)
            {
                changed.Add(key);
            }

            (long first, int times) = arrived.GetValueOrDefault(key, (at, 0));
            arrived[key] = (Math.Min(first, at), times + 1);
        }

        List<string> lost = [], wrong = [], split = [];
        foreach (IGrouping<string, SentSpan> trace in spans.Values.GroupBy(span => span.Sent.TraceId))
        {
            SentSpan[] missing = [.. trace.Where(span => span.Acknowledged != 0 && !arrived.ContainsKey(span.Key))];
            SentSpan[] there = [.. trace.Where(span => arrived.ContainsKey(span.Key))];
            switch (trace.First().Fate)
            {
                case Fate.Kept:
                    lost.AddRange(missing.Select(span => span.Key));
                    break;
                case Fate.NotKept:
                    wrong.AddRange(there.Select(span => span.Key));
                    break;
                default:
                    if (there.Length > 0 && missing.Length > 0)
                    {
                        split.Add($"{trace.Key}: {Ids(there)} arrived, {Ids(missing)} did not");
                    }

                    break;
            }
        }

        return new LoadReport(
            spans.Count,
            spans.Values.Count(span => span.Acknowledged != 0),
            lost,
            wrong,
            split,
            [.. changed],
            [.. unknown],
            [.. arrived.Where(span => span.Value.Times > 1 && spans.ContainsKey(span.Key))
                .Select(span => (spans[span.Key], span.Value.First, span.Value.Times))]);
    }

    /// <summary>True when nothing acknowledged is missing; more may still be on its way.</summary>
    public bool IsComplete => Lost.Count == 0 && Split.Count == 0;

    /// <summary>
    /// Asserts that nothing acknowledged was lost, that each trace had one verdict, and that only those spans arrived twice that may: which were sent
    /// more than once, or which left the cluster around one of the <paramref name="faults"/>, so that nobody could know whether they had.
    /// </summary>
    public void AssertGood(params IReadOnlyList<Fault> faults)
    {
        Assert.True(Lost.Count + Wrong.Count + Split.Count + Changed.Count + Unknown.Count == 0, ToString());
        (SentSpan Span, long FirstArrival, int Times)[] unexplained =
            [.. Duplicates.Where(span => span.Span.Attempts < 2 && !faults.Any(fault => fault.Explains(span.FirstArrival)))];
        Assert.True(
            unexplained.Length == 0,
            $"{unexplained.Length} spans arrived twice, far from any fault:{First(unexplained.Select(span => span.Span.Key))}; {this}");
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Spans} spans sent, {Acknowledged} acknowledged; {Lost.Count} lost{First(Lost)}; {Wrong.Count} of traces not to keep{First(Wrong)}; "
        + $"{Split.Count} traces split{First(Split)}; {Changed.Count} changed{First(Changed)}; {Unknown.Count} unknown{First(Unknown)}; "
        + $"{Duplicates.Count} arrived more than once, {Duplicates.Count(span => span.Span.Attempts > 1)} of them sent more than once");

    private static string Ids(IEnumerable<SentSpan> spans) => string.Join(' ', spans.Select(span => span.Sent.SpanId));

    private static string First(IEnumerable<string> keys) => string.Concat(keys.Take(5).Select(key => $" {key}"));
}

/// <summary>Something that was done to the cluster.</summary>
/// <param name="From"><see cref="Stopwatch"/> time.</param>
/// <param name="To">When everything was well again.</param>
internal readonly record struct Fault(long From, long To)
{
    /// <summary>An export takes no longer than this, until its shard's copies know that the back end has it.</summary>
    private static readonly TimeSpan Confirmation = TimeSpan.FromSeconds(2);

    /// <summary>True when an export at this time may have been repeated because of it.</summary>
    public bool Explains(long at) =>
        Stopwatch.GetElapsedTime(From, at) > -Confirmation && Stopwatch.GetElapsedTime(To, at) < Confirmation;
}
