using Cluster.Messages.Sharding;
using Cluster.Sharding.Shards;

namespace Cluster.Sharding.Tests.Shards;

/// <summary>Goal: nobody is answered twice, nor for somebody else.</summary>
public sealed class PendingAnswersTests
{
    private static readonly MemberId Peer = new("peer", 1);

    private readonly PendingAnswers _answers = new();

    [Fact]
    public void TryTake_AToken_IsTakenOnce()
    {
        ulong token = _answers.Add(Peer, 7);
        Assert.Equal(1, _answers.Count);
        Assert.True(_answers.TryTake(token, out PendingAnswers.Entry entry));
        Assert.Equal((Peer, 7ul), (entry.Peer, entry.Id));
        Assert.False(_answers.TryTake(token, out _));
        Assert.Equal(0, _answers.Count);
    }

    [Fact]
    public void TryTake_ATokenOfAPlaceThatIsUsedAgain_LeavesTheOtherAlone()
    {
        ulong first = _answers.Add(Peer, 1);
        Assert.True(_answers.TryTake(first, out _));
        ulong second = _answers.Add(Peer, 2);
        Assert.Equal((uint)first, (uint)second);
        Assert.False(_answers.TryTake(first, out _));
        Assert.True(_answers.TryTake(second, out PendingAnswers.Entry entry));
        Assert.Equal(2ul, entry.Id);
    }

    [Fact]
    public void TryTake_Nobodys_IsFalse()
    {
        Assert.False(_answers.TryTake(0, out _));
        _answers.Add(Peer, 1);
        Assert.False(_answers.TryTake(0, out _));
        Assert.Equal(1, _answers.Count);
    }

    [Fact]
    public void Add_Many_EachIsItsOwn()
    {
        ulong[] tokens = [.. Enumerable.Range(0, 1000).Select(i => _answers.Add(Peer, (ulong)i))];
        Assert.Equal(1000, tokens.Distinct().Count());
        for (int i = 999; i >= 0; i--)
        {
            Assert.True(_answers.TryTake(tokens[i], out PendingAnswers.Entry entry));
            Assert.Equal((ulong)i, entry.Id);
        }

        ulong[] again = [.. Enumerable.Range(0, 1000).Select(i => _answers.Add(Peer, (ulong)i))];
        Assert.Empty(again.Intersect(tokens));
        Assert.All(tokens, token => Assert.False(_answers.TryTake(token, out _)));
        Assert.Equal(1000, _answers.Count);
    }
}
