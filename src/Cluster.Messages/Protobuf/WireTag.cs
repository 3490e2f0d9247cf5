namespace Cluster.Messages.Protobuf;

/// <summary>Tags: a field number times eight plus the wire type.</summary>
public static class WireTag
{
    /// <summary>The tag of a field.</summary>
    public static uint Of(int field, WireType type) => ((uint)field << 3) | (uint)type;

    /// <summary>The tag of a length-delimited field (string, bytes, message).</summary>
    public static uint LengthDelimited(int field) => Of(field, WireType.LengthDelimited);

    /// <summary>The field number of a tag.</summary>
    public static int Field(uint tag) => (int)(tag >> 3);

    /// <summary>The wire type of a tag.</summary>
    public static WireType Type(uint tag) => (WireType)(tag & 7);
}
