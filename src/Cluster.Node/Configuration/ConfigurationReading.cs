using Cluster.Sampling.Configuration;

namespace Cluster.Node.Configuration;

/// <summary>What the readers of the parts of one file share.</summary>
/// <param name="errors">Where findings go.</param>
/// <param name="fileExists">Whether a file that is named is there; null does not look.</param>
internal sealed class ConfigurationReading(ConfigurationErrors errors, Func<string, bool>? fileExists = null)
{
    /// <summary>Bytes that a span is taken to have where the Collector counts spans and this node counts bytes.</summary>
    public const int BytesPerSpan = 512;

    /// <summary>Bytes that a request in a queue is taken to have where the Collector counts requests.</summary>
    public const int BytesPerRequest = 256 << 10;

    /// <summary>Where findings go.</summary>
    public ConfigurationErrors Errors { get; } = errors;

    /// <summary>Every path that was read or would have been, present or not: what the reference page has to name.</summary>
    public SortedSet<string> KnownPaths { get; } = new(StringComparer.Ordinal);

    /// <summary>Reports a file that is named and not there: a node reads such files at its start, and could not start.</summary>
    /// <param name="section">The block.</param>
    /// <param name="key">The key that names it.</param>
    /// <param name="path">What the key says; null or empty when it says nothing.</param>
    public void RequireFile(ConfigurationSection section, string key, string? path)
    {
        if (fileExists is not null && !string.IsNullOrEmpty(path) && !fileExists(path))
        {
            section.Error(key, $"there is no file '{path}'", "put it there, or correct the path");
        }
    }

    /// <summary>Ends the reading of a section: reports the keys that nobody asked for.</summary>
    public void Close(ConfigurationSection section)
    {
        section.RejectUnknown();
        foreach (string key in section.KnownKeys)
        {
            KnownPaths.Add(section.PathOf(key));
        }
    }
}

/// <summary>Ways to read that are only about the Collector's keys.</summary>
internal static class ConfigurationSectionExtensions
{
    /// <summary>Takes the keys, which the Collector knows, and warns where one is written that it does nothing here.</summary>
    public static void NoEffect(this ConfigurationSection section, string why, params ReadOnlySpan<string> keys)
    {
        foreach (string key in keys)
        {
            section.Ignore(key);
            if (section.Has(key))
            {
                section.Warning(key, "has no effect here", why);
            }
        }
    }

    /// <summary>Refuses the keys, which the Collector knows and which change what is promised.</summary>
    public static void NotSupported(this ConfigurationSection section, string fix, params ReadOnlySpan<string> keys)
    {
        foreach (string key in keys)
        {
            section.Ignore(key);
            if (section.Has(key))
            {
                section.Error(key, "is not supported", fix);
            }
        }
    }

    /// <summary>One of several words; the first is the default.</summary>
    public static string OneOf(this ConfigurationSection section, string key, params ReadOnlySpan<string> values)
    {
        string value = section.String(key, values[0])!;
        if (!values.Contains(value))
        {
            section.Error(key, $"'{value}' is not one of its values", $"use {string.Join(", ", values[..^1]!)} or {values[^1]}");
            return values[0];
        }

        return value;
    }

    /// <summary>A string that is null when it is empty.</summary>
    public static string? NonEmpty(this ConfigurationSection section, string key) =>
        section.String(key) is { Length: > 0 } value ? value : null;
}
