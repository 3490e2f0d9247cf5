using Cluster.Sampling.Decisions;
using Cluster.Sharding.Region;
using Cluster.Sharding.Traces;
using Cluster.Testing;

namespace Cluster.Sharding.Tests.Shards;

/// <summary>
/// Goal: a trace whose units are on another node gets them if they come soon, and does not wait for ever if they do not. What is due is decided
/// at the wheel's next step, 10 ms later.
/// </summary>
public sealed class PutOffTests
{
    private const string Limit = "policies: [{ name: limit, type: rate_limiting, rate_limiting: { spans_per_second: 10 } }]";

    private const string LimitAndErrors = """
        policies:
          - { name: limit, type: rate_limiting, rate_limiting: { spans_per_second: 10 } }
          - { name: errors, type: status_code, status_code: { status_codes: [ERROR] } }
        """;

    private static readonly ShardRegionOptions Options = new() { DecisionWait = TimeSpan.FromSeconds(5) };

    private readonly FarBudgets _budgets = new();

    [Fact]
    public void Decide_UnitsThatNeverCome_IsAskedFourTimesAndThenNotSampled()
    {
        using ShardHarness shard = new(Limit, Options, _budgets);
        shard.Send(new TraceBuilder().Span(1, 1));
        shard.Pass(5120);
        Assert.Equal([6010, 6050, 6090], _budgets.AskedAt);
        Assert.Null(shard.Decision(1));
        Assert.Equal((1, 0), (shard.Core.PendingTraces, (int)shard.Statistics.Decisions.Sum()));
        Assert.Equal(0, shard.Statistics.Completions.Sum());

        shard.Pass(10);
        Assert.Equal([6010, 6050, 6090, 6130], _budgets.AskedAt);
        RememberedDecision decision = shard.Decision(1)!.Value;
        Assert.Equal((Decision.NotSampled, CompletionReason.DecisionWait, 6130), (decision.Decision, decision.Reason, decision.DecidedAt));
        Assert.Equal((0, 1), (shard.Core.PendingTraces, (int)shard.Statistics.Decisions.Sum()));
        Assert.Empty(shard.Kept().Spans());
        shard.Pass(1000);
        Assert.Equal(4, _budgets.AskedAt.Count);
    }

    [Theory]
    [InlineData(10, 6050)]
    [InlineData(50, 6090)]
    [InlineData(90, 6130)]
    public void Decide_UnitsThatCome_IsSampledWholeWhenItIsAskedNext(int afterMilliseconds, long decidedAt)
    {
        using ShardHarness shard = new(Limit, Options, _budgets);
        shard.Send(new TraceBuilder().Span(1, 1).Span(1, 2, parent: 1));
        shard.Pass(5000 + afterMilliseconds);
        _budgets.Units = 2;
        shard.Pass(100);

        Assert.Equal((Decision.Sampled, decidedAt), (shard.Decision(1)!.Value.Decision, shard.Decision(1)!.Value.DecidedAt));
        Assert.Equal(CompletionReason.DecisionWait, shard.Decision(1)!.Value.Reason);
        Assert.Equal(2, shard.Kept().Spans().Count);
        Assert.Equal((0, decidedAt), (_budgets.Units, _budgets.AskedAt[^1]));
        Assert.Equal(0, shard.Core.Log.LiveEntries);
    }

    [Fact]
    public void Decide_UnitsThatNobodyHas_IsFinalAtOnce()
    {
        _budgets.AgainIn = 0;
        using ShardHarness shard = new(Limit, Options, _budgets);
        shard.Send(new TraceBuilder().Span(1, 1));
        shard.Pass(5010);
        Assert.Equal(Decision.NotSampled, shard.Decision(1)!.Value.Decision);
        Assert.Equal([6010], _budgets.AskedAt);
    }

    [Fact]
    public void Decide_TraceThatAnotherPolicyKeeps_IsFinalAtOnce()
    {
        using ShardHarness shard = new(LimitAndErrors, Options, _budgets);
        shard.Send(new TraceBuilder().Span(1, 1).Error());
        shard.Pass(5010);
        Assert.Equal(Decision.Sampled, shard.Decision(1)!.Value.Decision);
        Assert.Empty(_budgets.AskedAt);
        Assert.Single(shard.Kept().Spans());
    }

