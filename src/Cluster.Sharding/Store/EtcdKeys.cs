using System.Text;
using System.Text.Json;

namespace Cluster.Sharding.Store;

/// <summary>Keys relative to the cluster's prefix, and as etcd has them.</summary>
internal sealed class EtcdKeys(string cluster)
{
    private readonly string _prefix = $"/actorsampling/{cluster}/";

    /// <summary>A key in etcd.</summary>
    public byte[] Absolute(string key) => Encoding.UTF8.GetBytes(_prefix + key);

    /// <summary>All keys with a prefix.</summary>
    public EtcdRange Range(string prefix)
    {
        byte[] start = Absolute(prefix);
        byte[] end = [.. start];
        end[^1]++; // Never 0xFF: that is no byte of UTF-8.
        return new EtcdRange(start, end);
    }

    /// <summary>A key and its value as the cluster sees them.</summary>
    /// <exception cref="JsonException">It is no key of the cluster.</exception>
    public StoreEntry Entry(EtcdKeyValue? value) =>
        new(Relative(value), value!.Value ?? [], value.CreateRevision, value.ModRevision, value.Lease);

    /// <inheritdoc cref="Entry"/>
    public string Relative(EtcdKeyValue? value) =>
        value?.Key is { } bytes && Encoding.UTF8.GetString(bytes) is var key && key.StartsWith(_prefix, StringComparison.Ordinal)
            ? key[_prefix.Length..]
            : throw new JsonException("a key that was not asked for");
}
