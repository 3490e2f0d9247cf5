using System.Text.Json;

namespace Cluster.Sharding.Store;

/// <summary>
/// Puts what a watch of etcd's says together into changes of whole revisions. An answer may hold several revisions, and a revision may be spread over
/// the fragments of one answer; a revision is whole when the next one begins or the answer ends.
/// </summary>
internal sealed class EtcdWatchAssembler(EtcdKeys keys, long afterRevision)
{
    private const int MaxHeld = 64 << 20;

    private readonly List<StoreEntry> _put = [];
    private readonly List<string> _deleted = [];
    private long _heldRevision;
    private long _heldBytes;

    /// <summary>All changes up to this revision were given out.</summary>
    public long Revision { get; private set; } = afterRevision;

    /// <summary>Everything was listed at a revision: what follows is to come after it.</summary>
    public void Restart(long revision)
    {
        Drop();
        Revision = revision;
    }

    /// <summary>The connection was lost: what was not whole will come again.</summary>
    public void Drop()
    {
        _put.Clear();
        _deleted.Clear();
        _heldBytes = 0;
    }

    /// <summary>Takes an answer.</summary>
    /// <param name="answer">The answer.</param>
    /// <param name="changes">Gets the revisions that are whole now.</param>
    /// <returns>
    /// False when everything must be listed again: etcd has forgotten the changes, or is at an earlier revision than it was (its data was lost,
    /// or this member is behind), or one revision is too large.
    /// </returns>
    /// <exception cref="JsonException">It is nothing that etcd would say.</exception>
    /// <exception cref="ClusterStoreException">The watch was cancelled for another reason.</exception>
    public bool Take(EtcdWatchAnswer answer, List<StoreChanges> changes)
    {
        if (answer.CompactRevision > 0 || (answer.Created && answer.Header?.Revision < Revision))
        {
            return false;
        }

        if (answer.Canceled)
        {
            throw new ClusterStoreException($"etcd refused the watch: {answer.CancelReason ?? "it does not say why"}");
        }

        foreach (EtcdEvent? change in answer.Events ?? [])
        {
            string key = keys.Relative(change?.Kv);
            EtcdKeyValue value = change!.Kv!;
            if (value.ModRevision <= Revision)
            {
                continue;
            }

            if (value.ModRevision != _heldRevision)
            {
                Flush(changes);
                _heldRevision = value.ModRevision;
            }

            _heldBytes += value.Key!.Length + (value.Value?.Length ?? 0);
            if (_heldBytes > MaxHeld)
            {
                return false;
            }

            if (change.Type == "DELETE")
            {
                _deleted.Add(key);
            }
            else
            {
                _put.Add(keys.Entry(value));
            }
        }

        if (!answer.Fragment)
        {
            Flush(changes);
        }

        return true;
    }

    private void Flush(List<StoreChanges> changes)
    {
        if (_put.Count + _deleted.Count > 0)
        {
            changes.Add(new StoreChanges(_heldRevision, [.. _put], [.. _deleted]));
            Revision = _heldRevision;
            Drop();
        }
    }
}
