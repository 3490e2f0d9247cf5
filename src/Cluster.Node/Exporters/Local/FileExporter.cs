using System.Globalization;
using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;
using Cluster.Node.Exporters.Sending;

namespace Cluster.Node.Exporters.Local;

/// <summary>
/// OTLP/JSON lines in a file, one request a line, as the Collector's file exporter writes and its receiver reads. A line that could
/// not be written whole is cut off again and repeated; one that an earlier process left unfinished is cut off at start. Used by one
/// sender at a time.
/// </summary>
internal sealed class FileExporter : IExportClient
{
    private const int KeptLineBuffer = 8 << 20;
    private const string BackupTime = "yyyy-MM-dd'T'HH-mm-ss.fff";

    private readonly FileExporterOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly string _path;
    private readonly List<int> _lineEnds = [];
    private PooledBuffer _lines = new(1 << 20);
    private ExportBatch? _current;
    private int _linesDone;
    private LineFile? _file;
    private DateTimeOffset _lastBackup;

    /// <summary>Opens the file, and makes its directory if there is none.</summary>
    /// <exception cref="IOException">It cannot be opened.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be opened.</exception>
    public FileExporter(FileExporterOptions options, TimeProvider time, ILogger logger)
    {
        _options = options;
        _time = time;
        _logger = logger;
        _path = Path.GetFullPath(options.Path);
        Directory.CreateDirectory(Path.GetDirectoryName(_path)!);
        _file = Open(keep: options.Append || options.RotateBytes > 0);
    }

    /// <inheritdoc/>
    public ValueTask<ExportOutcome> SendAsync(ExportBatch batch, CancellationToken cancellation)
    {
        Encode(batch);
        long before = 0;
        try
        {
            while (_linesDone < _lineEnds.Count)
            {
                cancellation.ThrowIfCancellationRequested();
                int start = _linesDone == 0 ? 0 : _lineEnds[_linesDone - 1];
                ReadOnlySpan<byte> line = _lines.WrittenSpan[start.._lineEnds[_linesDone]];
                before += line.Length;
                RotateBefore(line.Length);
                _file ??= Open(keep: true);
                _file.Append(line);
                _linesDone++;
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // This batch comes again and goes on with the line that failed.
            return ValueTask.FromResult(new ExportOutcome(ExportVerdict.Retry, "write_error", exception.Message));
        }

        _current = null;
        return ValueTask.FromResult(new ExportOutcome(ExportVerdict.Accepted, WireBytes: before));
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _file?.Dispose();
        _file = null;
        _lines.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>All lines before the first is written, so that a request that is none leaves no trace in the file.</summary>
    private void Encode(ExportBatch batch)
    {
        if (ReferenceEquals(_current, batch))
        {
            return;
        }

        _current = null;
        _linesDone = 0;
        _lineEnds.Clear();
        if (_lines.Length > KeptLineBuffer)
        {
            _lines.Dispose();
            _lines = new PooledBuffer(1 << 20);
        }

        _lines.Clear();
        foreach (TraceRun run in batch.Runs)
        {
            OtlpJson.WriteRequest(run.Bytes.Span, _lines);
            _lines.Write("\n"u8);
            _lineEnds.Add(_lines.Length);
        }

        _current = batch;
    }

    private LineFile Open(bool keep)
    {
        LineFile file = LineFile.Open(_path, keep, out long cut);
        if (cut > 0)
        {
            ExportEvents.FileRepaired(_logger, _options.Id, cut, _path);
        }

        return file;
    }

    private void RotateBefore(int bytes)
    {
        if (_options.RotateBytes <= 0 || _file is not { Length: > 0 } file || file.Length + bytes <= _options.RotateBytes)
        {
            return;
        }

        string backup = NextBackupName();
        _file = null;
        file.Dispose();
        File.Move(_path, backup);
        ExportEvents.FileRotated(_logger, _options.Id, _path, backup);
        _file = Open(keep: true);
        Prune();
    }

    /// <summary>Later than every backup before it, whatever the clock does: the order of names is the order of age.</summary>
    private string NextBackupName()
    {
        DateTimeOffset at = _time.GetUtcNow();
        while (at <= _lastBackup || File.Exists(BackupName(at)))
        {
            at = (at > _lastBackup ? at : _lastBackup) + TimeSpan.FromMilliseconds(1);
        }

        _lastBackup = at;
        return BackupName(at);
    }

    private string BackupName(DateTimeOffset at)
    {
        string stamp = at.UtcDateTime.ToString(BackupTime, CultureInfo.InvariantCulture);
        string name = $"{Path.GetFileNameWithoutExtension(_path)}-{stamp}{Path.GetExtension(_path)}";
        return Path.Combine(Path.GetDirectoryName(_path)!, name);
    }

    private void Prune()
    {
        if (_options.MaxBackups <= 0)
        {
            return;
        }

        string prefix = Path.GetFileNameWithoutExtension(_path) + "-";
        string extension = Path.GetExtension(_path);
        List<string> backups = [];
        foreach (string file in Directory.EnumerateFiles(Path.GetDirectoryName(_path)!, prefix + "*" + extension))
        {
            string stamp = Path.GetFileName(file)[prefix.Length..^extension.Length];
            if (DateTime.TryParseExact(stamp, BackupTime, CultureInfo.InvariantCulture, DateTimeStyles.None, out _))
            {
                backups.Add(file);
            }
        }

        backups.Sort(StringComparer.Ordinal);
        foreach (string old in backups.Take(Math.Max(backups.Count - _options.MaxBackups, 0)))
        {
            try
            {
                File.Delete(old);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                ExportEvents.BackupNotRemoved(_logger, _options.Id, old, exception.Message);
            }
        }
    }
}
