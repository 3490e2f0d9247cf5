namespace Cluster.Sharding.Store;

/// <summary>The body of an answer of etcd's, read as a whole or line by line, never more than a limit. Used by one thread at a time.</summary>
internal sealed class EtcdStream : IDisposable
{
    private const int SmallBuffer = 16 << 10;

    private readonly HttpResponseMessage _response;
    private readonly Stream _body;
    private byte[] _buffer = new byte[SmallBuffer];
    private int _start;
    private int _end;

    private EtcdStream(Uri endpoint, HttpResponseMessage response, Stream body)
    {
        Endpoint = endpoint;
        _response = response;
        _body = body;
    }

    /// <summary>Who answers.</summary>
    public Uri Endpoint { get; }

    /// <summary>The body of <paramref name="response"/>, which is the stream's from here on.</summary>
    public static async Task<EtcdStream> OpenAsync(Uri endpoint, HttpResponseMessage response, CancellationToken cancellationToken)
    {
        try
        {
            return new(endpoint, response, await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false));
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    /// <summary>The next line that is not empty. Good until the next call.</summary>
    /// <exception cref="EndOfStreamException">There is none.</exception>
    /// <exception cref="InvalidDataException">It is longer than <paramref name="limit"/> bytes.</exception>
    public async ValueTask<ReadOnlyMemory<byte>> ReadLineAsync(int limit, CancellationToken cancellationToken)
    {
        int searched = 0;
        while (true)
        {
            int length = _buffer.AsSpan(_start + searched, _end - _start - searched).IndexOf((byte)'\n');
            if (length >= 0)
            {
                ReadOnlyMemory<byte> line = _buffer.AsMemory(_start, searched + length);
                _start += line.Length + 1;
                searched = 0;
                if (!line.Span.Trim((byte)'\r').IsEmpty)
                {
                    return line;
                }

                continue;
            }

            searched = _end - _start;
            if (await FillAsync(limit, cancellationToken).ConfigureAwait(false) == 0)
            {
                throw new EndOfStreamException("the stream ended");
            }
        }
    }

    /// <summary>All that is left.</summary>
    /// <exception cref="InvalidDataException">It is longer than <paramref name="limit"/> bytes.</exception>
    public async ValueTask<ReadOnlyMemory<byte>> ReadToEndAsync(int limit, CancellationToken cancellationToken)
    {
        while (await FillAsync(limit, cancellationToken).ConfigureAwait(false) > 0)
        {
        }

        return _buffer.AsMemory(_start, _end - _start);
    }

    /// <inheritdoc/>
    public void Dispose() => _response.Dispose();

    private async ValueTask<int> FillAsync(int limit, CancellationToken cancellationToken)
    {
        int length = _end - _start;
        if (length > limit)
        {
            throw new InvalidDataException($"more than {limit} bytes");
        }

        // What is left moves to the front, into a buffer that is large enough for it and not much larger.
        int size = SmallBuffer;
        while (size <= length)
        {
            size *= 2;
        }

        if (_start > 0 || size > _buffer.Length)
        {
            byte[] buffer = size == _buffer.Length ? _buffer : new byte[size];
            _buffer.AsSpan(_start, length).CopyTo(buffer);
            _buffer = buffer;
            _start = 0;
            _end = length;
        }

        try
        {
            int read = await _body.ReadAsync(_buffer.AsMemory(_end), cancellationToken).ConfigureAwait(false);
            _end += read;
            return read;
        }
        catch (ObjectDisposedException exception)
        {
            // Cancelling closes the connection, and a read may find it closed before it finds itself cancelled.
            cancellationToken.ThrowIfCancellationRequested();
            throw new IOException("the connection is closed", exception);
        }
    }
}
