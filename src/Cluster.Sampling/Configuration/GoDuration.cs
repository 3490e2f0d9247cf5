using System.Globalization;
using System.Text;

namespace Cluster.Sampling.Configuration;

/// <summary>Durations as Go (<see href="https://pkg.go.dev/time#ParseDuration"/>), and so Collector files, have them.</summary>
public static class GoDuration
{
    private static readonly (string Unit, double Ticks)[] Units =
    [
        ("ns", 0.01), ("us", 10), ("µs", 10), ("μs", 10), ("ms", TimeSpan.TicksPerMillisecond),
        ("s", TimeSpan.TicksPerSecond), ("m", TimeSpan.TicksPerMinute), ("h", TimeSpan.TicksPerHour),
    ];

    /// <summary>Parses <c>1m30s</c>, <c>1.5s</c>, <c>-300ms</c>, <c>0</c>. A number without a unit is refused, except 0.</summary>
    public static bool TryParse(string text, out TimeSpan value)
    {
        value = default;
        ReadOnlySpan<char> rest = text.AsSpan();
        bool negative = false;
        if (rest is ['+' or '-', ..])
        {
            negative = rest[0] == '-';
            rest = rest[1..];
        }

        if (rest is "0")
        {
            return true;
        }

        double ticks = 0;
        if (rest.IsEmpty)
        {
            return false;
        }

        while (!rest.IsEmpty)
        {
            int digits = rest.IndexOfAnyExcept("0123456789.");
            if (digits <= 0
                || !double.TryParse(rest[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number))
            {
                return false;
            }

            rest = rest[digits..];
            int letters = rest.IndexOfAny("0123456789.");
            ReadOnlySpan<char> unit = letters < 0 ? rest : rest[..letters];
            rest = rest[unit.Length..];
            bool found = false;
            foreach ((string name, double ticksPerUnit) in Units)
            {
                if (unit.SequenceEqual(name))
                {
                    ticks += number * ticksPerUnit;
                    found = true;
                    break;
                }
            }

            if (!found)
            {
                return false;
            }
        }

        if (ticks >= long.MaxValue)
        {
            return false;
        }

        value = new TimeSpan((long)Math.Round(negative ? -ticks : ticks));
        return true;
    }

    /// <summary>The shortest such text: <c>1m30s</c>, <c>500ms</c>, <c>0s</c>.</summary>
    public static string Format(TimeSpan value)
    {
        if (value == TimeSpan.Zero)
        {
            return "0s";
        }

        StringBuilder text = new(value < TimeSpan.Zero ? "-" : "");
        value = value.Duration();
        if (value < TimeSpan.FromSeconds(1))
        {
            return text.Append(CultureInfo.InvariantCulture, $"{value.TotalMilliseconds:0.####}ms").ToString();
        }

        if (value.Ticks >= TimeSpan.TicksPerHour)
        {
            text.Append(CultureInfo.InvariantCulture, $"{value.Ticks / TimeSpan.TicksPerHour}h");
        }

        if (value.Minutes > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $"{value.Minutes}m");
        }

        double seconds = value.Ticks % TimeSpan.TicksPerMinute / (double)TimeSpan.TicksPerSecond;
        if (seconds > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $"{seconds:0.#######}s");
        }

        return text.ToString();
    }
}
