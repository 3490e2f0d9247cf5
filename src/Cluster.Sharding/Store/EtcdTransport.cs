using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Cluster.Sharding.Store;

/// <summary>Connections to etcd.</summary>
internal static class EtcdTransport
{
    /// <summary>HTTP/1.1: to its clear-text port, etcd takes HTTP/2 for gRPC only.</summary>
    /// <exception cref="IOException">A file of <paramref name="options"/> cannot be read.</exception>
    /// <exception cref="CryptographicException">A file of it is no certificate or key. Both messages name the file.</exception>
    public static SocketsHttpHandler CreateHandler(EtcdOptions options) => new()
    {
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        UseCookies = false,
        UseProxy = false,
        ActivityHeadersPropagator = null,

        // Shorter than the request's: a request that found no connection surely did not happen, and can go to another endpoint.
        ConnectTimeout = options.RequestTimeout / 2,
        SslOptions = CreateTls(options),
    };

    private static SslClientAuthenticationOptions CreateTls(EtcdOptions options)
    {
        SslClientAuthenticationOptions tls = new();
        if (options.CaFile is { } caFile)
        {
            X509ChainPolicy policy = new() { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.AddRange(ReadCertificates(caFile));
            tls.CertificateChainPolicy = policy;
        }

        if (options.CertFile is { } certFile)
        {
            X509Certificate2Collection chain = ReadCertificates(certFile);
            chain.RemoveAt(0);
            X509Certificate2 certificate = Read(
                options.KeyFile ?? certFile, () => X509Certificate2.CreateFromPemFile(certFile, options.KeyFile));
            tls.ClientCertificateContext = SslStreamCertificateContext.Create(certificate, chain, offline: true);
        }

        return tls;
    }

    private static X509Certificate2Collection ReadCertificates(string file) => Read(file, () =>
    {
        X509Certificate2Collection certificates = [];
        certificates.ImportFromPemFile(file);
        return certificates.Count > 0 ? certificates : throw new CryptographicException("it holds no certificate");
    });

    private static T Read<T>(string file, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (CryptographicException exception)
        {
            throw new CryptographicException($"{file}: {exception.Message}", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"{file}: {exception.Message}", exception);
        }
    }
}
