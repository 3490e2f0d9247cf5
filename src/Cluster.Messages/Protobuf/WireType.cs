namespace Cluster.Messages.Protobuf;

/// <summary>Wire types of the protobuf encoding (<see href="https://protobuf.dev/programming-guides/encoding/"/>).</summary>
public enum WireType
{
    /// <summary>A base-128 varint.</summary>
    Varint = 0,

    /// <summary>Eight bytes, little-endian.</summary>
    Fixed64 = 1,

    /// <summary>A varint length and that many bytes.</summary>
    LengthDelimited = 2,

    /// <summary>Start of a group (deprecated; skipped with all it holds).</summary>
    StartGroup = 3,

    /// <summary>End of a group.</summary>
    EndGroup = 4,

    /// <summary>Four bytes, little-endian.</summary>
    Fixed32 = 5,
}
