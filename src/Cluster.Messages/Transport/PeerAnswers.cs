using System.Diagnostics.CodeAnalysis;
using System.Text;
using Cluster.Messages.Sharding;

namespace Cluster.Messages.Transport;

/// <summary>Payloads of the messages that are so small that they need no format of their own.</summary>
public static class PeerAnswers
{
    /// <summary>The most bytes of a question in UTF-8.</summary>
    public const int MaxQuestionBytes = 64 << 10;

    /// <summary>The most bytes of an answer to a question in UTF-8.</summary>
    public const int MaxAnswerBytes = 8 << 20;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Payload of <see cref="PeerMessageKind.Delivered"/>; one byte.</summary>
    public static ReadOnlySpan<byte> Delivered(Refusal refusal) => AllBytes.Slice((byte)refusal, 1);

    /// <summary>Reads the payload of <see cref="PeerMessageKind.Delivered"/>.</summary>
    /// <returns>False when it is none, or its value has no meaning.</returns>
    public static bool TryReadDelivered(ReadOnlySpan<byte> payload, out Refusal refusal)
    {
        refusal = payload.Length == 1 ? (Refusal)payload[0] : Refusal.None;
        return payload.Length == 1 && refusal <= Refusal.OwnerUnreachable;
    }

    /// <summary>Reads a text: the payload of <see cref="PeerMessageKind.Ask"/> and <see cref="PeerMessageKind.Answer"/>.</summary>
    /// <returns>False when it is too long, or not UTF-8.</returns>
    public static bool TryReadText(ReadOnlySpan<byte> payload, int maxBytes, [NotNullWhen(true)] out string? text)
    {
        text = null;
        if (payload.Length > maxBytes)
        {
            return false;
        }

        try
        {
            text = Strict.GetString(payload);
            return true;
        }
        catch (DecoderFallbackException)
        {
            return false;
        }
    }

    // The bytes of the assembly: a payload of one byte needs no array.
    private static ReadOnlySpan<byte> AllBytes => [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
}
