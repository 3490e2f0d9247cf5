namespace Cluster.Gateway.Receivers;

/// <summary>
/// How many bytes all doors together hold for requests in work: rented arrays at their real size, compressed and inflated
/// together. Thread-safe.
/// </summary>
/// <param name="limit">Most bytes held at once.</param>
internal sealed class InFlightBytes(long limit)
{
    private long _held;

    /// <summary>Bytes held now.</summary>
    public long Held => Interlocked.Read(ref _held);

    /// <summary>Takes <paramref name="bytes"/>, or nothing and false when that would pass the limit.</summary>
    public bool TryCharge(long bytes)
    {
        if (Interlocked.Add(ref _held, bytes) <= limit)
        {
            return true;
        }

        Release(bytes);
        return false;
    }

    /// <summary>Takes <paramref name="bytes"/> that are held already, whatever the limit says.</summary>
    public void Charge(long bytes) => Interlocked.Add(ref _held, bytes);

    /// <summary>Gives back what was charged.</summary>
    public void Release(long bytes) => Interlocked.Add(ref _held, -bytes);
}
