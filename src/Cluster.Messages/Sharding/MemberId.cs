namespace Cluster.Messages.Sharding;

/// <summary>
/// One run of one node: a process that is started again under the same name is somebody else, since what it held in memory is gone.
/// </summary>
/// <param name="Node">The node's name, unique in its cluster at any time. Never null or empty but in <c>default</c>, which is nobody.</param>
/// <param name="Incarnation">Drawn at random when the process starts.</param>
public readonly record struct MemberId(string Node, ulong Incarnation)
{
    /// <summary>Whether this is nobody.</summary>
    public bool IsNone => Node is null;

    /// <inheritdoc/>
    public override string ToString() => IsNone ? "nobody" : $"{Node}/{Incarnation:x16}";
}
