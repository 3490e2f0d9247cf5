using System.Buffers;
using System.Diagnostics;
using Cluster.Messages.Transport;

namespace Cluster.Sharding.Transport;

/// <summary>
/// Messages that wait for one peer's connection, in packets as they will be sent: whoever sends appends under a short lock, the connection's
/// write loop takes a packet at a time. While a packet is being written the next one fills up, so a busy connection batches by itself.
/// <code>
///   closed --Open--> open --Finish--> finishing (what waits is still taken)
///                      └──────Close───────┴──► closed (what waits is gone)
/// </code>
/// Invariants: packets are taken in the order of their messages; what waits or is being written stays within the bound, or is one message.
/// Thread-safe; one loop takes.
/// </summary>
internal sealed class PeerOutbox(int maxBufferedBytes)
{
    private static readonly byte[] Heartbeat = new byte[PeerPacketFormat.HeaderSize];

    private readonly Lock _lock = new();
    private readonly Queue<OutgoingPacket> _full = new();
    private OutgoingPacket _filling;
    private State _state;
    private int _maxMessageBytes;
    private long _buffered;
    private TaskCompletionSource? _takerWaits;
    private bool _heartbeatDue;
    private bool _spokeSinceNudge;

    private enum State
    {
        Closed,
        Open,
        Finishing,
    }

    /// <summary>Bytes of messages that wait or are being written.</summary>
    public long BufferedBytes => Volatile.Read(ref _buffered);

    /// <summary>Messages that were not queued since there was no room, or they were too large.</summary>
    public long Refused { get; private set; }

    /// <summary>Begins a run of <see cref="Append"/>; ended by <see cref="Leave"/> on the same thread, with nothing else in between.</summary>
    public void Enter() => _lock.Enter();

    /// <summary>Ends a run of <see cref="Append"/>.</summary>
    public void Leave()
    {
        TaskCompletionSource? taker = null;
        if (_takerWaits is not null && (_full.Count > 0 || _filling.Messages > 0 || _heartbeatDue || _state != State.Open))
        {
            (taker, _takerWaits) = (_takerWaits, null);
        }

        _lock.Exit();
        taker?.SetResult();
    }

    /// <summary>Copies a message to the end of what waits. Only between <see cref="Enter"/> and <see cref="Leave"/>.</summary>
    public PeerSend Append(PeerMessageKind kind, int shard, ulong id, ReadOnlySpan<byte> payload, ReadOnlySpan<byte> body)
    {
        Debug.Assert(_lock.IsHeldByCurrentThread, "between Enter and Leave");
        if (_state != State.Open)
        {
            return PeerSend.NotConnected;
        }

        long size = PeerPacketWriter.SizeOf(payload.Length, body.Length);
        if (size > _maxMessageBytes)
        {
            Refused++;
            return PeerSend.TooLarge;
        }

        // A peer has asked for answers itself: as many as it may ask for. Were they lost for want of room, it would wait for them in vain.
        bool isAnswer = kind is PeerMessageKind.Delivered or PeerMessageKind.Replicated or PeerMessageKind.Answer;
        long room = (isAnswer ? 2L * maxBufferedBytes : maxBufferedBytes) - _buffered;
        if (size > room && _buffered > 0)
        {
            Refused++;
            return PeerSend.Busy;
        }

        if (_filling.Bytes is null || _filling.Length + size > PeerPacketFormat.MaxGatheredSize)
        {
            Seal();
            _filling = new OutgoingPacket
            {
                Bytes = ArrayPool<byte>.Shared.Rent((int)Math.Max(PeerPacketFormat.MaxGatheredSize, PeerPacketFormat.HeaderSize + size)),
                Length = PeerPacketFormat.HeaderSize,
            };
        }

        _filling.Length = PeerPacketWriter.Write(_filling.Bytes, _filling.Length, kind, shard, id, payload, body);
        _filling.Messages++;
        _buffered += size;
        return PeerSend.Queued;
    }

    /// <summary>There is a connection to a peer that takes messages of up to <paramref name="maxMessageBytes"/>.</summary>
    public void Open(int maxMessageBytes)
    {
        lock (_lock)
        {
            _maxMessageBytes = Math.Min(maxMessageBytes, Array.MaxLength - PeerPacketFormat.HeaderSize);
            _state = State.Open;
        }
    }

    /// <summary>Nothing more is queued; the taker gets what waits, then the end.</summary>
    public void Finish()
    {
        Enter();
        if (_state == State.Open)
        {
            _state = State.Finishing;
        }

        Leave();
    }

    /// <summary>There is no connection any more: nothing is queued, what waits is gone, the taker gets nothing.</summary>
    public void Close()
    {
        Enter();
        _state = State.Closed;
        _heartbeatDue = false;
        Seal();
        while (_full.TryDequeue(out OutgoingPacket packet))
        {
            Return(packet);
        }

        Leave();
    }

    /// <summary>If nothing was taken since the last call and nothing waits, an empty packet is to be sent.</summary>
    public void Nudge()
    {
        Enter();
        _heartbeatDue |= _state == State.Open && !_spokeSinceNudge;
        _spokeSinceNudge = false;
        Leave();
    }

    /// <summary>Waits for the next packet. It goes back with <see cref="Return"/>.</summary>
    /// <returns>Null when there will be none: after <see cref="Close"/>, or after <see cref="Finish"/> when nothing waits any more.</returns>
    public async ValueTask<OutgoingPacket?> TakeAsync()
    {
        while (true)
        {
            Task ready;
            lock (_lock)
            {
                if (_full.Count == 0)
                {
                    Seal();
                }

                if (_full.TryDequeue(out OutgoingPacket packet))
                {
                    _spokeSinceNudge = true;
                    return packet;
                }

                if (_state != State.Open)
                {
                    return null;
                }

                if (_heartbeatDue)
                {
                    _heartbeatDue = false;
                    return new OutgoingPacket { Bytes = Heartbeat, Length = Heartbeat.Length };
                }

                _takerWaits = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                ready = _takerWaits.Task;
            }

            await ready;
        }
    }

    /// <summary>A packet was written, or never will be.</summary>
    public void Return(OutgoingPacket packet)
    {
        if (packet.Messages > 0)
        {
            ArrayPool<byte>.Shared.Return(packet.Bytes);
            lock (_lock)
            {
                _buffered -= packet.Length - PeerPacketFormat.HeaderSize;
            }
        }
    }

    private void Seal()
    {
        if (_filling.Messages > 0)
        {
            _full.Enqueue(_filling);
            _filling = default;
        }
    }
}

/// <summary>A packet on its way out: room for its header, then messages.</summary>
internal struct OutgoingPacket
{
    /// <summary>From the shared pool, unless there are no messages.</summary>
    public byte[] Bytes;

    /// <summary>Bytes written, the header's included.</summary>
    public int Length;

    /// <summary>Messages in it.</summary>
    public int Messages;
}
