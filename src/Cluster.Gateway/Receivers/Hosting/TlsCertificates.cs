using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Cluster.Gateway.Receivers.Otlp;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Cluster.Gateway.Receivers.Hosting;

/// <summary>TLS of a door, from PEM files.</summary>
internal static class TlsCertificates
{
    private const string ClientAuthentication = "1.3.6.1.5.5.7.3.2";

    /// <summary>Reads the files.</summary>
    /// <exception cref="IOException">A file cannot be read, or may not be.</exception>
    /// <exception cref="CryptographicException">A file holds no certificate or key. Both messages name the file.</exception>
    public static HttpsConnectionAdapterOptions Load(TlsServerOptions options)
    {
        X509Certificate2Collection chain = ReadCertificates("cert_file", options.CertFile);
        HttpsConnectionAdapterOptions https = new()
        {
            ServerCertificate = Read(
                $"tls.key_file {options.KeyFile}", () => X509Certificate2.CreateFromPemFile(options.CertFile, options.KeyFile)),
            ServerCertificateChain = chain,
        };
        if (options.ClientCaFile is { } file)
        {
            X509Certificate2Collection authorities = ReadCertificates("client_ca_file", file);
            https.ClientCertificateMode = ClientCertificateMode.RequireCertificate;
            https.ClientCertificateValidation = (certificate, _, _) => IsSignedBy(authorities, certificate);
        }

        return https;
    }

    private static X509Certificate2Collection ReadCertificates(string key, string file)
    {
        X509Certificate2Collection certificates = [];
        Read($"tls.{key} {file}", () =>
        {
            certificates.ImportFromPemFile(file);
            return certificates.Count > 0 ? certificates : throw new CryptographicException("it holds no certificate");
        });
        return certificates;
    }

    private static T Read<T>(string what, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (CryptographicException exception)
        {
            throw new CryptographicException($"{what}: {exception.Message}", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"{what}: {exception.Message}", exception);
        }
    }

    private static bool IsSignedBy(X509Certificate2Collection authorities, X509Certificate2 certificate)
    {
        using X509Chain chain = new();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(authorities);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid(ClientAuthentication));
        return chain.Build(certificate);
    }
}
