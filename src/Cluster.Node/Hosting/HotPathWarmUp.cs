using Cluster.Gateway.Receivers;
using Cluster.Node.Demo;
using Cluster.Sampling.Decisions;
using Cluster.Sharding.Region;
using Cluster.Sharding.Traces;

namespace Cluster.Node.Hosting;

/// <summary>
/// Runs a few thousand spans through a router and a region of their own before the node takes any, so that the first real ones find
/// compiled code: the first seconds would otherwise cost several times as much. What goes in comes to nothing.
/// </summary>
internal static class HotPathWarmUp
{
    /// <summary>Methods are compiled for speed after 30 calls; the rare ones are called once a trace.</summary>
    private const int Traces = 150;

    private static readonly TimeSpan DecisionWait = TimeSpan.FromMilliseconds(20);

    /// <summary>Takes some tenths of a second.</summary>
    public static async Task RunAsync(ShardRegionOptions options, PolicySet policies, TimeProvider time)
    {
        (ShardRegion region, ITraceConsumer router) = NodeServiceCollectionExtensions.CreateApart(
            options with { DecisionWait = DecisionWait, DecisionWaitAfterRootReceived = TimeSpan.Zero }, policies, new Nowhere(), time);
        await using (region)
        {
            DemoTraces traces = new(new Random(0));
            for (int i = 0; i < Traces; i++)
            {
                foreach (IGrouping<string, DemoSpan> service in traces.Next().GroupBy(span => span.Service))
                {
                    await router.ConsumeAsync(DemoRequest.Encode(service.Key, service, traceStart: 1), CancellationToken.None);
                }
            }

            await Task.Delay(2 * DecisionWait, time);
            await region.DrainAsync();
        }
    }

    private sealed class Nowhere : IKeptTraceQueue
    {
        public bool HasRoom => true;

        public void Enqueue(KeptTraces traces) => traces.Release();
    }
}
