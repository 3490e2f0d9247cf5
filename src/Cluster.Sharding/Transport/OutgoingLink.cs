using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;

namespace Cluster.Sharding.Transport;

/// <summary>
/// The connection that this node dials to one peer: made, kept, and made anew until it is stopped.
/// <code>
///   connecting --handshake--> connected --lost--> back-off --> connecting
/// </code>
/// Invariants: messages are queued while connected only; the handler hears of a loss before the next connection is tried.
/// </summary>
internal sealed class OutgoingLink : IAsyncDisposable
{
    private static readonly TimeSpan FirstBackOff = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestBackOff = TimeSpan.FromSeconds(2);

    /// <summary>How long what waits may still be sent when the link is stopped.</summary>
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(1);

    private readonly PeerServices _services;
    private readonly MemberId _peer;
    private readonly PeerCounters _counters;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _run;
    private string _address;
    private string? _problem;
    private PeerConnection? _connection;

    /// <summary>Begins to connect, once <paramref name="predecessor"/> is over.</summary>
    public OutgoingLink(PeerServices services, MemberId peer, string address, PeerCounters counters, Task predecessor)
    {
        _services = services;
        _peer = peer;
        _address = address;
        _counters = counters;
        Outbox = new PeerOutbox(services.Options.MaxBufferedBytes);
        _run = Task.Run(() => RunAsync(predecessor));
    }

    /// <summary>What waits to be sent.</summary>
    public PeerOutbox Outbox { get; }

    /// <summary>Where the peer is dialled the next time.</summary>
    public string Address
    {
        get => Volatile.Read(ref _address);
        set => Volatile.Write(ref _address, value);
    }

    /// <summary>Whether there is a connection.</summary>
    public bool IsConnected => Volatile.Read(ref _connection) is not null;

    /// <summary>Why there is no connection; null when there is, or none was tried yet.</summary>
    public string? Problem => IsConnected ? null : Volatile.Read(ref _problem);

    /// <summary>The time until the next attempt after so many failed ones, from 1 on.</summary>
    /// <param name="failures">Attempts that failed in a row.</param>
    /// <param name="sample">A random number, 0 to 1: nodes that lost the same peer do not come back at once.</param>
    public static TimeSpan BackOff(int failures, double sample)
    {
        double milliseconds = FirstBackOff.TotalMilliseconds * Math.Pow(2, Math.Min(failures, 16) - 1);
        return TimeSpan.FromMilliseconds(Math.Min(milliseconds, LongestBackOff.TotalMilliseconds) * (0.5 + sample));
    }

    /// <summary>A heartbeat is due, and perhaps the peer's is overdue.</summary>
    public void Tick(bool looksForSilence)
    {
        Outbox.Nudge();
        if (looksForSilence)
        {
            Volatile.Read(ref _connection)?.AbortIfSilent(_services.Options.SilenceLimit);
        }
    }

    /// <summary>Sends what waits, if that takes no longer than a moment, and disconnects.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        Outbox.Finish();
        if (await Task.WhenAny(_run, Task.Delay(StopPatience, _services.Time)) != _run)
        {
            Volatile.Read(ref _connection)?.Abort("this node has ended the connection");
        }

