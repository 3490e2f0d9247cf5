using System.Buffers;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;

namespace Cluster.Gateway.Receivers.Hosting;

/// <summary>Gives Kestrel pools of larger blocks: with its own of 4 KiB, reading spans off a socket costs twice the CPU.</summary>
internal sealed class PinnedBlockPoolFactory : IMemoryPoolFactory<byte>, IDisposable
{
    // Kestrel makes a pool for each core and address, and disposes it: they all are this one, so that its bound is the process's.
    private readonly PinnedBlockPool _shared = new();

    /// <inheritdoc/>
    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => new View(_shared);

    /// <inheritdoc/>
    public void Dispose() => _shared.Dispose();

    private sealed class View(PinnedBlockPool shared) : MemoryPool<byte>
    {
        public override int MaxBufferSize => shared.MaxBufferSize;

        public override IMemoryOwner<byte> Rent(int minBufferSize = -1) => shared.Rent(minBufferSize);

        protected override void Dispose(bool disposing)
        {
        }
    }
}

/// <summary>Pinned blocks of 32 KiB. A bounded number is kept for reuse; further ones are the garbage collector's. Thread-safe.</summary>
internal sealed class PinnedBlockPool : MemoryPool<byte>
{
    /// <summary>Bytes of a block. 16 to 64 KiB do equally well, less and more do worse.</summary>
    public const int BlockSize = 32 << 10;

    /// <summary>Blocks kept for reuse: 32 MiB.</summary>
    public const int KeptBlocks = 1024;

    private readonly ConcurrentQueue<Block> _free = new();
    private int _kept;
    private volatile bool _disposed;

    /// <inheritdoc/>
    public override int MaxBufferSize => BlockSize;

    /// <summary>Blocks ready for reuse now.</summary>
    internal int Kept => Volatile.Read(ref _kept);

    /// <inheritdoc/>
    /// <exception cref="ArgumentOutOfRangeException">More than <see cref="BlockSize"/> is asked for.</exception>
    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, BlockSize);
        if (_free.TryDequeue(out Block? block))
        {
            Interlocked.Decrement(ref _kept);
            block.IsRented = true;
            return block;
        }

        return new Block(this);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _disposed = true;
        _free.Clear();
    }

    private void Return(Block block)
    {
        if (_disposed)
        {
            return;
        }

        if (Interlocked.Increment(ref _kept) <= KeptBlocks)
        {
            _free.Enqueue(block);
        }
        else
        {
            Interlocked.Decrement(ref _kept);
        }
    }

    private sealed class Block(PinnedBlockPool pool) : IMemoryOwner<byte>
    {
        public bool IsRented { get; set; } = true;

        // Pinned already: who pins it again need not tell the collector.
        public Memory<byte> Memory { get; } =
            MemoryMarshal.CreateFromPinnedArray(GC.AllocateUninitializedArray<byte>(BlockSize, pinned: true), 0, BlockSize);

        public void Dispose()
        {
            // A block that comes back twice must not be handed out twice.
            if (IsRented)
            {
                IsRented = false;
                pool.Return(this);
            }
        }
    }
}
