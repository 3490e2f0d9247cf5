using Microsoft.AspNetCore.Connections;

namespace Cluster.Gateway.Receivers.Hosting;

/// <summary>
/// How many connections some doors may have together. Kestrel's own limit is for the whole server: clients that use it up would lock
/// out who looks after the node, too. Thread-safe.
/// </summary>
/// <param name="limit">Most connections at once.</param>
internal sealed class ConnectionLimit(int limit)
{
    private int _open;
    private long _refused;

    /// <summary>Connections open now.</summary>
    public int Open => Volatile.Read(ref _open);

    /// <summary>Connections closed at once so far, because there were too many.</summary>
    public long Refused => Interlocked.Read(ref _refused);

    /// <summary>Connection middleware: closes a connection that is one too many.</summary>
    public ConnectionDelegate Apply(ConnectionDelegate next) => async connection =>
    {
        try
        {
            if (Interlocked.Increment(ref _open) <= limit)
            {
                await next(connection);
            }
            else
            {
                Interlocked.Increment(ref _refused);
                connection.Abort(new ConnectionAbortedException($"more than {limit} connections"));
            }
        }
        finally
        {
            Interlocked.Decrement(ref _open);
        }
    };
}
