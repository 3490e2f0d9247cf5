using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Cluster.LoadGenerator.Sending;

/// <summary>
/// OTLP/gRPC over one HTTP/2 cleartext connection (<see href="https://www.rfc-editor.org/rfc/rfc9113"/>), just as much of it as a client
/// of unary calls needs. Frames are made ahead of time (<see cref="GrpcFormat"/>), so a request is one system call while the peer's
/// windows allow.
/// </summary>
internal sealed class GrpcConnection : Connection
{
    private const int DefaultWindow = 65535;
    private const int ReceiveCreditStep = DefaultWindow / 4;

    private readonly GrpcFormat _format;
    private readonly Payloads _payloads;
    private readonly byte[] _scratch;
    private readonly byte[] _received = new byte[64 * 1024];
    private readonly GrpcCall[] _calls;
    private int _start;
    private int _end;
    private long _sendWindow = DefaultWindow;
    private int _initialWindow = DefaultWindow;
    private int _receiveCredit;
    private int _lastStream = -1;
    private bool _headersKnown;
    private bool _settled;

    /// <summary>Connects and exchanges settings.</summary>
    public GrpcConnection(
        IPEndPoint endPoint, GrpcFormat format, Payloads payloads, int capacity, Action<Attempt, ExportOutcome> completed)
        : base(endPoint, completed)
    {
        _format = format;
        _payloads = payloads;
        _scratch = new byte[payloads.ScratchLength];
        _calls = new GrpcCall[capacity];

        // SETTINGS: HEADER_TABLE_SIZE 0 (no dynamic table to keep for what comes back), ENABLE_PUSH 0.
        SendAll(
        [
            .. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8,
            0, 0, 12, GrpcFormat.Settings, 0, 0, 0, 0, 0,
            0, 1, 0, 0, 0, 0,
            0, 2, 0, 0, 0, 0,
        ]);
        while (!_settled)
        {
            Receive();
        }
    }

    /// <inheritdoc/>
    public override int Capacity => _calls.Length;

    /// <inheritdoc/>
    public override void Send(in Attempt attempt)
    {
        int slot = Array.FindIndex(_calls, call => !call.IsOpen);
        _lastStream += 2;
        _calls[slot] = new GrpcCall(_lastStream, attempt, _initialWindow);
        InFlight++;
        ArraySegment<byte> wire = _payloads.Wire(attempt.Request, _scratch);
        int skip = 0;
        if (!_headersKnown)
        {
            byte[] headers = _format.FirstHeaders();
            BinaryPrimitives.WriteInt32BigEndian(headers.AsSpan(5), _lastStream);
            SendAll(headers);
            _headersKnown = true;
            skip = _format.HeadersLength;
        }

        SendFrames(wire.AsSpan(skip), slot, _lastStream);
    }

    /// <summary>Sends as many frames at once as the windows allow, reading while they are closed.</summary>
    private void SendFrames(Span<byte> frames, int slot, int stream)
    {
        int sent = 0;
        int position = 0;
        while (position < frames.Length)
        {
            uint lengthAndType = BinaryPrimitives.ReadUInt32BigEndian(frames[position..]);
            int length = (int)(lengthAndType >> 8);
            int cost = (byte)lengthAndType == GrpcFormat.Data ? length : 0;
            if (cost > Math.Min(_sendWindow, _calls[slot].SendWindow))
            {
                SendAll(frames[sent..position]);
                sent = position;
                Receive();
                if (_calls[slot].Stream != stream)
                {
                    // Answered before all of it was sent: nobody wants the rest.
                    SendControl(GrpcFormat.ResetStream, stream, 8);
                    return;
                }

                continue;
            }

            _sendWindow -= cost;
            _calls[slot].SendWindow -= cost;
            BinaryPrimitives.WriteInt32BigEndian(frames[(position + 5)..], stream);
            position += GrpcFormat.FrameHead + length;
        }

        SendAll(frames[sent..]);
    }

    /// <inheritdoc/>
    public override void Receive()
    {
        if (_start > 0)
        {
            _received.AsSpan(_start.._end).CopyTo(_received);
            _end -= _start;
            _start = 0;
        }

        int read = Socket.Receive(_received.AsSpan(_end));
        if (read == 0)
        {
            throw new SocketException((int)SocketError.ConnectionReset);
        }

        _end += read;
        while (_end - _start >= GrpcFormat.FrameHead)
        {
            ReadOnlySpan<byte> head = _received.AsSpan(_start, GrpcFormat.FrameHead);
            int length = (int)(BinaryPrimitives.ReadUInt32BigEndian(head) >> 8);
            if (length > 16384)
            {
                throw new InvalidDataException($"frame of {length} bytes, 16384 allowed");
            }

            if (_end - _start < GrpcFormat.FrameHead + length)
            {
                break;
            }

            int stream = BinaryPrimitives.ReadInt32BigEndian(head[5..]) & int.MaxValue;
            TakeFrame(head[3], head[4], stream, _received.AsSpan(_start + GrpcFormat.FrameHead, length));
            _start += GrpcFormat.FrameHead + length;
        }
    }

