using Cluster.Messages.Frames;
using Cluster.Messages.Sharding;
using Cluster.Sharding.Shards;

namespace Cluster.Sharding.Tests.Shards;

public sealed class DeliveryTests : IDisposable
{
    private readonly List<Delivery> _givenBack = [];
    private readonly FrameBatch _batch = new();

    public void Dispose() => _batch.Dispose();

    [Fact]
    public async Task Done_TheLastWorker_AcknowledgesAndGivesBackOnce()
    {
        Delivery delivery = new(_givenBack.Add);
        ValueTask<Refusal> acknowledgement = delivery.Begin(_batch, 2);
        delivery.Done(Refusal.None);
        Assert.False(acknowledgement.IsCompleted);
        delivery.Done(Refusal.None);

        Assert.Equal(Refusal.None, await acknowledgement);
        Assert.Same(delivery, Assert.Single(_givenBack));
    }

    [Fact]
    public async Task Done_OneRefuses_TheWholeIsRefused()
    {
        Delivery delivery = new(_givenBack.Add);
        ValueTask<Refusal> refused = delivery.Begin(_batch, 2);
        delivery.Done(Refusal.NotOwner);
        delivery.Done(Refusal.None);
        Assert.Equal(Refusal.NotOwner, await refused);

        ValueTask<Refusal> taken = delivery.Begin(_batch, 1);
        delivery.Done(Refusal.None);
        Assert.Equal(Refusal.None, await taken);
    }

    [Fact]
    public async Task Fail_OneOfTwo_ReachesWhoeverAwaits_AndTheDeliveryIsUsedAgain()
    {
        Delivery delivery = new(_givenBack.Add);
        Task<Refusal> failed = delivery.Begin(_batch, 2).AsTask();
        delivery.Fail(new InvalidOperationException("broken"));
        delivery.Done(Refusal.None);
        Assert.Equal("broken", (await Assert.ThrowsAsync<InvalidOperationException>(() => failed)).Message);
        Assert.Single(_givenBack);

        ValueTask<Refusal> taken = delivery.Begin(_batch, 1);
        delivery.Done(Refusal.None);
        Assert.Equal(Refusal.None, await taken);
    }

    [Fact]
    public async Task Begin_UsedAgainByManyThreads_NeverMixesAcknowledgements()
    {
        System.Collections.Concurrent.ConcurrentBag<Delivery> free = [];
        await Parallel.ForEachAsync(Enumerable.Range(0, 20_000), async (i, _) =>
        {
            Delivery delivery = free.TryTake(out Delivery? used) ? used : new Delivery(free.Add);
            Refusal expected = (Refusal)(i % 5);
            ValueTask<Refusal> acknowledgement = delivery.Begin(_batch, 2);
            ThreadPool.UnsafeQueueUserWorkItem(static d => d.Done(Refusal.None), delivery, preferLocal: false);
            ThreadPool.UnsafeQueueUserWorkItem(static d => d.Item1.Done(d.Item2), (delivery, expected), preferLocal: false);
            Assert.Equal(expected, await acknowledgement);
        });
    }
}
