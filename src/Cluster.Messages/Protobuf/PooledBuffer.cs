using System.Buffers;

namespace Cluster.Messages.Protobuf;

/// <summary>
/// A growing run of bytes in one array from the shared pool. Whoever made it disposes it, which returns the array; views taken
/// before are dead from then on, and after every call that may grow it. Not thread-safe.
/// </summary>
public sealed class PooledBuffer : IBufferWriter<byte>, IDisposable
{
    private const int MaxTagSize = 5;

    private byte[] _array;

    /// <summary>An empty buffer with room for <paramref name="capacity"/> bytes.</summary>
    public PooledBuffer(int capacity = 4096) => _array = ArrayPool<byte>.Shared.Rent(capacity);

    /// <summary>Bytes written so far.</summary>
    public int Length { get; private set; }

    /// <summary>What was written so far.</summary>
    public ReadOnlySpan<byte> WrittenSpan => _array.AsSpan(0, Length);

    /// <summary>What was written so far.</summary>
    public ReadOnlyMemory<byte> WrittenMemory => _array.AsMemory(0, Length);

    /// <summary>Forgets what was written; keeps the array.</summary>
    public void Clear() => Length = 0;

    /// <summary>Forgets what was written after <paramref name="length"/>.</summary>
    public void Truncate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)length, (uint)Length);
        Length = length;
    }

    /// <inheritdoc/>
    public void Advance(int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)count, (uint)(_array.Length - Length));
        Length += count;
    }

    /// <inheritdoc/>
    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        EnsureRoom(sizeHint);
        return _array.AsMemory(Length);
    }

    /// <inheritdoc/>
    public Span<byte> GetSpan(int sizeHint = 0)
    {
        EnsureRoom(sizeHint);
        return _array.AsSpan(Length);
    }

    /// <summary>Appends <paramref name="bytes"/>.</summary>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        EnsureRoom(bytes.Length);
        bytes.CopyTo(_array.AsSpan(Length));
        Length += bytes.Length;
    }

    /// <summary>
    /// Begins a length-delimited protobuf field whose length is not known yet. Write the content, then call <see cref="EndMessage"/>;
    /// fields nest.
    /// </summary>
    /// <returns>Where the content begins, for <see cref="EndMessage"/>.</returns>
    public int BeginMessage(int field)
    {
        EnsureRoom(MaxTagSize + 1);
        Length = WireWriter.WriteTag(_array, Length, field, WireType.LengthDelimited) + 1;
        return Length;
    }

    /// <summary>Ends the field begun last: puts its length before its content, which moves up when one byte is too few for the
    /// length.</summary>
    public void EndMessage(int contentStart)
    {
        int length = Length - contentStart;
        int shift = WireWriter.VarintSize((uint)length) - 1;
        if (shift > 0)
        {
            EnsureRoom(shift);
            _array.AsSpan(contentStart, length).CopyTo(_array.AsSpan(contentStart + shift));
            Length += shift;
        }

        WireWriter.WriteVarint(_array, contentStart - 1, (uint)length);
    }

    /// <summary>Returns the array to the pool. Calling it again does nothing.</summary>
    public void Dispose()
    {
        byte[] array = _array;
        _array = [];
        Length = 0;
        if (array.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(array);
        }
    }

    private void EnsureRoom(int count)
    {
        count = Math.Max(count, 1);
        if (_array.Length - Length >= count)
        {
            return;
        }

        byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(checked(Length + count), _array.Length * 2));
        _array.AsSpan(0, Length).CopyTo(larger);
        if (_array.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_array);
        }

        _array = larger;
    }
}
