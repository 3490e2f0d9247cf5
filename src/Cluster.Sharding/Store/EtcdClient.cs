using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Cluster.Sharding.Store;

/// <summary>
/// Requests to etcd: each goes to one endpoint after the other until one answers, with a token where etcd asks for one. Thread-safe.
/// </summary>
/// <remarks>
/// A request that must not happen twice goes to the next endpoint only when it surely did not reach the one before. What etcd refuses for a reason
/// of the request's own, no other endpoint is asked.
/// </remarks>
internal sealed class EtcdClient : IDisposable
{
    private const int MaxAnswer = 64 << 20;
    private const int MaxErrorAnswer = 64 << 10;
    private const int MaxLine = 64 << 10;

    private readonly EtcdOptions _options;
    private readonly EtcdEndpoints _endpoints;
    private readonly TimeProvider _time;
    private readonly long _start;
    private readonly HttpMessageInvoker _http;
    private readonly Action<string> _problem;
    private string? _token;

    /// <summary>Nothing is connected yet.</summary>
    /// <param name="options">Where etcd is.</param>
    /// <param name="endpoints">Which endpoint to ask.</param>
    /// <param name="time">For timeouts.</param>
    /// <param name="handler">Makes connections; the client's from here on.</param>
    /// <param name="problem">Told of each endpoint that failed.</param>
    public EtcdClient(EtcdOptions options, EtcdEndpoints endpoints, TimeProvider time, HttpMessageHandler handler, Action<string> problem)
    {
        _options = options;
        _endpoints = endpoints;
        _time = time;
        _start = time.GetTimestamp();
        _http = new HttpMessageInvoker(handler, disposeHandler: true);
        _problem = problem;
    }

    private long Now => (long)_time.GetElapsedTime(_start).TotalMilliseconds;

    /// <summary>One request, one answer.</summary>
    /// <param name="path">Like <c>/v3/kv/range</c>.</param>
    /// <param name="request">What is asked.</param>
    /// <param name="requestType">How it is written.</param>
    /// <param name="answerType">How the answer is read.</param>
    /// <param name="repeatable">Whether it may happen twice.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="ClusterStoreException">No endpoint answered, or etcd refused.</exception>
    public Task<TAnswer> PostAsync<TRequest, TAnswer>(
        string path, TRequest request, JsonTypeInfo<TRequest> requestType, JsonTypeInfo<TAnswer> answerType, bool repeatable,
        CancellationToken cancellationToken)
        where TAnswer : class =>
        SendAsync(path, JsonSerializer.SerializeToUtf8Bytes(request, requestType), repeatable, ReadAnswer(answerType), cancellationToken);

    /// <summary>One request, one line of an answer that is a stream; no more of it is read.</summary>
    /// <inheritdoc cref="PostAsync"/>
    public Task<TAnswer> PostForLineAsync<TRequest, TAnswer>(
        string path, TRequest request, JsonTypeInfo<TRequest> requestType, JsonTypeInfo<EtcdLine<TAnswer>> answerType,
        CancellationToken cancellationToken)
        where TAnswer : class =>
        SendAsync(
            path,
            JsonSerializer.SerializeToUtf8Bytes(request, requestType),
            repeatable: true,
            async (stream, cancelled) =>
            {
                using (stream)
                {
                    return ReadLine(stream.Endpoint, await stream.ReadLineAsync(MaxLine, cancelled).ConfigureAwait(false), answerType);
                }
            },
            cancellationToken);

    /// <summary>An answer that is a stream, and its first line. The caller disposes of the stream.</summary>
    /// <inheritdoc cref="PostAsync"/>
    public Task<(EtcdStream Stream, TAnswer First)> OpenAsync<TRequest, TAnswer>(
        string path, TRequest request, JsonTypeInfo<TRequest> requestType, JsonTypeInfo<EtcdLine<TAnswer>> answerType,
        CancellationToken cancellationToken)
        where TAnswer : class =>
        SendAsync(
            path,
            JsonSerializer.SerializeToUtf8Bytes(request, requestType),
            repeatable: true,
            async (stream, cancelled) =>
            {
                try
                {
                    ReadOnlyMemory<byte> line = await stream.ReadLineAsync(MaxLine, cancelled).ConfigureAwait(false);
                    return (stream, ReadLine(stream.Endpoint, line, answerType));
                }
                catch
                {
                    stream.Dispose();
                    throw;
                }
            },
            cancellationToken);

    /// <summary>What a line of a stream says.</summary>
    /// <exception cref="JsonException">It is nothing that etcd would say.</exception>
    /// <exception cref="ClusterStoreException">It is an error.</exception>
    public static T ReadLine<T>(Uri endpoint, ReadOnlyMemory<byte> line, JsonTypeInfo<EtcdLine<T>> type)
        where T : class =>
        JsonSerializer.Deserialize(line.Span, type)?.Result
        ?? throw (EtcdError.Read(line) is { } error
            ? new ClusterStoreException($"etcd at {Name(endpoint)} refused: {error.Message}") { Refusal = error.Code }
            : new JsonException("neither a result nor an error"));

