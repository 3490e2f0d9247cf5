using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text.Json;

namespace Cluster.Sharding.Store;

/// <summary>
/// etcd 3.4 or later, over its JSON gateway: any endpoint that answers is asked; one that fails is put aside for a moment. Thread-safe.
/// </summary>
/// <remarks>
/// Reads are linearizable. A transaction is sent to a second endpoint only when it surely did not reach the first: <see cref="TryCommitAsync"/>
/// never takes a transaction of its own for somebody else's. A lease lasts whole seconds, rounded up, and not less than etcd's own minimum (2 s with
/// its default election timeout).
/// </remarks>
public sealed class EtcdClusterStore : IClusterStore
{
    private readonly EtcdOptions _options;
    private readonly EtcdKeys _keys;
    private readonly EtcdEndpoints _endpoints;
    private readonly EtcdClient _client;
    private readonly TimeProvider _time;
    private readonly Action<string> _problem;

    /// <summary>Nothing is connected yet.</summary>
    /// <param name="options">Where etcd is.</param>
    /// <param name="time">For timeouts and pauses.</param>
    /// <param name="random">Where to begin, and jitter. The store's from here on.</param>
    /// <param name="problem">
    /// Told what went wrong even where it is put right without the caller: an endpoint that fails, a watch that is made anew; while it lasts,
    /// again and again. Called on any thread.
    /// </param>
    /// <exception cref="ArgumentException">The options cannot be used.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="CryptographicException">A file is no certificate or key.</exception>
    public EtcdClusterStore(EtcdOptions options, TimeProvider time, Random random, Action<string>? problem = null)
        : this(options, time, random, problem, handler: null)
    {
    }

    internal EtcdClusterStore(EtcdOptions options, TimeProvider time, Random random, Action<string>? problem, HttpMessageHandler? handler)
    {
        options.ThrowIfInvalid();
        _options = options;
        _time = time;
        _problem = problem ?? (static _ => { });
        _keys = new EtcdKeys(options.Cluster);
        _endpoints = new EtcdEndpoints(options, random);
        _client = new EtcdClient(options, _endpoints, time, handler ?? EtcdTransport.CreateHandler(options), _problem);
    }

    /// <inheritdoc/>
    public Task<StoreSnapshot> ListAsync(string prefix, CancellationToken cancellationToken) => ListAsync(_client, _keys, prefix, cancellationToken);

    /// <inheritdoc/>
    public async Task<long?> TryCommitAsync(StoreTransaction transaction, CancellationToken cancellationToken)
    {
        transaction.ThrowIfInvalid();
        EtcdTransaction request = new(
            [.. transaction.Conditions.Select(condition => new EtcdCompare(_keys.Absolute(condition.Key), condition.ModifyRevision))],
            [
                .. transaction.Puts.Select(put =>
                    new EtcdOperation(new EtcdPut(_keys.Absolute(put.Key), put.Value.ToArray(), put.Lease), RequestDeleteRange: null)),
                .. transaction.Deletes.Select(key => new EtcdOperation(RequestPut: null, new EtcdDelete(_keys.Absolute(key)))),
            ]);
        EtcdTransactionAnswer answer = await _client.PostAsync(
            "/v3/kv/txn", request, EtcdJson.Default.EtcdTransaction, EtcdJson.Default.EtcdTransactionAnswer, repeatable: false, cancellationToken)
            .ConfigureAwait(false);
        return answer.Succeeded ? answer.Header?.Revision ?? 0 : null;
    }

    /// <inheritdoc/>
    public async Task<long> GrantLeaseAsync(TimeSpan timeToLive, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(timeToLive, TimeSpan.Zero);
        EtcdLease request = new() { TimeToLive = (long)Math.Ceiling(timeToLive.TotalSeconds) };

        // One that is granted twice ends by itself.
        EtcdLease answer = await _client.PostAsync(
            "/v3/lease/grant", request, EtcdJson.Default.EtcdLease, EtcdJson.Default.EtcdLease, repeatable: true, cancellationToken)
            .ConfigureAwait(false);
        return answer.Id != 0 ? answer.Id : throw new ClusterStoreException("etcd granted a lease without an ID");
    }

    /// <inheritdoc/>
    public async Task<bool> KeepAliveAsync(long lease, CancellationToken cancellationToken)
    {
        EtcdLease answer = await _client.PostForLineAsync(
            "/v3/lease/keepalive", new EtcdLease { Id = lease }, EtcdJson.Default.EtcdLease, EtcdJson.Default.EtcdLineEtcdLease, cancellationToken)
            .ConfigureAwait(false);
        return answer.TimeToLive > 0;
    }

    /// <inheritdoc/>
    public async Task RevokeLeaseAsync(long lease, CancellationToken cancellationToken)
    {
        try
        {
            await _client.PostAsync(
                "/v3/lease/revoke", new EtcdLease { Id = lease }, EtcdJson.Default.EtcdLease, EtcdJson.Default.EtcdLease, repeatable: true,
                cancellationToken).ConfigureAwait(false);
        }
        catch (ClusterStoreException refusal) when (refusal.Refusal == EtcdError.NotFound)
        {
            // It has ended already.
        }
    }

    /// <inheritdoc/>
    /// <remarks>
    /// Throws only when it is cancelled or the store is closed: it tries for ever. Where etcd's own data was lost, a snapshot may be of an earlier
    /// revision than what came before.
    /// </remarks>
    public async IAsyncEnumerable<StoreChanges> WatchAsync(
        string prefix, long afterRevision, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using EtcdWatch watch = new(_client, _keys, prefix, afterRevision, _options, _endpoints, _time, _problem);
        while (true)
        {
            foreach (StoreChanges changes in await watch.NextAsync(cancellationToken).ConfigureAwait(false))
            {
                yield return changes;
            }
        }
    }

    /// <summary>Closes all connections.</summary>
    public ValueTask DisposeAsync()
    {
        _client.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Everything under a prefix.</summary>
    internal static async Task<StoreSnapshot> ListAsync(EtcdClient client, EtcdKeys keys, string prefix, CancellationToken cancellationToken)
    {
        EtcdRangeAnswer answer = await client.PostAsync(
            "/v3/kv/range", keys.Range(prefix), EtcdJson.Default.EtcdRange, EtcdJson.Default.EtcdRangeAnswer, repeatable: true, cancellationToken)
            .ConfigureAwait(false);
        try
        {
            return new StoreSnapshot(answer.Header?.Revision ?? 0, [.. (answer.Kvs ?? []).Select(keys.Entry)]);
        }
        catch (JsonException exception)
        {
            throw new ClusterStoreException($"etcd did not answer as it should: {exception.Message}", exception);
        }
    }
}
