using System.Net;
using System.Text;
using System.Threading.Channels;

namespace Cluster.Sharding.Tests.Store;

/// <summary>In place of connections to etcd: answers as a test says, and remembers what was asked.</summary>
internal sealed class ScriptedEtcd(Func<ScriptedEtcd.Asked, HttpResponseMessage> answer) : HttpMessageHandler
{
    /// <summary>All requests, in order.</summary>
    public List<Asked> Requests { get; } = [];

    public static HttpResponseMessage Json(string json, HttpStatusCode status = HttpStatusCode.OK) =>
        new(status) { Content = new StringContent(json, Encoding.UTF8, "application/json") };

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        string? token = request.Headers.TryGetValues("Authorization", out IEnumerable<string>? values) ? values.Single() : null;
        Asked asked = new(
            request.RequestUri!.Host, request.RequestUri.AbsolutePath, await request.Content!.ReadAsStringAsync(cancellationToken), token);
        lock (Requests)
        {
            Requests.Add(asked);
        }

        return answer(asked);
    }

    internal sealed record Asked(string Host, string Path, string Body, string? Token);

    /// <summary>A body to which a test adds lines, one after the other. It never ends by itself.</summary>
    internal sealed class Lines : Stream
    {
        private readonly Channel<byte[]> _written = Channel.CreateUnbounded<byte[]>();
        private ReadOnlyMemory<byte> _left;

        /// <summary>A read that is cancelled says that the connection is closed, as real ones do at times.</summary>
        public bool ClosedWhenCancelled { get; init; }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public HttpResponseMessage ToResponse() => new(HttpStatusCode.OK) { Content = new StreamContent(this) };

        public Lines Add(string line)
        {
            _written.Writer.TryWrite(Encoding.UTF8.GetBytes(line + "\n"));
            return this;
        }

        /// <summary>The connection breaks here.</summary>
        public Lines Break()
        {
            _written.Writer.TryComplete(new IOException("connection reset"));
            return this;
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_left.IsEmpty)
            {
                try
                {
                    _left = await _written.Reader.ReadAsync(cancellationToken);
                }
                catch (OperationCanceledException) when (ClosedWhenCancelled)
                {
                    throw new ObjectDisposedException(nameof(Lines));
                }
                catch (ChannelClosedException closed)
                {
                    throw closed.InnerException!;
                }
            }

            int length = Math.Min(buffer.Length, _left.Length);
            _left[..length].CopyTo(buffer);
            _left = _left[length..];
            return length;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
