using System.Text.Json;

namespace Cluster.Sharding.Store;

/// <summary>
/// One watch: a stream of etcd's that is opened anew, at any endpoint, when it ends, breaks, is refused or is silent for long. Used by one
/// caller at a time.
/// </summary>
internal sealed class EtcdWatch(
    EtcdClient client, EtcdKeys keys, string prefix, long afterRevision, EtcdOptions options, EtcdEndpoints endpoints, TimeProvider time,
    Action<string> problem) : IDisposable
{
    /// <summary>A fragment is not much larger than what etcd takes as one request: 1.5 MiB, unless it is told otherwise.</summary>
    private const int MaxLine = 32 << 20;

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);

    private readonly EtcdWatchAssembler _assembler = new(keys, afterRevision);
    private EtcdStream? _stream;
    private int _failures;

    /// <summary>The next changes, one or more. Tries for ever.</summary>
    public async Task<IReadOnlyList<StoreChanges>> NextAsync(CancellationToken cancellationToken)
    {
        List<StoreChanges> changes = [];
        while (changes.Count == 0)
        {
            try
            {
                if (!_assembler.Take(await ReadAsync(cancellationToken).ConfigureAwait(false), changes))
                {
                    changes.Add(await ListAsync(cancellationToken).ConfigureAwait(false));
                }
            }
            catch (Exception exception) when (exception is ClusterStoreException or IOException or HttpRequestException or JsonException)
            {
                problem($"the watch of etcd was lost: {exception.Message}");
                Close();
                client.ForgetToken(); // A watch that is refused does not say whether the token is.
                await PauseAsync(cancellationToken).ConfigureAwait(false);
            }
        }

        _failures = 0;
        return changes;
    }

    /// <inheritdoc/>
    public void Dispose() => Close();

    /// <summary>The next answer, of a new stream where there is none. A silent stream answers nothing, and is closed.</summary>
    private async Task<EtcdWatchAnswer> ReadAsync(CancellationToken cancellationToken)
    {
        if (_stream is null)
        {
            EtcdRange range = keys.Range(prefix);
            EtcdWatchRequest request = new(new EtcdWatchCreation(range.Key, range.RangeEnd, _assembler.Revision + 1));
            (_stream, EtcdWatchAnswer first) = await client.OpenAsync(
                "/v3/watch", request, EtcdJson.Default.EtcdWatchRequest, EtcdJson.Default.EtcdLineEtcdWatchAnswer, cancellationToken)
                .ConfigureAwait(false);
            return first;
        }

        using CancellationTokenSource silence = new(options.WatchRenewal, time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, silence.Token);
        try
        {
            ReadOnlyMemory<byte> line = await _stream.ReadLineAsync(MaxLine, either.Token).ConfigureAwait(false);
            return EtcdClient.ReadLine(_stream.Endpoint, line, EtcdJson.Default.EtcdLineEtcdWatchAnswer);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            Close();
            _failures = 0;
            return new EtcdWatchAnswer { Fragment = true };
        }
        catch (InvalidDataException)
        {
            // Too long to be read: as good as forgotten.
            return new EtcdWatchAnswer { CompactRevision = _assembler.Revision + 1 };
        }
    }

    private async Task<StoreChanges> ListAsync(CancellationToken cancellationToken)
    {
        Close();
        StoreSnapshot snapshot = await EtcdClusterStore.ListAsync(client, keys, prefix, cancellationToken).ConfigureAwait(false);
        _assembler.Restart(snapshot.Revision);
        return new StoreChanges(snapshot.Revision, [], [], snapshot);
    }

    private Task PauseAsync(CancellationToken cancellationToken)
    {
        TimeSpan pause = FirstPause * (1 << Math.Min(_failures++, 10));
        return Task.Delay(endpoints.Jitter(pause < LongestPause ? pause : LongestPause), time, cancellationToken);
    }

    private void Close()
    {
        _stream?.Dispose();
        _stream = null;
        _assembler.Drop();
    }
}
