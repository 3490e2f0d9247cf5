using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;

namespace Cluster.Sharding.Transport;

/// <summary>One connection that a peer dialled, after the handshake: its packets are read and handed to the handler.</summary>
internal sealed class IncomingLink
{
    /// <summary>Bytes that are read at once, as long as no message is larger.</summary>
    private const int BlockSize = PeerPacketFormat.MaxGatheredSize;

    private static readonly byte[] Heartbeat = new byte[PeerPacketFormat.HeaderSize];

    private readonly PeerServices _services;
    private readonly MemberId _peer;
    private readonly PeerCounters _counters;
    private readonly PeerConnection _connection;
    private readonly ReceiveWindow _window;
    private readonly int _maxLength;
    private Task _beating = Task.CompletedTask;

    // The reader's own: what is read and not handed over lies from _start to _end.
    private ReceiveBlock? _block;
    private int _start;
    private int _end;

    /// <summary>Begins to read, once <paramref name="predecessor"/> is over. Takes the connection over.</summary>
    public IncomingLink(PeerServices services, MemberId peer, PeerConnection connection, PeerCounters counters, Task predecessor)
    {
        _services = services;
        _peer = peer;
        _connection = connection;
        _counters = counters;
        _window = new ReceiveWindow(Math.Max(services.Options.MaxUnreleasedBytes, 2 * BlockSize));
        _maxLength = PeerPacketFormat.MaxLength(services.Options.MaxMessageBytes);
        Ended = Task.Run(() => RunAsync(predecessor));
    }

    /// <summary>When the connection is gone and the handler has heard of it.</summary>
    public Task Ended { get; }

    /// <summary>Ends it.</summary>
    public void Abort(string reason)
    {
        _connection.Abort(reason);
        _window.Close();
    }

    /// <summary>A heartbeat is due, and perhaps the peer's is overdue. One at a time.</summary>
    public void Tick(bool looksForSilence)
    {
        if (_beating.IsCompleted)
        {
            _beating = BeatAsync();
        }

        if (looksForSilence)
        {
            _connection.AbortIfSilent(_services.Options.SilenceLimit);
        }
    }

    private async Task RunAsync(Task predecessor)
    {
        await predecessor;
        string problem = "";
        Interlocked.Increment(ref _counters.Connects);
        try
        {
            _services.Handler.OnConnected(_peer, PeerDirection.Incoming);
            await ReadAsync();
        }
        catch (Exception e)
        {
            problem = _connection.Explain(e);
        }
        finally
        {
            _block?.Release();
            _connection.Dispose();
            Interlocked.Increment(ref _counters.Disconnects);
            _services.Handler.OnDisconnected(_peer, PeerDirection.Incoming, problem);
        }
    }

    /// <summary>Reads until the connection ends.</summary>
    /// <exception cref="Exception">It ended, or the peer said something that is no packet.</exception>
    private async Task ReadAsync()
    {
        int next = PeerPacketFormat.HeaderSize;
        while (true)
        {
            ReceiveBlock block = HasRoom(next) ? _block! : await MoveAsync(next);
            int read = await _connection.ReadAsync(block.Bytes.AsMemory(_end, block.Size - _end));
            if (read == 0)
            {
                throw new EndOfStreamException("closed by the other side");
            }

            _end += read;
            while (TryFindPacket(block, out next))
            {
                Take(block, _start, next);
                _start += next;
            }
        }
    }

    /// <summary>Finds the packet that begins at <see cref="_start"/>.</summary>
    /// <param name="block">What was read.</param>
    /// <param name="size">Its bytes, header included; those of a header when not even that is there.</param>
    /// <returns>Whether it is there whole.</returns>
    private bool TryFindPacket(ReceiveBlock block, out int size)
    {
        size = PeerPacketFormat.HeaderSize;
        if (_end - _start < size)
        {
            return false;
        }

        int length = PeerPacketFormat.ReadLength(block.Bytes.AsSpan(_start));
        if ((uint)length > (uint)_maxLength)
        {
            throw new InvalidDataException($"it sent a packet of {(uint)length} bytes; {_maxLength} is the limit");
        }

        size += length;
        return _end - _start >= size;
    }

    private void Take(ReceiveBlock block, int offset, int size)
    {
        ReadOnlySpan<byte> packet = block.Bytes.AsSpan(offset, size);
        int count = PeerPacketFormat.IsIntact(packet) ? PeerPacketReader.Count(packet[PeerPacketFormat.HeaderSize..]) : -1;
        if (count < 0)
        {
            throw new InvalidDataException("it sent a packet that is damaged");
        }

        if (count > 0)
        {
            _counters.PacketsReceived++;
            _counters.MessagesReceived += count;
            _counters.BytesReceived += size;
            _services.Handler.OnPacket(
                _peer, new PeerPacket(block, offset + PeerPacketFormat.HeaderSize, size - PeerPacketFormat.HeaderSize));
        }
    }

    /// <summary>Whether the next packet, of so many bytes, fits into the block. A large block was made for one packet and is not used again.</summary>
    private bool HasRoom(int size)
    {
        if (_block is { Size: BlockSize, IsOnlyTheReaders: true } && _start == _end)
        {
            (_start, _end) = (0, 0);
        }

        return _block is { } block && block.Size - _start >= size && (block.Size == BlockSize || _start < _end);
    }

    /// <summary>Takes a new block for the next packet, of so many bytes, and moves there what was read of it.</summary>
    private async ValueTask<ReceiveBlock> MoveAsync(int size)
    {
        if (_start == _end)
        {
            // Who waits for room must not hold any.
            _block?.Release();
            _block = null;
            (_start, _end) = (0, 0);
        }

        await _window.WaitAsync();
        ReceiveBlock block = new(_window, Math.Max(BlockSize, size));
        if (_block is { } old)
        {
            old.Bytes.AsSpan(_start, _end - _start).CopyTo(block.Bytes);
            (_start, _end) = (0, _end - _start);
            old.Release();
        }

        return _block = block;
    }

    private async Task BeatAsync()
    {
        try
        {
            await _connection.WriteAsync(Heartbeat);
        }
        catch (Exception)
        {
            // The reader learns of it, too.
        }
    }
}
