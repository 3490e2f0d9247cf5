using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using Cluster.Messages.Otlp;
using Cluster.Node.Exporters.Sending;

namespace Cluster.Node.Exporters.Otlp;

/// <summary>
/// Reads the end of a gRPC call (<see href="https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md"/>): the status is in the
/// trailers, or in the headers of a response that has nothing else.
/// </summary>
internal static class GrpcTrailers
{
    /// <summary>What the response says. False when it has no <c>grpc-status</c> anywhere.</summary>
    public static bool TryRead(HttpResponseMessage response, out ExportOutcome outcome)
    {
        bool inTrailers = response.TrailingHeaders.NonValidated.Contains("grpc-status");
        HttpResponseHeaders headers = inTrailers ? response.TrailingHeaders : response.Headers;
        if (!headers.NonValidated.TryGetValues("grpc-status", out HeaderStringValues statusValues)
            || !int.TryParse(statusValues.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out int status))
        {
            outcome = default;
            return false;
        }

        bool hasMessage = headers.NonValidated.TryGetValues("grpc-message", out HeaderStringValues text);
        string message = hasMessage ? DecodeMessage(text.ToString()) : "";
        outcome = ExportClassification.ForGrpc(status, message, status == 0 ? null : ReadRetryDelay(headers));
        return true;
    }

    /// <summary>Percent-decodes a <c>grpc-message</c>; what is no valid escape stays as it is, as the protocol asks.</summary>
    internal static string DecodeMessage(string value)
    {
        if (!value.Contains('%', StringComparison.Ordinal))
        {
            return value;
        }

        byte[] bytes = Encoding.UTF8.GetBytes(value);
        int length = 0;
        for (int i = 0; i < bytes.Length; i++)
        {
            if (bytes[i] == '%' && i + 2 < bytes.Length
                && byte.TryParse(bytes.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte decoded))
            {
                bytes[length++] = decoded;
                i += 2;
            }
            else
            {
                bytes[length++] = bytes[i];
            }
        }

        return Encoding.UTF8.GetString(bytes, 0, length);
    }

    private static TimeSpan? ReadRetryDelay(HttpResponseHeaders headers)
    {
        if (!headers.NonValidated.TryGetValues("grpc-status-details-bin", out HeaderStringValues values))
        {
            return null;
        }

        // Binary headers come with or without base64 padding.
        string text = values.ToString();
        text = text.PadRight((text.Length + 3) / 4 * 4, '=');
        byte[] bytes = new byte[text.Length];
        return Convert.TryFromBase64String(text, bytes, out int length)
            && RpcStatus.TryRead(bytes.AsSpan(0, length), out _, out _, out TimeSpan? delay)
                ? delay
                : null;
    }
}
