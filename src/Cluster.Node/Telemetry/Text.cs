namespace Cluster.Node.Telemetry;

/// <summary>Small helpers for what people read.</summary>
internal static class Text
{
    /// <summary>Cuts a text that a client chose, so that answers stay bounded; a cut text ends in an ellipsis.</summary>
    public static string Shorten(string text, int most)
    {
        if (text.Length <= most)
        {
            return text;
        }

        // Half of a surrogate pair is no text.
        int length = char.IsHighSurrogate(text[most - 1]) ? most - 1 : most;
        return string.Concat(text.AsSpan(0, length), "…");
    }

    /// <summary>A number of things: <c>1 trace</c>, <c>2 traces</c>.</summary>
    public static string Count(long number, string what) => number == 1 ? $"1 {what}" : $"{number} {what}s";

    /// <summary>Seconds, to the microsecond.</summary>
    public static double Seconds(TimeSpan time) => Math.Round(time.TotalSeconds, 6);
}
