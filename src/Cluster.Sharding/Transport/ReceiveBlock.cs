using System.Buffers;

namespace Cluster.Sharding.Transport;

/// <summary>A pooled array that packets are read to; goes back when its reader and all who retained a packet are done with it.</summary>
internal sealed class ReceiveBlock
{
    private readonly ReceiveWindow _window;
    private int _references = 1;

    public ReceiveBlock(ReceiveWindow window, int size)
    {
        _window = window;
        Size = size;
        Bytes = ArrayPool<byte>.Shared.Rent(size);
        window.Taken(size);
    }

    /// <summary>At least <see cref="Size"/> bytes.</summary>
    public byte[] Bytes { get; }

    /// <summary>Bytes to use.</summary>
    public int Size { get; }

    /// <summary>Whether nobody but the reader holds it. Only the reader may ask.</summary>
    public bool IsOnlyTheReaders => Volatile.Read(ref _references) == 1;

    public void Retain() => Interlocked.Increment(ref _references);

    public void Release()
    {
        int left = Interlocked.Decrement(ref _references);
        if (left == 0)
        {
            ArrayPool<byte>.Shared.Return(Bytes);
            _window.Released(Size);
        }
        else if (left < 0)
        {
            throw new InvalidOperationException("A packet was released more often than it was retained.");
        }
    }
}

/// <summary>
/// What a connection has read and nobody has released yet: beyond a limit its reader waits, so that the peer is slowed down instead of memory
/// filled. Released from any thread; one reader waits.
/// </summary>
internal sealed class ReceiveWindow(int limit)
{
    private readonly Lock _lock = new();
    private TaskCompletionSource? _waits;
    private long _unreleased;
    private bool _isClosed;

    public void Taken(int bytes)
    {
        lock (_lock)
        {
            _unreleased += bytes;
        }
    }

    public void Released(int bytes)
    {
        lock (_lock)
        {
            _unreleased -= bytes;
            WakeIfThereIsRoom();
        }
    }

    /// <summary>Completes when less than the limit is unreleased.</summary>
    public Task WaitAsync()
    {
        lock (_lock)
        {
            if (_isClosed || _unreleased < limit)
            {
                return Task.CompletedTask;
            }

            _waits = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _waits.Task;
        }
    }

    /// <summary>Nobody waits from now on.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _isClosed = true;
            WakeIfThereIsRoom();
        }
    }

    private void WakeIfThereIsRoom()
    {
        if (_waits is { } waits && (_isClosed || _unreleased < limit))
        {
            _waits = null;
            waits.SetResult();
        }
    }
}
