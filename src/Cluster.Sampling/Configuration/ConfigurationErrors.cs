using System.Globalization;

namespace Cluster.Sampling.Configuration;

/// <summary>How bad a finding is.</summary>
public enum ConfigurationSeverity
{
    /// <summary>The file does not run.</summary>
    Error = 0,

    /// <summary>The file runs, but perhaps not as its writer thinks.</summary>
    Warning = 1,
}

/// <summary>One finding in a configuration file.</summary>
/// <param name="Severity">How bad.</param>
/// <param name="Path">Where, by keys: <c>processors.tail_sampling.policies[2].latency.threshold_ms</c>.</param>
/// <param name="Line">Line, from 1; 0 when there is none.</param>
/// <param name="Problem">What is wrong.</param>
/// <param name="Fix">What would be right.</param>
public sealed record ConfigurationError(ConfigurationSeverity Severity, string Path, int Line, string Problem, string Fix)
{
    /// <summary><c>line 12: path: problem; fix</c>.</summary>
    public override string ToString()
    {
        string severity = Severity == ConfigurationSeverity.Warning ? "warning: " : "";
        string path = Path.Length == 0 ? "" : Path + ": ";
        string fix = Fix.Length == 0 ? "" : "; " + Fix;
        return string.Create(CultureInfo.InvariantCulture, $"line {Line}: {severity}{path}{Problem}{fix}");
    }
}

/// <summary>Collects every finding of one file, so that a user sees all of them at once.</summary>
public sealed class ConfigurationErrors
{
    private readonly List<ConfigurationError> _all = [];

    /// <summary>Errors and warnings, by line.</summary>
    public IReadOnlyList<ConfigurationError> All => [.. _all.OrderBy(e => e.Line)];

    /// <summary>True when there is an error: the file does not run.</summary>
    public bool HasErrors => _all.Exists(e => e.Severity == ConfigurationSeverity.Error);

    /// <summary>Adds an error.</summary>
    public void Error(string path, int line, string problem, string fix) =>
        _all.Add(new ConfigurationError(ConfigurationSeverity.Error, path, line, problem, fix));

    /// <summary>Adds a warning.</summary>
    public void Warning(string path, int line, string problem, string fix) =>
        _all.Add(new ConfigurationError(ConfigurationSeverity.Warning, path, line, problem, fix));
}