    [Theory]
    [InlineData(CompletionReason.Memory)]
    [InlineData(CompletionReason.TraceCount)]
    [InlineData(CompletionReason.Shutdown)]
    internal void Decide_ThatCannotWait_IsFinalAtOnce(CompletionReason reason)
    {
        using ShardHarness shard = new(Limit, Options, _budgets);
        shard.Send(new TraceBuilder().Span(1, 1).Span(2, 1));
        Assert.True(shard.Core.DecideOldest(reason, shard.Now));
        Assert.Equal((Decision.NotSampled, reason), (shard.Decision(1)!.Value.Decision, shard.Decision(1)!.Value.Reason));

        // Nor can one that waits already.
        shard.Pass(5010);
        Assert.Equal([1000, 6010], _budgets.AskedAt);
        Assert.True(shard.Core.DecideOldest(reason, shard.Now));
        Assert.Equal((Decision.NotSampled, reason), (shard.Decision(2)!.Value.Decision, shard.Decision(2)!.Value.Reason));
    }

    [Fact]
    public void Decide_TraceThatIsPutOff_LetsOthersPass()
    {
        using ShardHarness shard = new(LimitAndErrors, Options, _budgets);
        shard.Send(new TraceBuilder().Span(1, 1));
        shard.Send(new TraceBuilder().Span(2, 1).Error());
        shard.Pass(5010);
        Assert.Null(shard.Decision(1));
        Assert.Equal(Decision.Sampled, shard.Decision(2)!.Value.Decision);
    }

    [Fact]
    public void Deliver_SpansOfATraceThatIsPutOff_AreDecidedWithIt()
    {
        using ShardHarness shard = new(Limit, Options, _budgets);
        shard.Send(new TraceBuilder().Span(1, 1));
        shard.Pass(5010);
        shard.Send(new TraceBuilder().Span(1, 2, parent: 1));
        _budgets.Units = 2;
        shard.Pass(40);
        Assert.Equal(2, shard.Kept().Spans().Count);
        Assert.Equal(0, _budgets.Units);
    }

    /// <summary>A busy trace must not use up its attempts before an answer can be there.</summary>
    [Theory]
    [InlineData(0, 250)]
    [InlineData(250, 0)]
    public void Deliver_SpansOfATraceThatIsPutOff_DoNotHaveItAskEarlier(int settle, int rootWait)
    {
        using ShardHarness shard = new(
            Limit,
            Options with
            {
                Settle = TimeSpan.FromMilliseconds(settle),
                DecisionWaitAfterRootReceived = TimeSpan.FromMilliseconds(rootWait),
                DecisionWait = TimeSpan.FromMilliseconds(250),
            },
            _budgets);
        shard.Send(new TraceBuilder().Span(1, 1));
        shard.Pass(260);
        for (ulong span = 2; span < 10; span++)
        {
            shard.Send(new TraceBuilder().Span(1, span, parent: 1));
            shard.Pass(10);
        }

        Assert.Equal([1260, 1300, 1340], _budgets.AskedAt);
        Assert.Equal(9, shard.Core.PendingSpans);
    }

    [Fact]
    public void Deliver_SpanThatReopensATreeThatIsPutOff_WaitsForItsParent()
    {
        using ShardHarness shard = new(Limit, Options with { Settle = TimeSpan.FromMilliseconds(250) }, _budgets);
        shard.Send(new TraceBuilder().Span(1, 1));
        shard.Pass(260);
        Assert.Equal([1260], _budgets.AskedAt);
        shard.Send(new TraceBuilder().Span(1, 3, parent: 2));
        shard.Pass(1000);
        Assert.Equal([1260], _budgets.AskedAt);
        _budgets.Units = 3;
        shard.Send(new TraceBuilder().Span(1, 2, parent: 1));
        shard.Pass(260);
        Assert.Equal((Decision.Sampled, CompletionReason.TreeClosed), (shard.Decision(1)!.Value.Decision, shard.Decision(1)!.Value.Reason));
    }

    /// <summary>Units that are somewhere else until a test brings them here.</summary>
    private sealed class FarBudgets : IBudgets
    {
        public long Units { get; set; }

        public int AgainIn { get; set; } = 30;

        public List<long> AskedAt { get; } = [];

        public bool CanTake(int budget, long amount, long nowMilliseconds) => amount <= Units;

        public bool TryTake(int budget, long amount, long nowMilliseconds)
        {
            AskedAt.Add(nowMilliseconds);
            if (amount > Units)
            {
                return false;
            }

            Units -= amount;
            return true;
        }

        public int AskAgainIn(int budget, long amount, long nowMilliseconds) => AgainIn;
    }
}
