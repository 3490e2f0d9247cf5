using System.Buffers;

namespace Cluster.Gateway.Receivers;

/// <summary>
/// A contiguous run of request bytes in one array of the shared pool, charged to <see cref="InFlightBytes"/> as long as it is
/// held. Whoever made it disposes it, which returns the array and the charge. Not thread-safe.
/// </summary>
internal sealed class RequestBuffer(InFlightBytes inFlight) : IDisposable
{
    /// <summary>Held for a client that sent less than that: a handful of bytes must not claim much memory.</summary>
    internal const int SmallCapacity = 4 << 10;

    /// <summary>Rented once a client sent more than <see cref="SmallCapacity"/>; from there on by doubling, as bytes arrive.</summary>
    internal const int FirstCapacity = 256 << 10;

    private byte[] _array = [];

    /// <summary>Bytes appended so far.</summary>
    public int Length { get; private set; }

    /// <summary>What was appended so far; dead after the next call that may grow and after <see cref="Dispose"/>.</summary>
    public ReadOnlyMemory<byte> Memory => _array.AsMemory(0, Length);

    /// <summary>The array behind <see cref="Memory"/>, for streams that want one.</summary>
    public byte[] Array => _array;

    /// <summary>Room after what was appended.</summary>
    public Span<byte> Free => _array.AsSpan(Length);

    /// <summary>Says that <paramref name="count"/> bytes of <see cref="Free"/> were filled.</summary>
    public void Advance(int count) => Length += count;

    /// <summary>Appends <paramref name="bytes"/>.</summary>
    /// <param name="bytes">What to append.</param>
    /// <param name="expected">
    /// Bytes expected in all: never more is asked of the pool. At least <see cref="Length"/> plus what is appended.
    /// </param>
    /// <returns>False, and nothing appended, when too many bytes are in flight.</returns>
    public bool TryAppend(in ReadOnlySequence<byte> bytes, int expected)
    {
        int needed = Length + (int)bytes.Length;
        if (needed > _array.Length && !TryGrow(needed <= SmallCapacity ? SmallCapacity : Math.Max(needed, FirstCapacity), expected))
        {
            return false;
        }

        bytes.CopyTo(Free);
        Length = needed;
        return true;
    }

    /// <summary>Makes the array at least twice as large, at least <paramref name="capacity"/>, at most <paramref name="limit"/>.</summary>
    /// <returns>False, and nothing changed, when too many bytes are in flight.</returns>
    public bool TryGrow(int capacity, int limit)
    {
        int wanted = (int)Math.Min(limit, Math.Max(capacity, 2L * _array.Length));
        byte[] larger = ArrayPool<byte>.Shared.Rent(wanted);
        if (!inFlight.TryCharge(larger.Length))
        {
            ArrayPool<byte>.Shared.Return(larger);
            return false;
        }

        _array.AsSpan(0, Length).CopyTo(larger);
        ReturnArray();
        _array = larger;
        return true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        ReturnArray();
        _array = [];
        Length = 0;
    }

    private void ReturnArray()
    {
        if (_array.Length > 0)
        {
            inFlight.Release(_array.Length);
            ArrayPool<byte>.Shared.Return(_array);
        }
    }
}
