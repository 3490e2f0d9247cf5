using System.Globalization;
using System.Net.Security;
using System.Net.Sockets;
using Cluster.Messages.Transport;

namespace Cluster.Sharding.Transport;

/// <summary>
/// One connection, dialled or accepted, with or without TLS. One reads and one writes at a time; <see cref="Abort"/> ends both from any thread.
/// </summary>
internal sealed class PeerConnection : IDisposable
{
    private const long NotReading = long.MinValue;

    private readonly Socket _socket;
    private readonly TimeProvider _time;
    private Stream _stream;
    private string? _abortReason;
    private long _readingSince = NotReading;

    private PeerConnection(Socket socket, TimeProvider time)
    {
        _socket = socket;
        _time = time;
        _socket.NoDelay = true;
        _socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        _stream = new NetworkStream(socket, ownsSocket: true);
    }

    /// <summary>Connects to <paramref name="address"/>.</summary>
    /// <exception cref="FormatException">The address is none.</exception>
    /// <exception cref="Exception">It did not succeed.</exception>
    public static async Task<PeerConnection> DialAsync(string address, PeerTls? tls, TimeProvider time, CancellationToken cancellationToken)
    {
        (string host, int port) = ParseAddress(address);
        Socket socket = new(SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(host, port, cancellationToken);
            PeerConnection connection = new(socket, time);
            if (tls is not null)
            {
                connection._stream = await tls.AsClientAsync(connection._stream, cancellationToken);
            }

            return connection;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Takes over a socket that a listener accepted, also when this throws.</summary>
    /// <exception cref="Exception">It did not succeed.</exception>
    public static async Task<PeerConnection> AcceptAsync(Socket socket, PeerTls? tls, TimeProvider time, CancellationToken cancellationToken)
    {
        try
        {
            PeerConnection connection = new(socket, time);
            if (tls is not null)
            {
                connection._stream = await tls.AsServerAsync(connection._stream, cancellationToken);
            }

            return connection;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Splits <c>host:port</c>, <c>1.2.3.4:port</c>, <c>[v6]:port</c>.</summary>
    /// <exception cref="FormatException">It is none of these.</exception>
    public static (string Host, int Port) ParseAddress(string address)
    {
        int colon = address.LastIndexOf(':');
        if (colon > 0
            && int.TryParse(address.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int port) && port is > 0 and < 65536)
        {
            return (address[..colon].TrimStart('[').TrimEnd(']'), port);
        }

        throw new FormatException($"\"{address}\" is no address: host:port is");
    }

    /// <summary>Reads up to so many bytes; 0 when the other side will send no more.</summary>
    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Volatile.Write(ref _readingSince, _time.GetTimestamp());
        int read = await _stream.ReadAsync(buffer, cancellationToken);
        Volatile.Write(ref _readingSince, NotReading);
        return read;
    }

    /// <summary>Fills the buffer.</summary>
    /// <exception cref="EndOfStreamException">The other side sent less.</exception>
    public async ValueTask ReadExactlyAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (!buffer.IsEmpty)
        {
            int read = await ReadAsync(buffer, cancellationToken);
            if (read == 0)
            {
                throw new EndOfStreamException("closed by the other side");
            }

            buffer = buffer[read..];
        }
    }

    /// <summary>Writes all bytes.</summary>
    public ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken = default) =>
        _stream.WriteAsync(bytes, cancellationToken);

    /// <summary>Reads the first packet. Of one who is no node, no more is read than the header of a packet.</summary>
    /// <exception cref="InvalidDataException">It is no handshake.</exception>
    public async Task<PeerHandshake> ReadHandshakeAsync(CancellationToken cancellationToken)
    {
        byte[] packet = new byte[PeerHandshake.MaxPacketSize];
        await ReadExactlyAsync(packet.AsMemory(0, PeerPacketFormat.HeaderSize), cancellationToken);
        int length = PeerPacketFormat.ReadLength(packet);
        if (length is > 0 and <= PeerHandshake.MaxPacketSize - PeerPacketFormat.HeaderSize)
        {
            await ReadExactlyAsync(packet.AsMemory(PeerPacketFormat.HeaderSize, length), cancellationToken);
            Memory<byte> whole = packet.AsMemory(0, PeerPacketFormat.HeaderSize + length);
            if (PeerPacketFormat.IsIntact(whole.Span)
                && PeerHandshake.TryRead(whole.Span[PeerPacketFormat.HeaderSize..], out PeerHandshake? handshake))
            {
                return handshake;
            }
        }

        throw new InvalidDataException("what speaks there is no node of a cluster (or one with other TLS settings)");
    }

    /// <summary>Says that nothing more will be written.</summary>
    public async Task EndAsync()
    {
        if (_stream is SslStream secured)
        {
            await secured.ShutdownAsync();
        }

        _socket.Shutdown(SocketShutdown.Send);
    }

    /// <summary>Aborts when the one who reads has been waiting for longer than <paramref name="limit"/>.</summary>
    public void AbortIfSilent(TimeSpan limit)
    {
        long since = Volatile.Read(ref _readingSince);
        if (since != NotReading && _time.GetElapsedTime(since) >= limit)
        {
            Abort($"nothing was heard for {limit.TotalSeconds:0.#} s");
        }
    }

    /// <summary>Ends reading and writing. The first reason counts.</summary>
    public void Abort(string reason)
    {
        Interlocked.CompareExchange(ref _abortReason, reason, null);
        _socket.Dispose();
    }

    /// <summary>Why an operation on this connection failed.</summary>
    public string Explain(Exception exception) => Volatile.Read(ref _abortReason) ?? exception.Message;

    /// <inheritdoc/>
    public void Dispose() => _stream.Dispose();
}