    /// <summary>Authenticates anew before the next request.</summary>
    public void ForgetToken() => _token = null;

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private static string Name(Uri endpoint) => endpoint.GetComponents(UriComponents.SchemeAndServer, UriFormat.UriEscaped);

    private static Func<EtcdStream, CancellationToken, Task<T>> ReadAnswer<T>(JsonTypeInfo<T> type)
        where T : class =>
        async (stream, cancelled) =>
        {
            using (stream)
            {
                ReadOnlyMemory<byte> answer = await stream.ReadToEndAsync(MaxAnswer, cancelled).ConfigureAwait(false);
                return JsonSerializer.Deserialize(answer.Span, type) ?? throw new JsonException("null");
            }
        };

    private async Task<T> SendAsync<T>(
        string path, byte[] body, bool repeatable, Func<EtcdStream, CancellationToken, Task<T>> read, CancellationToken cancellationToken)
    {
        List<string> problems = [];
        foreach (Uri endpoint in _endpoints.InOrder(Now))
        {
            try
            {
                T answer = await SendAuthenticatedAsync(endpoint, path, body, read, cancellationToken).ConfigureAwait(false);
                _endpoints.Succeeded(endpoint);
                return answer;
            }
            catch (EtcdFailureException failure)
            {
                problems.Add($"{Name(endpoint)}: {failure.Message}");
                _endpoints.Failed(endpoint, Now);
                _problem($"etcd at {problems[^1]}");
                if (failure.MayHaveHappened && !repeatable)
                {
                    break;
                }
            }
        }

        throw new ClusterStoreException($"etcd does not answer {path}: {string.Join("; ", problems)}");
    }

    private async Task<T> SendAuthenticatedAsync<T>(
        Uri endpoint, string path, byte[] body, Func<EtcdStream, CancellationToken, Task<T>> read, CancellationToken cancellationToken)
    {
        string? token = _token;
        if (token is not null)
        {
            try
            {
                return await SendOnceAsync(endpoint, path, body, token, read, cancellationToken).ConfigureAwait(false);
            }
            catch (ClusterStoreException refusal) when (IsTokenRefusal(refusal))
            {
                Interlocked.CompareExchange(ref _token, null, token);
            }
        }

        if (_options.Username is { } name)
        {
            byte[] user = JsonSerializer.SerializeToUtf8Bytes(new EtcdUser(name, _options.Password ?? ""), EtcdJson.Default.EtcdUser);
            EtcdToken answer = await SendOnceAsync(
                endpoint, "/v3/auth/authenticate", user, token: null, ReadAnswer(EtcdJson.Default.EtcdToken), cancellationToken)
                .ConfigureAwait(false);
            _token = token = answer.Token;
        }

        return await SendOnceAsync(endpoint, path, body, token, read, cancellationToken).ConfigureAwait(false);
    }

    /// <exception cref="EtcdFailureException">Another endpoint may do better.</exception>
    /// <exception cref="ClusterStoreException">Refused, as any endpoint would.</exception>
    private async Task<T> SendOnceAsync<T>(
        Uri endpoint, string path, byte[] body, string? token, Func<EtcdStream, CancellationToken, Task<T>> read,
        CancellationToken cancellationToken)
    {
        using CancellationTokenSource timeout = new(_options.RequestTimeout, _time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            using HttpRequestMessage request = new(HttpMethod.Post, new Uri(endpoint, path)) { Content = new ByteArrayContent(body) };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");

            // A member that is cut off from the others says so, instead of being silent.
            request.Headers.TryAddWithoutValidation("Grpc-Metadata-Hasleader", "true");
            if (token is not null)
            {
                request.Headers.TryAddWithoutValidation("Authorization", token);
            }

            HttpResponseMessage response = await _http.SendAsync(request, either.Token).ConfigureAwait(false);
            EtcdStream stream = await EtcdStream.OpenAsync(endpoint, response, either.Token).ConfigureAwait(false);
            if (!response.IsSuccessStatusCode)
            {
                using (stream)
                {
                    ReadOnlyMemory<byte> answer = await stream.ReadToEndAsync(MaxErrorAnswer, either.Token).ConfigureAwait(false);
                    throw EtcdError.Read(answer) is { } error
                        ? new ClusterStoreException($"etcd at {Name(endpoint)} refused {path}: {error.Message}") { Refusal = error.Code }
                        : new EtcdFailureException($"it answered {(int)response.StatusCode}, not as etcd 3.4 and later do", mayHaveHappened: true);
                }
            }

            return await read(stream, either.Token).ConfigureAwait(false);
        }
        catch (ClusterStoreException refusal) when (EtcdFailureException.IsPassing(refusal.Refusal))
        {
            throw new EtcdFailureException(refusal.Message, mayHaveHappened: true, refusal);
        }
        catch (Exception exception) when (!(exception is OperationCanceledException && cancellationToken.IsCancellationRequested)
            && EtcdFailureException.Of(exception, timeout.IsCancellationRequested, _options.RequestTimeout) is { } failure)
        {
            throw failure;
        }
    }

    private static bool IsTokenRefusal(ClusterStoreException refusal) => refusal.Refusal == EtcdError.Unauthenticated
        || (refusal.Refusal == EtcdError.InvalidArgument && refusal.Message.Contains("auth store", StringComparison.Ordinal));
}
