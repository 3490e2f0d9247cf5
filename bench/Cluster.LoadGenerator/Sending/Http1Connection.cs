using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Cluster.LoadGenerator.Sending;

/// <summary>OTLP/HTTP with protobuf over one kept-alive HTTP/1.1 connection: one request at a time.</summary>
internal sealed class Http1Connection(IPEndPoint endPoint, Payloads payloads, Action<Attempt, ExportOutcome> completed)
    : Connection(endPoint, completed)
{
    private const int MaxResponse = 64 * 1024;

    private readonly byte[] _scratch = new byte[payloads.ScratchLength];
    private readonly byte[] _received = new byte[MaxResponse];
    private int _length;
    private Attempt _attempt;

    /// <inheritdoc/>
    public override int Capacity => 1;

    /// <inheritdoc/>
    public override void Send(in Attempt attempt)
    {
        _attempt = attempt;
        _length = 0;
        InFlight = 1;
        SendAll(payloads.Wire(attempt.Request, _scratch));
    }

    /// <inheritdoc/>
    public override void Receive()
    {
        if (_length == _received.Length)
        {
            throw new InvalidDataException("response longer than 64 KiB");
        }

        int read = Socket.Receive(_received.AsSpan(_length));
        if (read == 0)
        {
            throw new SocketException((int)SocketError.ConnectionReset);
        }

        _length += read;
        Span<byte> received = _received.AsSpan(0, _length);
        int headLength = received.IndexOf("\r\n\r\n"u8);
        if (headLength < 0)
        {
            return;
        }

        string head = Encoding.ASCII.GetString(received[..headLength]);
        int bodyLength = Field(head, "Content-Length") is { } length ? int.Parse(length, CultureInfo.InvariantCulture) : -1;
        Span<byte> body = received[(headLength + 4)..];
        bool chunked = bodyLength < 0 && Field(head, "Transfer-Encoding") is not null;
        if (chunked ? !body.EndsWith("0\r\n\r\n"u8) : body.Length < Math.Max(bodyLength, 0))
        {
            return;
        }

        IsUsable = !string.Equals(Field(head, "Connection"), "close", StringComparison.OrdinalIgnoreCase);
        int status = int.Parse(head.AsSpan(9, 3), CultureInfo.InvariantCulture);
        TimeSpan? retryAfter = double.TryParse(Field(head, "Retry-After"), CultureInfo.InvariantCulture, out double seconds)
            ? TimeSpan.FromSeconds(seconds)
            : null;
        long rejected = status == 200 && !chunked ? ResponseMessages.RejectedSpans(body) : 0;
        Complete(_attempt, ExportOutcome.OfHttpStatus(status, retryAfter, rejected));
    }

    /// <inheritdoc/>
    public override IEnumerable<Attempt> Abandoned() => InFlight > 0 ? [_attempt] : [];

    private static string? Field(string head, string name)
    {
        int start = head.IndexOf($"\r\n{name}:", StringComparison.OrdinalIgnoreCase);
        if (start < 0)
        {
            return null;
        }

        start += name.Length + 3;
        int end = head.IndexOf("\r\n", start, StringComparison.Ordinal);
        return head[start..(end < 0 ? head.Length : end)].Trim();
    }
}
