using Cluster.Node.Exporters;
using Cluster.Node.Exporters.Sending;
using Cluster.Sharding.Traces;
using Cluster.Testing;

namespace Cluster.Node.Tests.Exporters;

public sealed class SendingQueueTests
{
    private readonly ManualTimeProvider _time = new();

    [Fact]
    public void HasRoom_AtCapacity_IsFalseUntilSettled()
    {
        KeptTraces one = Kept.Large(1, 1000);
        using SendingQueue queue = Queue(capacity: one.Bytes + 1);

        Assert.True(queue.Enqueue(one));
        Assert.True(queue.HasRoom);
        Assert.True(queue.Enqueue(Kept.Large(2, 1000)));
        Assert.False(queue.HasRoom);
        Assert.Equal(2 * one.Bytes, queue.HeldBytes);

        queue.Settle(one.Bytes);
        Assert.True(queue.HasRoom);
    }

    [Fact]
    public async Task HasRoom_BatchTaken_StillCountsWhatIsBeingSent()
    {
        KeptTraces one = Kept.Large(1, 1000);
        using SendingQueue queue = Queue(capacity: one.Bytes, minBytes: 1);
        queue.Enqueue(one);

        ExportBatch batch = (await queue.TakeAsync())!;

        Assert.False(queue.HasRoom);
        Assert.Equal(0, queue.Waiting);
        queue.Settle(batch.Bytes);
        Assert.True(queue.HasRoom);
    }

    [Fact]
    public void TakeAsync_TooFewBytes_WaitsForTheFlushTimeout()
    {
        using SendingQueue queue = Queue(minBytes: 10_000);
        queue.Enqueue(Kept.Large(1, 1000));
        ValueTask<ExportBatch?> taking = queue.TakeAsync();

        _time.Advance(TimeSpan.FromMilliseconds(199));
        Assert.False(taking.IsCompleted);
        Assert.Equal(TimeSpan.FromMilliseconds(199), queue.OldestAge);
    }

    [Fact]
    public async Task TakeAsync_FlushTimeoutPasses_GivesWhatThereIs()
    {
        using SendingQueue queue = Queue(minBytes: 10_000);
        queue.Enqueue(Kept.Large(1, 1000));
        queue.Enqueue(Kept.Large(2, 1000));
        ValueTask<ExportBatch?> taking = queue.TakeAsync();

        _time.Advance(TimeSpan.FromMilliseconds(202));

        ExportBatch batch = (await taking)!;
        Assert.Equal(2, batch.Count);
        Assert.Equal(TimeSpan.Zero, queue.OldestAge);
    }

    [Fact]
    public async Task TakeAsync_EnoughBytes_DoesNotWait()
    {
        using SendingQueue queue = Queue(minBytes: 2000);
        ValueTask<ExportBatch?> taking = queue.TakeAsync();
        queue.Enqueue(Kept.Large(1, 1000));
        Assert.False(taking.IsCompleted);

        queue.Enqueue(Kept.Large(2, 1000));

        Assert.Equal(2, (await taking)!.Count);
    }

    [Fact]
    public async Task TakeAsync_MoreThanMaxBytes_CutsBetweenRequests()
    {
        KeptTraces[] kept = [Kept.Large(1, 1000), Kept.Large(2, 1000), Kept.Large(3, 1000), Kept.Large(4, 5000), Kept.Large(5, 1000)];
        using SendingQueue queue = Queue(minBytes: 1, maxBytes: 2 * kept[0].Bytes);
        foreach (KeptTraces traces in kept)
        {
            queue.Enqueue(traces);
        }

        queue.Complete();
        List<int> counts = [];
        while (await queue.TakeAsync() is { } batch)
        {
            counts.Add(batch.Count);
        }

        Assert.Equal([2, 1, 1, 1], counts);
    }

    [Fact]
    public async Task Complete_QueueWithRests_GivesThemAtOnceAndThenNull()
    {
        using SendingQueue queue = Queue(minBytes: 10_000);
        queue.Enqueue(Kept.Traces(1));
        ValueTask<ExportBatch?> taking = queue.TakeAsync();

        queue.Complete();

        Assert.Equal(1, (await taking)!.Count);
        Assert.Null(await queue.TakeAsync());
        Assert.False(queue.Enqueue(Kept.Traces(2)));
    }

    private SendingQueue Queue(long capacity = 1 << 20, int minBytes = 1 << 10, int maxBytes = 1 << 20) =>
        new(capacity, new BatchOptions { MinBytes = minBytes, MaxBytes = maxBytes }, _time);
}
