namespace Cluster.Node.Tests.Telemetry;

public sealed class TextTests
{
    [Theory]
    [InlineData("", 3, "")]
    [InlineData("abc", 3, "abc")]
    [InlineData("abcd", 3, "abc…")]
    [InlineData("ab😀", 4, "ab😀")]
    [InlineData("ab😀d", 3, "ab…")]
    public void Shorten_Text_IsCutBetweenCharacters(string text, int most, string expected) => Assert.Equal(expected, Cluster.Node.Telemetry.Text.Shorten(text, most));

    [Fact]
    public void Seconds_Ticks_ToTheMicrosecond() => Assert.Equal(1.234568, Cluster.Node.Telemetry.Text.Seconds(TimeSpan.FromTicks(12345678)));
}
