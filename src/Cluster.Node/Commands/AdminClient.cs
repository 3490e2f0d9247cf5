using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Cluster.Node.Admin;
using Cluster.Node.Telemetry;

namespace Cluster.Node.Commands;

/// <summary>An admin endpoint could not be asked, or said no.</summary>
internal sealed class AdminClientException(int exitCode, string message) : Exception(message)
{
    /// <summary>What the process ends with.</summary>
    public int ExitCode { get; } = exitCode;
}

/// <summary>Asks the admin endpoint of a running node.</summary>
internal sealed class AdminClient(HttpMessageHandler handler, Uri endpoint) : IDisposable
{
    /// <summary>Longer than any answer takes that does not wait on purpose.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly HttpClient _http = new(handler) { Timeout = Patience, BaseAddress = endpoint };

    /// <summary>Asks for one page.</summary>
    /// <exception cref="AdminClientException">Nobody answers, or not with the page.</exception>
    public async Task<T> AskAsync<T>(HttpMethod method, string path, JsonTypeInfo<T> type, CancellationToken cancellationToken)
        where T : class
    {
        string name = endpoint.GetLeftPart(UriPartial.Authority);
        try
        {
            using HttpRequestMessage request = new(method, path);
            using HttpResponseMessage response = await _http.SendAsync(request, cancellationToken);
            string body = await response.Content.ReadAsStringAsync(cancellationToken);
            if (response.IsSuccessStatusCode)
            {
                return JsonSerializer.Deserialize(body, type) ?? throw new JsonException();
            }

            ProblemJson? problem = JsonSerializer.Deserialize(body, AdminJson.Default.ProblemJson);
            throw new AdminClientException(
                CommandLine.FoundWrong, $"{name}: {Text.Shorten(problem?.Detail ?? throw new JsonException(), 1000)}");
        }
        catch (JsonException)
        {
            throw new AdminClientException(CommandLine.Usage, $"{name} is not the admin endpoint of a node; name one with --admin");
        }
        catch (HttpRequestException e)
        {
            throw new AdminClientException(
                CommandLine.Usage,
                e.HttpRequestError == HttpRequestError.ConnectionError || e.InnerException is not HttpIOException
                    ? $"{name} cannot be reached: {e.Message}; name the admin endpoint of a running node with --admin"
                    : $"{name} is not the admin endpoint of a node: {e.Message}; name one with --admin");
        }
        catch (TaskCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new AdminClientException(CommandLine.Usage, $"{name} did not answer within {Patience.TotalSeconds} seconds");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();
}
