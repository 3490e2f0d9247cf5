using Cluster.Messages.Sharding;
using Cluster.Node.Telemetry;

namespace Cluster.Node.Tests.Telemetry;

public sealed class NamesTests
{
    [Fact]
    public void Of_EveryRefusal_HasItsOwnWordThatThePagesExplain()
    {
        string[] words = [.. Enum.GetValues<Refusal>().Where(refusal => refusal != Refusal.None).Select(Names.Of)];
        Assert.Equal(words.Distinct(), words);
        Assert.DoesNotContain("unknown", words);
        string metrics = Repository.Read("docs/metrics.md");
        string architecture = Repository.Read("ARCHITECTURE.md");
        Assert.All(words, word => Assert.Contains($"`{word}`", metrics, StringComparison.Ordinal));
        Assert.All(words, word => Assert.Contains($"| `{word}` |", architecture, StringComparison.Ordinal));
    }
}
