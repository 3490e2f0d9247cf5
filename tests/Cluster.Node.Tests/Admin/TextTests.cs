using System.Text;
using System.Text.Json;
using Cluster.Node.Admin;

namespace Cluster.Node.Tests.Admin;

public sealed class TextTests
{
    [Theory]
    [InlineData("", 3, "")]
    [InlineData("abc", 3, "abc")]
    [InlineData("abcd", 3, "abc…")]
    [InlineData("ab😀", 4, "ab😀")]
    [InlineData("ab😀d", 3, "ab…")]
    public void Shorten_Text_IsCutBetweenCharacters(string text, int most, string expected) => Assert.Equal(expected, Cluster.Node.Admin.Text.Shorten(text, most));

    [Fact]
    public void Seconds_Ticks_ToTheMicrosecond() => Assert.Equal(1.234568, Cluster.Node.Admin.Text.Seconds(TimeSpan.FromTicks(12345678)));

    [Fact]
    public void Problem_HalfASurrogatePair_IsReplaced()
    {
        AdminReply reply = AdminReply.Problem(400, "t", "a\ud83d");

        using JsonDocument problem = JsonDocument.Parse(reply.Body);
        Assert.Equal("a\ufffd", problem.RootElement.GetProperty("detail").GetString());
        Assert.DoesNotContain("\\u003", Encoding.UTF8.GetString(AdminReply.Problem(400, "t", "1 >= 0 & <b>").Body), StringComparison.Ordinal);
    }
}
