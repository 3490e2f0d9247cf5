using Cluster.Messages.Otlp;

namespace Cluster.Sampling.Tests.Policies;

public sealed class StatusCodePolicyTests
{
    [Theory]
    [InlineData("[ERROR]", 2, true)]
    [InlineData("[ERROR]", 1, false)]
    [InlineData("[ERROR]", 0, false)]
    [InlineData("[OK]", 1, true)]
    [InlineData("[UNSET]", 0, true)]
    [InlineData("[UNSET]", 2, false)]
    [InlineData("[OK, ERROR]", 2, true)]
    [InlineData("[OK, ERROR, UNSET]", 7, false)]
    public void Matches_OneSpan_ByItsCode(string codes, int code, bool keeps) =>
        Assert.Equal(keeps, TraceTester.Policy($"status_code, status_code: {{status_codes: {codes}}}").Span(s => s.Status(code)).Keeps());

    [Fact]
    public void Matches_NoStatusField_IsUnset() =>
        Assert.True(TraceTester.Policy("status_code, status_code: {status_codes: [UNSET]}").Span().Keeps());

    [Fact]
    public void Matches_AnyOfManySpans_Keeps()
    {
        TraceTester tester = TraceTester.Policy("status_code, status_code: {status_codes: [ERROR]}");
        Assert.False(tester.Span(s => s.Status(1)).Keeps());
        Assert.Equal("no span has a status code in [ERROR]", tester.Reason());
        Assert.True(tester.Span(s => s.Status(2)).Span(s => s.Status(1)).Keeps());
        Assert.Equal("a span has status code ERROR", tester.Reason());
    }

    [Fact]
    public void Matches_StatusSplitOverFields_IsMerged()
    {
        // A later Status without a code leaves the earlier code; a later code replaces it.
        byte[] message = MessageBuilder.Empty.Text(OtlpFields.Status.Message, "boom").Build();
        Assert.True(Error().Span(s => s.Status(2).Raw(m => m.Bytes(OtlpFields.Span.Status, message))).Keeps());
        Assert.False(Error().Span(s => s.Status(2).Status(1)).Keeps());
        Assert.True(Error().Span(s => s.Status(1).Status(2)).Keeps());
    }

    private static TraceTester Error() => TraceTester.Policy("status_code, status_code: {status_codes: [ERROR]}");
}
