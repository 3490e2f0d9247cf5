using System.Net;
using System.Net.Sockets;
using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;

namespace Cluster.Sharding.Transport;

/// <summary>
/// Where peers connect. Who is no member, or belongs elsewhere, is told so and sent away; who says nothing that makes sense is cut off after
/// a few bytes or seconds. What a stranger can cost is bounded: so many handshakes at once, so many bytes each.
/// </summary>
internal sealed class PeerServer : IAsyncDisposable
{
    private static readonly TimeSpan PauseAfterFailure = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan ReportInterval = TimeSpan.FromSeconds(1);

    private readonly PeerServices _services;
    private readonly Func<MemberId, Peer?> _find;
    private readonly Socket _listener;
    private readonly SemaphoreSlim _places;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _run;
    private readonly Lock _reportLock = new();
    private long? _lastReport;
    private long _refused;

    /// <summary>Listens.</summary>
    /// <param name="services">What all connections share.</param>
    /// <param name="find">Finds a member.</param>
    /// <exception cref="SocketException">The address cannot be listened on.</exception>
    public PeerServer(PeerServices services, Func<MemberId, Peer?> find)
    {
        _services = services;
        _find = find;
        _places = new SemaphoreSlim(services.Options.MaxPendingHandshakes);
        _listener = new Socket(services.Options.Listen.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            _listener.Bind(services.Options.Listen);
            _listener.Listen();
        }
        catch
        {
            _listener.Dispose();
            throw;
        }

        EndPoint = (IPEndPoint)_listener.LocalEndPoint!;
        _run = Task.Run(AcceptAsync);
    }

    /// <summary>Where it listens.</summary>
    public IPEndPoint EndPoint { get; }

    /// <summary>Connections that did not become a peer's.</summary>
    public long Refused => Interlocked.Read(ref _refused);

    /// <summary>Stops listening; handshakes under way are cut off. Connections of peers are not its concern any more.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _run;
        for (int i = 0; i < _services.Options.MaxPendingHandshakes; i++)
        {
            await _places.WaitAsync();
        }

        _places.Dispose();
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                Socket socket = await _listener.AcceptAsync(_stop.Token);
                if (_places.Wait(0))
                {
                    _ = GreetAsync(socket);
                }
                else
                {
                    socket.Dispose();
                    Refuse("strangers", $"more than {_services.Options.MaxPendingHandshakes} handshakes at once");
                }
            }
            catch (Exception) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // For want of file handles, for example: that may pass.
                Refuse("listener", e.Message);
                await Task.Delay(PauseAfterFailure, _services.Time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task GreetAsync(Socket socket)
    {
        string who = "somebody";
        PeerConnection? connection = null;
        using TimeLimit limit = _services.Limit(_services.Options.HandshakeTimeout, _stop.Token);
        try
        {
            who = socket.RemoteEndPoint?.ToString() ?? who;
            connection = await PeerConnection.AcceptAsync(socket, _services.Tls, _services.Time, limit.Token);
            PeerHandshake hello = await connection.ReadHandshakeAsync(limit.Token);
            PeerHandshake answer = Answer(hello);
            Peer? peer = null;
            if (answer.Problem.Length == 0)
            {
                peer = _find(hello.From);
                answer = peer is null ? answer with { Problem = $"{hello.From} is no member of the cluster that {answer.From} knows of" } : answer;
            }

            await connection.WriteAsync(answer.ToPacket(), limit.Token);
            if (peer is not null && peer.TryAdmit(connection))
            {
                connection = null;
                return;
            }

            await connection.EndAsync();
            Refuse(
                hello.From.IsNone ? who : $"{hello.From} at {who}", answer.Problem.Length > 0 ? answer.Problem : "it is no member any more");
        }
        catch (Exception e)
        {
            if (!_stop.IsCancellationRequested)
            {
                Refuse(who, limit.IsOver ? $"no handshake within {_services.Options.HandshakeTimeout.TotalSeconds:0.#} s" : e.Message);
            }
        }
        finally
        {
            connection?.Dispose();
            _places.Release();
        }
    }

    /// <summary>What is said to one who connects; whether it is a member is not looked at yet.</summary>
    private PeerHandshake Answer(PeerHandshake hello)
    {
        PeerLinkOptions options = _services.Options;
        MemberId to = hello.From.IsNone ? new MemberId("?", 0) : hello.From;
        PeerHandshake answer = new(
            PeerPacketFormat.Version, options.Cluster, options.Self, to, options.ShardCount, options.MaxMessageBytes, Problem: "");
        return answer with { Problem = answer.ProblemWith(hello) ?? "" };
    }

    /// <summary>Counts, and says so if nothing was said for a while: nobody can fill the log from outside.</summary>
    private void Refuse(string who, string problem)
    {
        Interlocked.Increment(ref _refused);
        lock (_reportLock)
        {
            if (_lastReport is { } last && _services.Time.GetElapsedTime(last) < ReportInterval)
            {
                return;
            }

            _lastReport = _services.Time.GetTimestamp();
        }

        _services.Handler.OnProblem(who, problem);
    }
}