        await _run;
        _stop.Dispose();
    }

    private async Task RunAsync(Task predecessor)
    {
        await predecessor;
        int failures = 0;
        string? reported = null;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                (PeerConnection connection, int maxMessageBytes) = await ConnectAsync();
                (failures, reported) = (0, null);
                using (connection)
                {
                    Volatile.Write(ref _problem, await ServeAsync(connection, maxMessageBytes));
                }
            }
            catch (Exception e)
            {
                Volatile.Write(ref _problem, e.Message);
                if (!_stop.IsCancellationRequested)
                {
                    _counters.FailedConnects++;
                    if (e.Message != reported)
                    {
                        _services.Handler.OnProblem($"{_peer} at {Address}", e.Message);
                    }

                    reported = e.Message;
                }
            }

            failures++;
            await Task.Delay(BackOff(failures, _services.Sample()), _services.Time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Dials and shakes hands.</summary>
    /// <exception cref="Exception">There is no connection; the message is for people.</exception>
    private async Task<(PeerConnection Connection, int MaxMessageBytes)> ConnectAsync()
    {
        PeerLinkOptions options = _services.Options;
        using TimeLimit limit = _services.Limit(options.ConnectTimeout, _stop.Token);
        PeerConnection? connection = null;
        try
        {
            connection = await PeerConnection.DialAsync(Address, _services.Tls, _services.Time, limit.Token);
            PeerHandshake hello = new(
                PeerPacketFormat.Version, options.Cluster, options.Self, _peer, options.ShardCount, options.MaxMessageBytes, Problem: "");
            await connection.WriteAsync(hello.ToPacket(), limit.Token);
            PeerHandshake answer = await connection.ReadHandshakeAsync(limit.Token);
            if (answer.Problem.Length > 0)
            {
                throw new InvalidDataException($"it refuses this node: {answer.Problem}");
            }

            string? problem = hello.ProblemWith(answer) ?? (answer.From == _peer ? null : $"{answer.From} answers there");
            if (problem is not null)
            {
                throw new InvalidDataException($"this node refuses it: {problem}");
            }

            return (connection, answer.MaxMessageBytes);
        }
        catch (Exception e)
        {
            connection?.Dispose();
            throw limit.IsOver ? new TimeoutException($"no answer within {options.ConnectTimeout.TotalSeconds:0.#} s", e) : e;
        }
    }

    /// <summary>Sends until the connection is lost, or the link is stopped.</summary>
    /// <returns>Why it ended.</returns>
    private async Task<string> ServeAsync(PeerConnection connection, int maxMessageBytes)
    {
        string problem = "";
        Volatile.Write(ref _connection, connection);
        Outbox.Open(maxMessageBytes);
        try
        {
            if (_stop.IsCancellationRequested)
            {
                Outbox.Finish();
            }

            Interlocked.Increment(ref _counters.Connects);
            _services.Handler.OnConnected(_peer, PeerDirection.Outgoing);
            problem = await PumpAsync(connection);
        }
        finally
        {
            Volatile.Write(ref _connection, null);
            Outbox.Close();
            Interlocked.Increment(ref _counters.Disconnects);
            _services.Handler.OnDisconnected(_peer, PeerDirection.Outgoing, problem);
        }

        return problem;
    }

    private async Task<string> PumpAsync(PeerConnection connection)
    {
        Task<string?> reading = ReadHeartbeatsAsync(connection);
        Task<string?> writing = WriteAsync(connection);
        string? problem = await await Task.WhenAny(reading, writing);
        if (problem is null)
        {
            // Everything was sent. The peer closes its side when it has read that.
            await reading;
            return "this node has ended the connection";
        }

        connection.Abort(problem);
        Outbox.Close();
        await writing;
        await reading;
        return problem;
    }

    /// <summary>Writes packets.</summary>
    /// <returns>Why it ended; null when everything was sent that ever will be.</returns>
    private async Task<string?> WriteAsync(PeerConnection connection)
    {
        try
        {
            while (await Outbox.TakeAsync() is { } packet)
            {
                try
                {
                    if (packet.Messages > 0)
                    {
                        PeerPacketFormat.WriteHeader(packet.Bytes.AsSpan(0, packet.Length));
                    }

                    await connection.WriteAsync(packet.Bytes.AsMemory(0, packet.Length));
                }
                finally
                {
                    Outbox.Return(packet);
                }

                if (packet.Messages > 0)
                {
                    _counters.PacketsSent++;
                    _counters.MessagesSent += packet.Messages;
                    _counters.BytesSent += packet.Length;
                }
            }

            await connection.EndAsync();
            return null;
        }
        catch (Exception e)
        {
            return connection.Explain(e);
        }
    }

    /// <summary>Nothing but empty packets comes back on a connection that this node dialled.</summary>
    /// <returns>Why it ended.</returns>
    private static async Task<string?> ReadHeartbeatsAsync(PeerConnection connection)
    {
        byte[] packet = new byte[PeerPacketFormat.HeaderSize];
        try
        {
            while (true)
            {
                await connection.ReadExactlyAsync(packet);
                if (packet.AsSpan().ContainsAnyExcept((byte)0))
                {
                    return "it sent what is no heartbeat";
                }
            }
        }
        catch (Exception e)
        {
            return connection.Explain(e);
        }
    }
}
