namespace Cluster.Node.Tests.Exporters;

/// <summary>Waits for what another thread is about to do. The limit only turns a hang into a failure.</summary>
internal static class Eventually
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    public static async Task TrueAsync(Func<bool> condition, string what)
    {
        long began = TimeProvider.System.GetTimestamp();
        while (!condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(began) < Limit, $"never happened: {what}");
            await Task.Delay(1);
        }
    }
}
