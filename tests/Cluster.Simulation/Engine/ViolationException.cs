namespace Cluster.Simulation.Engine;

/// <summary>A checker found that what must hold does not.</summary>
internal sealed class ViolationException(string checker, string problem) : Exception($"{checker}: {problem}")
{
    /// <summary>Who found it.</summary>
    public string Checker { get; } = checker;
}
