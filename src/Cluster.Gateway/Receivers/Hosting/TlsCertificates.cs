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
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="CryptographicException">A file holds no certificate or key.</exception>
    public static HttpsConnectionAdapterOptions Load(TlsServerOptions options)
    {
        X509Certificate2Collection chain = [];
        chain.ImportFromPemFile(options.CertFile);
        HttpsConnectionAdapterOptions https = new()
        {
            ServerCertificate = X509Certificate2.CreateFromPemFile(options.CertFile, options.KeyFile),
            ServerCertificateChain = chain,
        };
        if (options.ClientCaFile is { } file)
        {
            X509Certificate2Collection authorities = [];
            authorities.ImportFromPemFile(file);
            if (authorities.Count == 0)
            {
                throw new CryptographicException($"{file} holds no certificate");
            }

            https.ClientCertificateMode = ClientCertificateMode.RequireCertificate;
            https.ClientCertificateValidation = (certificate, _, _) => IsSignedBy(authorities, certificate);
        }

        return https;
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
