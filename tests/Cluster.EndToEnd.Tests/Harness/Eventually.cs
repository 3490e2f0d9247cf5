using System.Diagnostics;

namespace Cluster.EndToEnd.Tests.Harness;

/// <summary>Waits for what another process will do some time.</summary>
internal static class Eventually
{
    /// <summary>Longest time that anything here may take, on a busy machine.</summary>
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    /// <summary>Asks until <paramref name="condition"/> holds; after <see cref="Deadline"/>, fails with <paramref name="what"/>.</summary>
    public static Task HoldsAsync(Func<bool> condition, Func<string> what) => HoldsAsync(() => Task.FromResult(condition()), what);

    /// <inheritdoc cref="HoldsAsync(Func{bool}, Func{string})"/>
    public static async Task HoldsAsync(Func<Task<bool>> condition, Func<string> what)
    {
        long start = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            if (Stopwatch.GetElapsedTime(start) > Deadline)
            {
                Assert.Fail($"not after {Deadline.TotalSeconds:0} s: {what()}");
            }

            await Task.Delay(20, TestContext.Current.CancellationToken);
        }
    }
}
