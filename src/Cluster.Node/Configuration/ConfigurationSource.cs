using Cluster.Sampling.Configuration;

namespace Cluster.Node.Configuration;

/// <summary>A configuration file as text, and its name for findings.</summary>
/// <param name="Name">Path of the file, or what stands for it.</param>
/// <param name="Yaml">The text.</param>
public sealed record ConfigurationSource(string Name, string Yaml)
{
    /// <summary>Larger files are refused: nobody writes them.</summary>
    public const int LargestFileBytes = 16 << 20;

    /// <summary>What runs without a file: OTLP on 127.0.0.1:4317 and :4318, admin on :8080, kept traces printed.</summary>
    public static ConfigurationSource Default()
    {
        using Stream stream = typeof(ConfigurationSource).Assembly.GetManifestResourceStream("default.yaml")!;
        using StreamReader reader = new(stream);
        return new ConfigurationSource("default.yaml", reader.ReadToEnd());
    }

    /// <summary>Reads a file.</summary>
    /// <exception cref="IOException">It cannot be read, or is too large.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    public static ConfigurationSource FromFile(string path)
    {
        if (Directory.Exists(path))
        {
            throw new IOException("it is a directory; name a file");
        }

        if (new FileInfo(path) is { Exists: true, Length: > LargestFileBytes })
        {
            throw new IOException($"larger than {LargestFileBytes >> 20} MiB");
        }

        return new ConfigurationSource(path, File.ReadAllText(path));
    }

    /// <summary>
    /// A finding in the form <c>FILE:LINE: PATH: problem; fix</c>, warnings marked as such; without the line when there is none.
    /// </summary>
    public string Describe(ConfigurationError finding)
    {
        string file = finding.Line > 0 ? $"{Name}:{finding.Line}" : Name;
        string mark = finding.Severity == ConfigurationSeverity.Warning ? "warning: " : "";
        string path = finding.Path.Length == 0 ? "" : finding.Path + ": ";
        return $"{file}: {mark}{path}{finding.Problem}{(finding.Fix.Length == 0 ? "" : "; " + finding.Fix)}";
    }
}
