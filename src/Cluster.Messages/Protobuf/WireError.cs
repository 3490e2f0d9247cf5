namespace Cluster.Messages.Protobuf;

/// <summary>Why bytes are not a protobuf message. Values are stable: they are counted and logged.</summary>
public enum WireError
{
    /// <summary>Nothing is wrong.</summary>
    None = 0,

    /// <summary>The input ends inside a field.</summary>
    Truncated = 1,

    /// <summary>A varint has more than ten bytes or more than 64 bits.</summary>
    VarintTooLong = 2,

    /// <summary>A field number is 0 or above 2^29 - 1.</summary>
    BadFieldNumber = 3,

    /// <summary>Wire types 6 and 7 do not exist, or a known field has another wire type than the schema says.</summary>
    BadWireType = 4,

    /// <summary>A group ends that was not begun, or ends with another field number.</summary>
    UnmatchedGroup = 5,

    /// <summary>Messages, groups or values are nested deeper than the limit.</summary>
    TooDeep = 6,
}