    /// <inheritdoc/>
    public override IEnumerable<Attempt> Abandoned() => _calls.Where(call => call.IsOpen).Select(call => call.Attempt);

    private void TakeFrame(byte type, byte flags, int stream, ReadOnlySpan<byte> payload)
    {
        switch (type)
        {
            case GrpcFormat.Data:
                ReturnCredit(payload.Length);
                if (TryFind(stream, out int dataSlot))
                {
                    _calls[dataSlot].TakeData(Unpad(flags, payload));
                    CompleteAtEnd(dataSlot, flags);
                }

                break;
            case GrpcFormat.Headers:
                if ((flags & GrpcFormat.EndHeaders) == 0)
                {
                    throw new InvalidDataException("headers of more than one frame");
                }

                if (TryFind(stream, out int slot))
                {
                    payload = Unpad(flags, payload);
                    HpackReader.Read((flags & GrpcFormat.Priority) != 0 ? payload[5..] : payload, ref _calls[slot].Head);
                    CompleteAtEnd(slot, flags);
                }

                break;
            case GrpcFormat.ResetStream:
                if (TryFind(stream, out int resetSlot))
                {
                    Finish(resetSlot, _calls[resetSlot].OutcomeOfReset(BinaryPrimitives.ReadUInt32BigEndian(payload)));
                }

                break;
            case GrpcFormat.Settings when (flags & GrpcFormat.Ack) == 0:
                TakeSettings(payload);
                break;
            case GrpcFormat.Ping when (flags & GrpcFormat.Ack) == 0:
                SendAll([0, 0, 8, GrpcFormat.Ping, GrpcFormat.Ack, 0, 0, 0, 0, .. payload]);
                break;
            case GrpcFormat.GoAway:
                IsUsable = false;
                break;
            case GrpcFormat.WindowUpdate:
                AddWindow(stream, BinaryPrimitives.ReadInt32BigEndian(payload) & int.MaxValue);
                break;
            case GrpcFormat.PushPromise:
                throw new InvalidDataException("push was switched off");
        }
    }

    private void TakeSettings(ReadOnlySpan<byte> payload)
    {
        for (; payload.Length >= 6; payload = payload[6..])
        {
            int id = BinaryPrimitives.ReadInt16BigEndian(payload);
            long value = BinaryPrimitives.ReadUInt32BigEndian(payload[2..]);
            if (id == 1 && value < 1024)
            {
                throw new InvalidDataException($"the receiver's header table of {value} bytes is too small for this client");
            }

            if (id == 4)
            {
                for (int i = 0; i < _calls.Length; i++)
                {
                    _calls[i].SendWindow += value - _initialWindow;
                }

                _initialWindow = (int)value;
            }
        }

        _settled = true;
        SendAll([0, 0, 0, GrpcFormat.Settings, GrpcFormat.Ack, 0, 0, 0, 0]);
    }

    private void AddWindow(int stream, int increment)
    {
        if (stream == 0)
        {
            _sendWindow += increment;
        }
        else if (TryFind(stream, out int slot))
        {
            _calls[slot].SendWindow += increment;
        }
    }

    private void CompleteAtEnd(int slot, byte flags)
    {
        if ((flags & GrpcFormat.EndStream) != 0)
        {
            Finish(slot, _calls[slot].OutcomeAtEnd());
        }
    }

    private void Finish(int slot, ExportOutcome outcome)
    {
        Attempt attempt = _calls[slot].Attempt;
        _calls[slot] = default;
        Complete(attempt, outcome);
    }

    private bool TryFind(int stream, out int slot)
    {
        slot = Array.FindIndex(_calls, call => call.IsOpen && call.Stream == stream);
        return slot >= 0;
    }

    private void ReturnCredit(int bytes)
    {
        _receiveCredit += bytes;
        if (_receiveCredit >= ReceiveCreditStep)
        {
            SendControl(GrpcFormat.WindowUpdate, 0, _receiveCredit);
            _receiveCredit = 0;
        }
    }

    private void SendControl(byte type, int stream, int value)
    {
        Span<byte> frame = stackalloc byte[GrpcFormat.FrameHead + 4];
        GrpcFormat.WriteFrameHead(frame, 4, type, 0);
        BinaryPrimitives.WriteInt32BigEndian(frame[5..], stream);
        BinaryPrimitives.WriteInt32BigEndian(frame[GrpcFormat.FrameHead..], value);
        SendAll(frame);
    }

    private static ReadOnlySpan<byte> Unpad(byte flags, ReadOnlySpan<byte> payload) =>
        (flags & GrpcFormat.Padded) == 0 ? payload : payload[1..^payload[0]];
}
