using System.Text;
using Cluster.Messages.Identity;
using Cluster.Sampling.Configuration;
using Cluster.Sampling.Decisions;
using Cluster.Sampling.Policies;
using Cluster.Sharding.Log;
using Cluster.Sharding.Tests.Shards;

namespace Cluster.Sharding.Tests.Log;

public sealed class ContextTableTests : IDisposable
{
    private readonly ContextTable _contexts = new(PolicyCompiler.Parse(ShardHarness.Errors, new ConfigurationErrors())!.CreateProgram());

    public void Dispose() => _contexts.Dispose();

    [Fact]
    public void Acquire_SameBytes_IsTheSameContextUntilTheLastRelease()
    {
        int first = Acquire("resource", "scope", 1);
        Assert.Equal(first, Acquire("resource", "scope", 1));
        Assert.NotEqual(first, Acquire("resources", "cope", 1)); // the same bytes, cut elsewhere
        Assert.Equal("resource", Encoding.ASCII.GetString(_contexts.ResourceFields(first)));
        Assert.Equal("scope", Encoding.ASCII.GetString(_contexts.ScopeFields(first)));
        _contexts.Release(first);
        Assert.Equal(2, _contexts.Live);
        _contexts.Release(first);
        Assert.Equal(1, _contexts.Live);
    }

    [Fact]
    public void AcquireRelease_AtRandom_AreThoseOfAModel()
    {
        Random random = new(2);
        Dictionary<string, Stack<int>> model = [];
        for (int step = 0; step < 20_000; step++)
        {
            string resource = "r" + random.Next(1500);
            if (!model.TryGetValue(resource, out Stack<int>? held))
            {
                model[resource] = held = [];
            }

            if (random.Next(20) < 11)
            {
                int context = Acquire(resource, "s", (uint)resource.GetHashCode(StringComparison.Ordinal));
                Assert.True(held.Count == 0 || held.Peek() == context);
                held.Push(context);
            }
            else if (held.TryPop(out int context))
            {
                Assert.Equal(resource, Encoding.ASCII.GetString(_contexts.ResourceFields(context)));
                _contexts.Release(context);
            }
        }

        Assert.Equal(model.Values.Count(held => held.Count > 0), _contexts.Live);
        foreach (int context in model.Values.SelectMany(held => held))
        {
            _contexts.Release(context);
        }

        Assert.Equal(0, _contexts.Live);
        Assert.Equal(0, _contexts.Bytes);
    }

    [Fact]
    public void Release_ContextsThatAllHaveOneHash_TakesNoLongerThanOthers()
    {
        // With a walk along the chain at each release this takes minutes.
        const int Count = 200_000;
        int[] contexts = new int[Count];
        for (int i = 0; i < Count; i++)
        {
            contexts[i] = Acquire("r" + i, "", 42);
        }

        long began = TimeProvider.System.GetTimestamp();
        foreach (int context in contexts)
        {
            _contexts.Release(context);
        }

        Assert.True(TimeProvider.System.GetElapsedTime(began) < TimeSpan.FromSeconds(5));
        Assert.Equal(0, _contexts.Bytes);
    }

    [Fact]
    public void Bytes_OfEmptyContexts_CountTheTable()
    {
        int first = _contexts.Acquire("a"u8, 1, 1);
        int second = _contexts.Acquire(default, 0, 1);
        Assert.True(_contexts.Bytes > 100);
        _contexts.Release(first);
        _contexts.Release(second);
        Assert.Equal(0, _contexts.Bytes);
    }

    private int Acquire(string resource, string scope, uint hash) =>
        _contexts.Acquire(Encoding.ASCII.GetBytes(resource + scope), resource.Length, hash);
}
