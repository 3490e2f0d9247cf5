using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Cluster.Node.Tests;

/// <summary>Remembers what was logged. Thread-safe.</summary>
internal sealed class RecordingLogger<T> : ILogger<T>
{
    private readonly ConcurrentQueue<(EventId Event, string Text, Exception? Exception)> _entries = new();

    public IReadOnlyCollection<(EventId Event, string Text, Exception? Exception)> Entries => _entries;

    public int Count(int eventId) => _entries.Count(entry => entry.Event.Id == eventId);

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        string text = formatter(state, exception);
        Assert.NotEmpty(text);
        _entries.Enqueue((eventId, text, exception));
    }
}
