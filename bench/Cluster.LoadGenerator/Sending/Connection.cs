using System.Net;
using System.Net.Sockets;

namespace Cluster.LoadGenerator.Sending;

/// <summary>One attempt to send a request.</summary>
/// <param name="Request">The request.</param>
/// <param name="Tries">Attempts before this one.</param>
/// <param name="SentTimestamp">When sending began, <see cref="System.Diagnostics.Stopwatch"/> time.</param>
internal readonly record struct Attempt(ScheduledRequest Request, int Tries, long SentTimestamp);

/// <summary>
/// One connection to a receiver, used by one thread with blocking calls: they cost half of what the thread pool's sockets cost.
/// </summary>
/// <param name="endPoint">The receiver.</param>
/// <param name="completed">Called, on the thread that sends and receives, for every attempt that is over.</param>
internal abstract class Connection(IPEndPoint endPoint, Action<Attempt, ExportOutcome> completed) : IDisposable
{
    private static readonly TimeSpan s_silence = TimeSpan.FromSeconds(60);

    /// <summary>The socket.</summary>
    protected Socket Socket { get; } = Open(endPoint);

    /// <summary>Attempts that may be under way at once.</summary>
    public abstract int Capacity { get; }

    /// <summary>Attempts under way.</summary>
    public int InFlight { get; protected set; }

    /// <summary>False when the peer wants no more requests: to be closed when nothing is in flight.</summary>
    public bool IsUsable { get; protected set; } = true;

    /// <summary>Sends one attempt, waiting while the peer's windows or buffers are full.</summary>
    /// <exception cref="SocketException">The connection is lost.</exception>
    /// <exception cref="InvalidDataException">The peer broke the protocol.</exception>
    public abstract void Send(in Attempt attempt);

    /// <summary>Reads what is there, waiting for something if there is nothing.</summary>
    /// <exception cref="SocketException">The connection is lost, or the peer silent for a minute.</exception>
    /// <exception cref="InvalidDataException">The peer broke the protocol.</exception>
    public abstract void Receive();

    /// <summary>Attempts that will get no answer any more.</summary>
    public abstract IEnumerable<Attempt> Abandoned();

    /// <summary>Waits until there is something to read; at most the given time, rounded up to a millisecond.</summary>
    public bool Wait(TimeSpan atMost)
    {
        double milliseconds = Math.Clamp(Math.Ceiling(atMost.TotalMilliseconds), 0, s_silence.TotalMilliseconds);
        return Socket.Poll((int)milliseconds * 1000, SelectMode.SelectRead);
    }

    /// <inheritdoc/>
    public void Dispose() => Socket.Dispose();

    /// <summary>Reports the end of an attempt.</summary>
    protected void Complete(in Attempt attempt, in ExportOutcome outcome)
    {
        InFlight--;
        completed(attempt, outcome);
    }

    /// <summary>Sends all bytes.</summary>
    protected void SendAll(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[Socket.Send(bytes)..];
        }
    }

    private static Socket Open(IPEndPoint endPoint)
    {
        var socket = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp)
        {
            NoDelay = true,
            ReceiveTimeout = (int)s_silence.TotalMilliseconds,
            SendTimeout = (int)s_silence.TotalMilliseconds,
        };
        socket.Connect(endPoint);
        return socket;
    }
}
