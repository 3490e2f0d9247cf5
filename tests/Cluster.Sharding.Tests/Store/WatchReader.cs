using Cluster.Sharding.Store;

namespace Cluster.Sharding.Tests.Store;

/// <summary>Reads a watch, one after the other, and fails when the next change does not come.</summary>
internal sealed class WatchReader(IAsyncEnumerable<StoreChanges> watch) : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly IAsyncEnumerator<StoreChanges> _changes = watch.GetAsyncEnumerator();
    private Task _last = Task.CompletedTask;

    public Task<StoreChanges> NextAsync()
    {
        Task<bool> next = _changes.MoveNextAsync().AsTask();
        _last = next;
        return ReadAsync(next);
    }

    public async ValueTask DisposeAsync()
    {
        // One that is still being read cannot be disposed of; it ends with its store.
        if (_last.IsCompleted)
        {
            await _changes.DisposeAsync();
        }
    }

    private async Task<StoreChanges> ReadAsync(Task<bool> next)
    {
        Assert.True(await next.WaitAsync(Patience));
        return _changes.Current;
    }
}
