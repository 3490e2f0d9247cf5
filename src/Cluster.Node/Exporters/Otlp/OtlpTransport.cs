using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Cluster.Node.Exporters.Otlp;

/// <summary>Connections of an OTLP exporter: pools, keep-alive, TLS, and the headers that every request carries.</summary>
internal static class OtlpTransport
{
    private static readonly TimeSpan PingAfterSilence = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan PingTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan DefaultConnectTimeout = TimeSpan.FromSeconds(15);

    // Connections are renewed so that a changed DNS answer is noticed.
    private static readonly TimeSpan ConnectionLifetime = TimeSpan.FromMinutes(5);

    // Set by the client itself; a configured value would break the request.
    private static readonly string[] OwnHeaders =
    [
        "content-type", "content-length", "content-encoding", "transfer-encoding", "te", "connection",
        "grpc-encoding", "grpc-timeout", "grpc-status",
    ];

    /// <summary><c>ActorSampling/1.2.3</c>.</summary>
    public static string UserAgent { get; } =
        $"ActorSampling/{typeof(OtlpTransport).Assembly.GetName().Version?.ToString(3) ?? "0"}";

    /// <summary>
    /// A client with its own pool of connections. It goes through the proxy that the environment names, but not to this machine, and not for
    /// cleartext HTTP/2: a proxy speaks HTTP/1.1 there, while through TLS it only passes bytes on.
    /// </summary>
    /// <exception cref="IOException">A file of <paramref name="options"/> cannot be read.</exception>
    /// <exception cref="System.Security.Cryptography.CryptographicException">A file of it is no certificate or key.</exception>
    public static HttpMessageInvoker CreateInvoker(SendingExporterOptions options, Uri endpoint, bool http2)
    {
        SocketsHttpHandler handler = new()
        {
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            UseCookies = false,
            UseProxy = !endpoint.IsLoopback && (!http2 || endpoint.Scheme == Uri.UriSchemeHttps),
            ActivityHeadersPropagator = null,
            EnableMultipleHttp2Connections = true,
            ConnectTimeout = options.Timeout > TimeSpan.Zero ? options.Timeout : DefaultConnectTimeout,
            PooledConnectionLifetime = ConnectionLifetime,

            // Finds connections that a failover or a firewall made silent, but only while an answer is awaited: receivers punish
            // idle pings.
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
            KeepAlivePingDelay = PingAfterSilence,
            KeepAlivePingTimeout = PingTimeout,
            SslOptions = CreateTls(options.Tls),
        };
        return new HttpMessageInvoker(handler, disposeHandler: true);
    }

    /// <summary>Headers that were configured, checked once.</summary>
    /// <exception cref="FormatException">A name or a value cannot be sent.</exception>
    public static KeyValuePair<string, string>[] CheckHeaders(IReadOnlyDictionary<string, string> headers)
    {
        List<KeyValuePair<string, string>> usable = [];
        using HttpRequestMessage probe = new();
        foreach (KeyValuePair<string, string> header in headers)
        {
            if (OwnHeaders.Contains(header.Key, StringComparer.OrdinalIgnoreCase))
            {
                throw new FormatException($"the header '{header.Key}' is set by the exporter itself");
            }

            if (header.Value.AsSpan().IndexOfAny('\r', '\n', '\0') >= 0 || !probe.Headers.TryAddWithoutValidation(header.Key, header.Value))
            {
                throw new FormatException($"the header '{header.Key}' has a name or a value that cannot be sent");
            }

            usable.Add(header);
        }

        return [.. usable];
    }

    /// <summary>Adds what every request carries.</summary>
    public static void AddHeaders(HttpRequestMessage request, KeyValuePair<string, string>[] headers, TlsClientOptions tls)
    {
        foreach (KeyValuePair<string, string> header in headers)
        {
            request.Headers.TryAddWithoutValidation(header.Key, header.Value);
        }

        if (!request.Headers.NonValidated.Contains("user-agent"))
        {
            request.Headers.TryAddWithoutValidation("user-agent", UserAgent);
        }

        if (tls.ServerName is { Length: > 0 } name)
        {
            // The name in the certificate is checked against the authority of the request.
            request.Headers.Host = name;
        }
    }

    /// <summary>An address without user information and query, which may hold secrets.</summary>
    public static string Redact(Uri endpoint) =>
        endpoint.GetComponents(UriComponents.Scheme | UriComponents.HostAndPort | UriComponents.Path, UriFormat.UriEscaped).TrimEnd('/');

    [SuppressMessage("Security", "CA5359", Justification = "insecure_skip_verify asks for it.")]
    private static SslClientAuthenticationOptions CreateTls(TlsClientOptions options)
    {
        SslClientAuthenticationOptions tls = new();
        if (options.InsecureSkipVerify)
        {
            tls.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
        }
        else if (options.CaFile is { } caFile)
        {
            X509ChainPolicy policy = new() { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.ImportFromPemFile(caFile);
            if (policy.CustomTrustStore.Count == 0)
            {
                throw new CryptographicException($"tls.ca_file {caFile}: it holds no certificate");
            }

            tls.CertificateChainPolicy = policy;
        }

        if (options.CertFile is { } certFile)
        {
            X509Certificate2 certificate = X509Certificate2.CreateFromPemFile(certFile, options.KeyFile);
            X509Certificate2Collection chain = [];
            chain.ImportFromPemFile(certFile);
            chain.RemoveAt(0);
            tls.ClientCertificateContext = SslStreamCertificateContext.Create(certificate, chain, offline: true);
        }

        return tls;
    }
}
