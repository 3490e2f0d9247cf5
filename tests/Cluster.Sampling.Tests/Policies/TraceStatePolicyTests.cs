namespace Cluster.Sampling.Tests.Policies;

public sealed class TraceStatePolicyTests
{
    private static readonly string ThirtyTwo = string.Join(',', Enumerable.Range(0, 32).Select(i => $"m{i}=x"));

    public static TheoryData<string, bool> States => new()
    {
        { "k=v", true },
        { "k=w", true },
        { "k=x", false },
        { "", false },
        { "other=v", false },
        { "other=1,k=v", true },
        { "a=1,,k=v,", true },
        { ",k=v", true },
        { "a=1, k=v", true },
        { "a=1,\tk=v \t", true },
        { "k= v", false }, // the blank belongs to the value
        { "k =v", false },
        { "k=v,k=w", false },
        { "k=v,a=1,a=2", false },
        { "k=v,bad", false },
        { "k=v,=1", false },
        { "k=v,a=", false },
        { "k=v,A=1", false },
        { "k=v,1a=1", false },
        { "k=v,1a@b=1", true },
        { "k=v,1a@2=1", false },
        { "k=v,a@b@c=1", false },
        { "k=v,a@=1", false },
        { "k=v,@a=1", false },
        { "k=v,a@bcdefghijklmno=1", true },
        { "k=v,a@bcdefghijklmnop=1", false },
        { "k=v,a_-*/9=1", true },
        { "k=v,a.b=1", false },
        { "k=v,a=1=2", false },
        { "k=v,a=\u00e9", false },
        { "k=v,a\u0161=1", true }, // U+0161 has the low byte of an 'a'
        { "k=v,a\u0141=1", false },
        { "k=v, ", false },
        { "k=v," + ThirtyTwo, false },
        { "k=v," + ThirtyTwo[5..], true },
        { "k=v,a=" + new string('y', 256), true },
        { "k=v,a=" + new string('y', 257), false },
        { "k=v,a" + new string('y', 255) + "=1", true },
        { "k=v,a" + new string('y', 256) + "=1", false },
    };

    [Theory]
    [MemberData(nameof(States))]
    public void Matches_TraceState_AsGoReadsIt(string state, bool keeps) =>
        Assert.Equal(keeps, Policy("[v, w]").Span(s => s.TraceState(state)).Keeps());

    [Fact]
    public void Matches_ValueTooLongForTheKey_NeverMatches()
    {
        string fits = new('y', 254);
        Assert.True(Policy($"[{fits}]").Span(s => s.TraceState("k=" + fits)).Keeps());
        Assert.False(Policy($"[{fits}y]").Span(s => s.TraceState($"k={fits}y")).Keeps());
    }

    [Fact]
    public void Matches_AnyOfManySpans_Keeps() =>
        Assert.True(Policy("[v]").Span(s => s.TraceState("bad")).Span(s => s.TraceState("k=v")).Span().Keeps());

    [Fact]
    public void Matches_TraceStateTwice_LastCounts() =>
        Assert.False(Policy("[v]").Span(s => s.TraceState("k=v").TraceState("k=x")).Keeps());

    private static TraceTester Policy(string values) => TraceTester.Policy($"trace_state, trace_state: {{key: k, values: {values}}}");
}
