using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Cluster.Sharding.Transport;

/// <summary>Mutual TLS of the connections between nodes. Immutable, thread-safe.</summary>
internal sealed class PeerTls
{
    // Names are not looked at, but a client has to ask for one.
    private const string AnyName = "peer";
    private const SslProtocols Protocols = SslProtocols.Tls12 | SslProtocols.Tls13;

    private readonly SslStreamCertificateContext _own;
    private readonly X509Certificate2Collection _authorities;

    private PeerTls(SslStreamCertificateContext own, X509Certificate2Collection authorities)
    {
        _own = own;
        _authorities = authorities;
    }

    /// <summary>Reads the files.</summary>
    /// <exception cref="IOException">A file cannot be read, or may not be.</exception>
    /// <exception cref="CryptographicException">A file holds no certificate or key. Both messages name the file.</exception>
    public static PeerTls Load(PeerTlsOptions options)
    {
        X509Certificate2Collection chain = ReadCertificates("cert_file", options.CertFile);
        X509Certificate2 certificate = Read(
            $"tls.key_file {options.KeyFile}", () => X509Certificate2.CreateFromPemFile(options.CertFile, options.KeyFile));
        return new PeerTls(
            SslStreamCertificateContext.Create(certificate, chain, offline: true), ReadCertificates("ca_file", options.CaFile));
    }

    /// <summary>Speaks TLS over a connection that this node dialled.</summary>
    public async Task<Stream> AsClientAsync(Stream stream, CancellationToken cancellationToken)
    {
        SslStream secured = new(stream);
        await secured.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions
            {
                TargetHost = AnyName,
                ClientCertificateContext = _own,
                EnabledSslProtocols = Protocols,
                RemoteCertificateValidationCallback = IsSigned,
            },
            cancellationToken);
        return secured;
    }

    /// <summary>Speaks TLS over a connection that a peer dialled.</summary>
    public async Task<Stream> AsServerAsync(Stream stream, CancellationToken cancellationToken)
    {
        SslStream secured = new(stream);
        await secured.AuthenticateAsServerAsync(
            new SslServerAuthenticationOptions
            {
                ServerCertificateContext = _own,
                ClientCertificateRequired = true,
                EnabledSslProtocols = Protocols,
                RemoteCertificateValidationCallback = IsSigned,
            },
            cancellationToken);
        return secured;
    }

    private bool IsSigned(object sender, X509Certificate? certificate, X509Chain? sent, SslPolicyErrors errors)
    {
        if (certificate is not X509Certificate2 theirs)
        {
            return false;
        }

        using X509Chain chain = new();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(_authorities);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        if (sent is not null)
        {
            chain.ChainPolicy.ExtraStore.AddRange(sent.ChainPolicy.ExtraStore);
        }

        return chain.Build(theirs);
    }

    private static X509Certificate2Collection ReadCertificates(string key, string file)
    {
        X509Certificate2Collection certificates = [];
        return Read($"tls.{key} {file}", () =>
        {
            certificates.ImportFromPemFile(file);
            return certificates.Count > 0 ? certificates : throw new CryptographicException("it holds no certificate");
        });
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
}
