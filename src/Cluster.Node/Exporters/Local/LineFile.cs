namespace Cluster.Node.Exporters.Local;

/// <summary>
/// A file of lines that ends with a whole line: what is appended is either all there or not at all. Bytes are the operating system's after
/// <see cref="Append"/>, and on disk after <see cref="Dispose"/>. What is under <c>/dev/</c> works too, but nothing is cut off there.
/// Not thread-safe.
/// </summary>
internal sealed class LineFile : IDisposable
{
    private const int ScanSize = 64 << 10;

    /// <summary>EAGAIN.</summary>
    private const int LockedByAnother = 11;

    private readonly Stream _stream;
    private readonly bool _device;
    private bool _unfinished;

    /// <summary>Takes over a stream that ends with a whole line.</summary>
    internal LineFile(Stream stream, bool device)
    {
        _stream = stream;
        _device = device;
        Length = device ? 0 : stream.Length;
    }

    /// <summary>Bytes of whole lines; always 0 for what is under <c>/dev/</c>.</summary>
    public long Length { get; private set; }

    /// <summary>Opens or makes a file.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="keep">Whether to keep what is in it, but for an unfinished last line.</param>
    /// <param name="cut">Bytes of that.</param>
    /// <exception cref="IOException">It cannot be opened, or does not hold lines of JSON.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be opened.</exception>
    public static LineFile Open(string path, bool keep, out long cut)
    {
        cut = 0;
        bool device = path.StartsWith("/dev/", StringComparison.Ordinal);
        FileStream stream = new(
            path,
            FileMode.OpenOrCreate,
            device ? FileAccess.Write : FileAccess.ReadWrite,
            FileShare.ReadWrite | FileShare.Delete,
            bufferSize: 0);
        try
        {
            if (!device)
            {
                Claim(stream, path);
                if (!keep)
                {
                    stream.SetLength(0);
                }
            }

            long whole = device ? 0 : WholeLines(stream);
            cut = device ? 0 : stream.Length - whole;
            if (cut > 0)
            {
                stream.SetLength(whole);
            }

            return new LineFile(stream, device);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>
    /// One process writes a file: a node that is started twice by mistake must not empty what the first one has written. The lock is
    /// one byte that no file reaches, so readers and tools that move the file are not disturbed.
    /// </summary>
    private static void Claim(FileStream stream, string path)
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        try
        {
            stream.Lock(long.MaxValue - 1, 1);
        }
        catch (IOException exception) when (exception.HResult == LockedByAnother)
        {
            throw new IOException($"{path} is being written by another process", exception);
        }
        catch (IOException)
        {
            // A file system without locks: as it was before.
        }
    }

    /// <summary>Appends one line with its newline.</summary>
    /// <exception cref="IOException">It could not be written; the file ends with the line before.</exception>
    public void Append(ReadOnlySpan<byte> line)
    {
        if (_device)
        {
            if (_stream.CanSeek)
            {
                _stream.Seek(0, SeekOrigin.End);
            }

            _stream.Write(line);
            return;
        }

        if (_unfinished)
        {
            _stream.SetLength(Math.Min(_stream.Length, Length));
            _unfinished = false;
        }

        // Somebody else may have emptied it; going on at the old place would leave a hole.
        Length = _stream.Length;
        try
        {
            _stream.Position = Length;
            _stream.Write(line);
            Length += line.Length;
        }
        catch
        {
            _unfinished = true;
            Cut();
            throw;
        }
    }

    /// <summary>Puts it on disk and closes it.</summary>
    public void Dispose()
    {
        Cut();
        try
        {
            (_stream as FileStream)?.Flush(flushToDisk: !_device);
        }
        catch (IOException)
        {
            // The bytes are the operating system's; that it could not put them on disk now is reported to nobody who could do more.
        }

        _stream.Dispose();
    }

    private void Cut()
    {
        if (!_unfinished)
        {
            return;
        }

        try
        {
            _stream.SetLength(Length);
            _unfinished = false;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Tried again before the next line.
        }
    }

    /// <summary>Where the last whole line ends.</summary>
    private static long WholeLines(FileStream stream)
    {
        byte[] block = new byte[ScanSize];
        long lineStart = 0;
        for (long end = stream.Length; end > 0 && lineStart == 0; end = Math.Max(end - ScanSize, 0))
        {
            long start = Math.Max(end - ScanSize, 0);
            Span<byte> bytes = block.AsSpan(0, (int)(end - start));
            stream.Position = start;
            stream.ReadExactly(bytes);
            int newline = bytes.LastIndexOf((byte)'\n');
            lineStart = newline < 0 ? 0 : start + newline + 1;
        }

        if (lineStart < stream.Length)
        {
            // Only what this exporter can have left is cut; anything else is somebody's.
            stream.Position = lineStart;
            if (stream.ReadByte() != '{')
            {
                throw new IOException($"{stream.Name} does not end with a line of JSON; it is not changed");
            }
        }

        return lineStart;
    }
}
