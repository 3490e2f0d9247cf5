using System.Text.Json;

namespace Cluster.Sharding.Store;

/// <summary>One endpoint did not do what it was asked; another one may.</summary>
internal sealed class EtcdFailureException : Exception
{
    private const int Cancelled = 1;
    private const int Unknown = 2;
    private const int DeadlineExceeded = 4;
    private const int Internal = 13;
    private const int Unavailable = 14;

    /// <summary>A failure with what went wrong.</summary>
    public EtcdFailureException(string message, bool mayHaveHappened, Exception? inner = null)
        : base(message, inner) => MayHaveHappened = mayHaveHappened;

    /// <summary>The request may have reached etcd, and done what it says.</summary>
    public bool MayHaveHappened { get; }

    /// <summary>Whether a status of gRPC says more about the endpoint, or the moment, than about the request.</summary>
    public static bool IsPassing(int code) => code is Cancelled or Unknown or DeadlineExceeded or Internal or Unavailable;

    /// <summary>
    /// What <paramref name="exception"/> of one exchange, which the caller did not cancel, means; null when it means nothing of the kind.
    /// </summary>
    public static EtcdFailureException? Of(Exception exception, bool timedOut, TimeSpan timeout) => exception switch
    {
        OperationCanceledException when timedOut => new($"no answer within {timeout.TotalSeconds:0.###} s", true, exception),

        // Nobody else cancels: the connection took too long.
        OperationCanceledException => new("no connection in time", false, exception),
        HttpRequestException request => new(exception.GetBaseException().Message, !IsOfConnection(request.HttpRequestError), exception),
        IOException => new(exception.GetBaseException().Message, true, exception),
        JsonException or InvalidDataException => new($"it did not answer as etcd does: {exception.Message}", true, exception),
        _ => null,
    };

    private static bool IsOfConnection(HttpRequestError error) =>
        error is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError;
}
