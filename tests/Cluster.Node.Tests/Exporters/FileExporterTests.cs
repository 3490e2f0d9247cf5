using System.Text;
using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;
using Cluster.Node.Exporters;
using Cluster.Node.Exporters.Local;
using Cluster.Node.Exporters.Sending;
using Cluster.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Cluster.Node.Tests.Exporters;

public sealed class FileExporterTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("actorsampling-file");
    private readonly ManualTimeProvider _time = new();
    private readonly string _path;

    public FileExporterTests() => _path = Path.Combine(_directory.FullName, "kept.jsonl");

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public async Task SendAsync_TwoRequests_WritesALineEach()
    {
        await using FileExporter exporter = Exporter(new() { Id = "file", Path = _path });

        ExportOutcome outcome = await SendAsync(exporter, [1, 2], [3]);

        Assert.Equal(ExportVerdict.Accepted, outcome.Verdict);
        Assert.Equal([[1UL, 2UL], [3UL]], Lines(_path));
        Assert.Equal(new FileInfo(_path).Length, outcome.WireBytes);
    }

    [Theory]
    [InlineData(false, 1)]
    [InlineData(true, 2)]
    public async Task Constructor_FileExists_IsKeptOnlyWhenAppending(bool append, int lines)
    {
        FileExporterOptions options = new() { Id = "file", Path = _path, Append = append };
        for (ulong number = 1; number <= 2; number++)
        {
            await using FileExporter exporter = Exporter(options);
            await SendAsync(exporter, [number]);
        }

        Assert.Equal(lines, Lines(_path).Length);
    }

    [Fact]
    public async Task Constructor_LastLineUnfinished_CutsItOff()
    {
        FileExporterOptions options = new() { Id = "file", Path = _path, Append = true };
        await using (FileExporter exporter = Exporter(options))
        {
            await SendAsync(exporter, [1], [2]);
        }

        // A torn line longer than one block of the backward search.
        File.AppendAllText(_path, """{"resourceSpans":[{""" + new string(' ', 200_000));
        await using (FileExporter exporter = Exporter(options))
        {
            await SendAsync(exporter, [3]);
        }

        Assert.Equal([[1UL], [2UL], [3UL]], Lines(_path));
    }

    [Fact]
    public void Constructor_FileOfSomebodyElse_IsNotTouched()
    {
        File.WriteAllText(_path, "precious notes");

        Assert.Throws<IOException>(() => Exporter(new() { Id = "file", Path = _path, Append = true }));

        Assert.Equal("precious notes", File.ReadAllText(_path));
    }

    [Fact]
    public async Task SendAsync_FileEmptiedFromOutside_GoesOnWithoutAHole()
    {
        await using FileExporter exporter = Exporter(new() { Id = "file", Path = _path });
        await SendAsync(exporter, [1]);
        using (FileStream other = new(_path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            other.SetLength(0);
        }

        await SendAsync(exporter, [2]);

        Assert.Equal([[2UL]], Lines(_path));
    }

    [Fact]
    public async Task SendAsync_FileFull_MovesItAwayAndKeepsTheNewestBackups()
    {
        long line;
        await using (FileExporter probe = Exporter(new() { Id = "file", Path = _path }))
        {
            line = (await SendAsync(probe, [1])).WireBytes;
        }

        File.Delete(_path);
        string precious = Path.Combine(_directory.FullName, "kept-notes.jsonl");
        File.WriteAllText(precious, "not a backup");
        await using FileExporter exporter = Exporter(new() { Id = "file", Path = _path, RotateBytes = 2 * line + 1, MaxBackups = 2 });
        for (ulong number = 1; number <= 9; number++)
        {
            await SendAsync(exporter, [number]);
        }

        Assert.Equal([[9UL]], Lines(_path));
        string[] backups = [.. _directory.GetFiles("kept-2*.jsonl").Select(file => file.Name).Order(StringComparer.Ordinal)];
        Assert.Equal(["kept-2026-01-01T00-00-00.002.jsonl", "kept-2026-01-01T00-00-00.003.jsonl"], backups);
        Assert.Equal([[5UL], [6UL]], Lines(Path.Combine(_directory.FullName, backups[0])));
        Assert.Equal([[7UL], [8UL]], Lines(Path.Combine(_directory.FullName, backups[1])));
        Assert.True(File.Exists(precious));
    }

    [Fact]
    public async Task SendAsync_NoRequest_IsRefusedAndLeavesNoTraceInTheFile()
    {
        await using FileExporter exporter = Exporter(new() { Id = "file", Path = _path });
        ExportBatch batch = new([TraceRun.Whole(Kept.Traces(1)), TraceRun.Whole(Kept.From([0x0A, 0x05, 0x01], 1, 1))]);

        await Assert.ThrowsAsync<FormatException>(async () => await exporter.SendAsync(batch, CancellationToken.None));

        Assert.Equal(0, new FileInfo(_path).Length);
        batch.Release();
        await SendAsync(exporter, [2]);
        Assert.Equal([[2UL]], Lines(_path));
    }

    [Fact]
    public async Task SendAsync_DiskFull_GoesOnWithTheLineThatFailed()
    {
        // /dev/full takes nothing: every write says that the device is full.
        Assert.SkipUnless(File.Exists("/dev/full"), "needs /dev/full");
        await using FileExporter exporter = Exporter(new() { Id = "file", Path = "/dev/full" });

        ExportOutcome outcome = await SendAsync(exporter, [1]);

        Assert.Equal((ExportVerdict.Retry, "write_error"), (outcome.Verdict, outcome.Reason));
    }

    [Fact]
    public async Task SendAsync_DirectoryGoneWhileRotating_LosesNoLine()
    {
        await using FileExporter exporter = Exporter(new() { Id = "file", Path = _path, RotateBytes = 1 });
        await SendAsync(exporter, [1]);
        string away = _directory.FullName + "-away";
        Directory.Move(_directory.FullName, away);
        ExportBatch batch = new([TraceRun.Whole(Kept.Traces(2)), TraceRun.Whole(Kept.Traces(3))]);

        ExportOutcome failed = await exporter.SendAsync(batch, CancellationToken.None);
        Directory.Move(away, _directory.FullName);
        ExportOutcome accepted = await exporter.SendAsync(batch, CancellationToken.None);
        batch.Release();

        Assert.Equal((ExportVerdict.Retry, "write_error"), (failed.Verdict, failed.Reason));
        Assert.Equal(ExportVerdict.Accepted, accepted.Verdict);
        ulong[][] lines = [.. _directory.GetFiles("kept*.jsonl").SelectMany(file => Lines(file.FullName)).OrderBy(line => line[0])];
        Assert.Equal([[1UL], [2UL], [3UL]], lines);
    }

    [Fact]
    public async Task Constructor_DirectoryMissing_IsMade()
    {
        string path = Path.Combine(_directory.FullName, "a", "b", "kept.jsonl");

        await using FileExporter exporter = Exporter(new() { Id = "file", Path = path });

        Assert.True(File.Exists(path));
    }

    private static async Task<ExportOutcome> SendAsync(FileExporter exporter, params ulong[][] requests)
    {
        ExportBatch batch = new([.. requests.Select(numbers => TraceRun.Whole(Kept.Traces(numbers)))]);
        ExportOutcome outcome = await exporter.SendAsync(batch, CancellationToken.None);
        batch.Release();
        return outcome;
    }

    private static ulong[][] Lines(string path)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using StreamReader reader = new(file);
        string text = reader.ReadToEnd();
        Assert.EndsWith("\n", text, StringComparison.Ordinal);
        return [.. text.TrimEnd('\n').Split('\n').Select(Read)];
    }

    private static ulong[] Read(string line)
    {
        using PooledBuffer protobuf = new();
        Assert.True(OtlpJson.TryReadRequest(Encoding.UTF8.GetBytes(line), protobuf, out OtlpJsonError error), error.Problem);
        return Kept.Numbers(protobuf.WrittenSpan);
    }

    private FileExporter Exporter(FileExporterOptions options) => new(options, _time, NullLogger.Instance);
}
