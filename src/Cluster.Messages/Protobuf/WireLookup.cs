namespace Cluster.Messages.Protobuf;

/// <summary>
/// Finds single fields of an encoded message, each by a walk over all of it: for cold paths. Of a field that occurs twice the last
/// counts; one of another
/// wire type is another field. A message that is malformed has the fields before the place where it is.
/// </summary>
public static class WireLookup
{
    /// <summary>Finds a length-delimited field.</summary>
    /// <returns>A view of the message's memory; empty when the field is absent.</returns>
    public static ReadOnlySpan<byte> Bytes(ReadOnlySpan<byte> message, int field)
    {
        ReadOnlySpan<byte> found = default;
        WireReader reader = new(message);
        while (TryReadUntil(ref reader, WireTag.Of(field, WireType.LengthDelimited)) && reader.TryReadBytes(out ReadOnlySpan<byte> value))
        {
            found = value;
        }

        return found;
    }

    /// <summary>Finds a varint field; 0 when it is absent.</summary>
    public static ulong Varint(ReadOnlySpan<byte> message, int field)
    {
        ulong found = 0;
        WireReader reader = new(message);
        while (TryReadUntil(ref reader, WireTag.Of(field, WireType.Varint)) && reader.TryReadVarint(out ulong value))
        {
            found = value;
        }

        return found;
    }

    /// <summary>Finds a fixed64 field; 0 when it is absent.</summary>
    public static ulong Fixed64(ReadOnlySpan<byte> message, int field)
    {
        ulong found = 0;
        WireReader reader = new(message);
        while (TryReadUntil(ref reader, WireTag.Of(field, WireType.Fixed64)) && reader.TryReadFixed64(out ulong value))
        {
            found = value;
        }

        return found;
    }

    /// <summary>Finds a fixed32 field; 0 when it is absent.</summary>
    public static uint Fixed32(ReadOnlySpan<byte> message, int field)
    {
        uint found = 0;
        WireReader reader = new(message);
        while (TryReadUntil(ref reader, WireTag.Of(field, WireType.Fixed32)) && reader.TryReadFixed32(out uint value))
        {
            found = value;
        }

        return found;
    }

    /// <summary>Passes over fields until <paramref name="wanted"/>, whose tag is then read and whose value is next.</summary>
    /// <returns>False at the end of the message and at an error: <see cref="WireReader.AtEnd"/> tells.</returns>
    public static bool TryReadUntil(scoped ref WireReader reader, uint wanted)
    {
        while (reader.TryReadTag(out uint tag))
        {
            if (tag == wanted)
            {
                return true;
            }

            if (!reader.TrySkip(tag))
            {
                return false;
            }
        }

        return false;
    }
}
