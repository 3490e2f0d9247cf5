using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Cluster.Gateway.Receivers.Hosting;
using Cluster.Gateway.Receivers.Otlp;

namespace Cluster.Gateway.Tests.Receivers;

/// <summary>TLS and client certificates, with an authority of the test's own.</summary>
public sealed class TlsTests : IDisposable
{
    private static readonly byte[] Message = Bytes.Noise(1000);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("doors-tls-");
    private readonly X509Certificate2 _authority = MakeAuthority("test authority");

    [Fact]
    public async Task Export_OverTls_IsTakenOverHttp2()
    {
        await using DoorHost host = await DoorHost.StartAsync(grpc: new OtlpGrpcOptions { Tls = ServerTls() });
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url, Handler());

        GrpcResult result = await client.ExportAsync(Message);

        Assert.Equal("https", host.Receiver.Grpc.Url.Scheme);
        Assert.Equal((0, HttpVersion.Version20), (result.Code, result.Response.Version));
        Assert.Equal(Message, Assert.Single(host.Consumer.Requests));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Post_OverTls_IsTakenOverEitherVersion(int version)
    {
        await using DoorHost host = await DoorHost.StartAsync(http: new OtlpHttpOptions { Tls = ServerTls() });
        using HttpClient client = new(Handler());
        using HttpRequestMessage request = new(HttpMethod.Post, new Uri(host.Receiver.Http!.Url, "/v1/traces"))
        {
            Version = new Version(version, version == 1 ? 1 : 0),
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(Message) { Headers = { { "Content-Type", "application/x-protobuf" } } },
        };

        using HttpResponseMessage response = await client.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal((HttpStatusCode.OK, version), (response.StatusCode, response.Version.Major));
        Assert.Equal(Message, Assert.Single(host.Consumer.Requests));
    }

    [Theory]
    [InlineData("own", true)]
    [InlineData("other", false)]
    [InlineData("server only", false)]
    [InlineData("none", false)]
    public async Task Export_ClientAuthorityConfigured_TakesItsClientsOnly(string which, bool taken)
    {
        TlsServerOptions tls = ServerTls() with { ClientCaFile = Write("ca.pem", _authority.ExportCertificatePem()) };
        await using DoorHost host = await DoorHost.StartAsync(grpc: new OtlpGrpcOptions { Tls = tls });
        using X509Certificate2 other = MakeAuthority("another authority");
        X509Certificate2? certificate = which switch
        {
            "own" => Issue(_authority, "client", "1.3.6.1.5.5.7.3.2"),
            "other" => Issue(other, "client", "1.3.6.1.5.5.7.3.2"),
            "server only" => Issue(_authority, "client", "1.3.6.1.5.5.7.3.1"),
            _ => null,
        };
        using GrpcTestClient client = new(host.Receiver.Grpc!.Url, Handler(certificate));

        if (taken)
        {
            Assert.Equal(0, (await client.ExportAsync(Message)).Code);
        }
        else
        {
            await Assert.ThrowsAsync<HttpRequestException>(() => client.ExportAsync(Message));
            Assert.Empty(host.Consumer.Requests);
        }

        certificate?.Dispose();
    }

    [Fact]
    public void Load_MissingOrWrongFiles_Throws()
    {
        TlsServerOptions good = ServerTls();

        Assert.ThrowsAny<IOException>(() => TlsCertificates.Load(good with { CertFile = Path.Combine(_folder.FullName, "nowhere.pem") }));
        Assert.ThrowsAny<IOException>(() => TlsCertificates.Load(good with { KeyFile = Path.Combine(_folder.FullName, "nowhere.pem") }));
        Assert.ThrowsAny<CryptographicException>(() => TlsCertificates.Load(good with { CertFile = Write("empty.pem", "nothing") }));
        Assert.ThrowsAny<CryptographicException>(() => TlsCertificates.Load(good with { KeyFile = Write("empty.pem", "nothing") }));
        Assert.ThrowsAny<CryptographicException>(() => TlsCertificates.Load(good with { ClientCaFile = Write("empty.pem", "nothing") }));
    }

    [Fact]
    public void Load_WrongFiles_MessageNamesKeyAndFile()
    {
        TlsServerOptions good = ServerTls();
        string empty = Write("empty.pem", "nothing");

        Assert.StartsWith(
            $"tls.cert_file {empty}: ",
            Assert.ThrowsAny<CryptographicException>(() => TlsCertificates.Load(good with { CertFile = empty })).Message,
            StringComparison.Ordinal);
        Assert.StartsWith(
            $"tls.key_file {empty}: ",
            Assert.ThrowsAny<CryptographicException>(() => TlsCertificates.Load(good with { KeyFile = empty })).Message,
            StringComparison.Ordinal);
        Assert.StartsWith(
            $"tls.client_ca_file {empty}: ",
            Assert.ThrowsAny<CryptographicException>(() => TlsCertificates.Load(good with { ClientCaFile = empty })).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Load_FileThatMayNotBeRead_IsAnIOException()
    {
        // Opening a directory is refused like a file without the right to read it, also for root.
        IOException exception = Assert.ThrowsAny<IOException>(() => TlsCertificates.Load(ServerTls() with { KeyFile = _folder.FullName }));

        Assert.StartsWith($"tls.key_file {_folder.FullName}: ", exception.Message, StringComparison.Ordinal);
    }

    public void Dispose()
    {
        _authority.Dispose();
        _folder.Delete(recursive: true);
    }

    private static X509Certificate2 MakeAuthority(string name)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
    }

    private static X509Certificate2 Issue(X509Certificate2 authority, string name, string purpose)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(purpose)], false));
        SubjectAlternativeNameBuilder names = new();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using X509Certificate2 signed = request.Create(
            authority, authority.NotBefore, authority.NotAfter, RandomNumberGenerator.GetBytes(8));
        return signed.CopyWithPrivateKey(key);
    }

    private TlsServerOptions ServerTls()
    {
        using X509Certificate2 certificate = Issue(_authority, "server", "1.3.6.1.5.5.7.3.1");
        using ECDsa key = certificate.GetECDsaPrivateKey()!;
        return new TlsServerOptions
        {
            CertFile = Write("server.pem", certificate.ExportCertificatePem()),
            KeyFile = Write("server.key", key.ExportPkcs8PrivateKeyPem()),
        };
    }

    private SocketsHttpHandler Handler(X509Certificate2? certificate = null)
    {
        SocketsHttpHandler handler = new()
        {
            SslOptions = new SslClientAuthenticationOptions
            {
                CertificateChainPolicy = new X509ChainPolicy
                {
                    TrustMode = X509ChainTrustMode.CustomRootTrust,
                    RevocationMode = X509RevocationMode.NoCheck,
                    CustomTrustStore = { _authority },
                },
            },
        };
        if (certificate is not null)
        {
            handler.SslOptions.LocalCertificateSelectionCallback = (_, _, _, _, _) => certificate;
        }

        return handler;
    }

    private string Write(string name, string text)
    {
        string path = Path.Combine(_folder.FullName, name);
        File.WriteAllText(path, text);
        return path;
    }
}
