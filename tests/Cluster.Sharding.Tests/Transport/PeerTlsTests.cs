using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sharding.Membership;
using Cluster.Sharding.Transport;

namespace Cluster.Sharding.Tests.Transport;

public sealed class PeerTlsTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("actorsampling-peer-tls");
    private int _serial;

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public async Task SameCa_Connects_AndCarriesAnything()
    {
        using X509Certificate2 ca = Authority();
        PeerTlsOptions first = Issue(ca, ca);
        PeerTlsOptions second = Issue(ca, ca);
        await using TestNode a = new("a", options => options with { Tls = first });
        await using TestNode b = new("b", options => options with { Tls = second });
        await TestNode.ConnectAsync(a, b);
        byte[] payload = new byte[3 << 20];
        new Random(4).NextBytes(payload);
        for (ulong id = 0; id < 10; id++)
        {
            Assert.Equal(PeerSend.Queued, a.Links.Send(b.Id, PeerMessageKind.Replicate, 1, id, payload.AsSpan((int)id)));
            Assert.Equal(PeerSend.Queued, b.Links.Send(a.Id, PeerMessageKind.Replicated, 1, id, [1]));
        }

        for (ulong id = 0; id < 10; id++)
        {
            Received there = await b.ReceiveAsync();
            Assert.Equal(id, there.Id);
            Assert.True(there.Payload.AsSpan().SequenceEqual(payload.AsSpan((int)id)));
            Assert.Equal(id, (await a.ReceiveAsync()).Id);
        }

        a.Links.SetPeers([]);
        await b.SeesAsync("a Incoming lost");
    }

    [Fact]
    public async Task OtherCa_IsRefusedByBothSides()
    {
        using X509Certificate2 ca = Authority();
        using X509Certificate2 otherCa = Authority();
        PeerTlsOptions right = Issue(ca, ca);
        PeerTlsOptions wrong = Issue(otherCa, otherCa);
        PeerTlsOptions trustsButIsNotTrusted = Issue(otherCa, ca);
        await using TestNode a = new("a", options => options with { Tls = right });
        await using TestNode b = new("b", options => options with { Tls = wrong });
        await using TestNode c = new("c", options => options with { Tls = trustsButIsNotTrusted });

        // Of each pair one at least shows what the other does not trust.
        Member[] all = [a.Member, b.Member, c.Member];
        a.Links.SetPeers(all);
        b.Links.SetPeers(all);
        c.Links.SetPeers(all);
        await a.ComplainsAsync("b/0000000000000001 at");
        await a.ComplainsAsync("c/0000000000000001 at");
        await b.ComplainsAsync("a/0000000000000001 at");
        await c.ComplainsAsync("a/0000000000000001 at");
        Assert.All(a.Links.Status.Peers.Concat(c.Links.Status.Peers), peer => Assert.Equal((0, false), (peer.Connects, peer.IsConnected)));
    }

    [Fact]
    public async Task Plain_ToTls_IsRefused()
    {
        using X509Certificate2 ca = Authority();
        PeerTlsOptions tls = Issue(ca, ca);
        await using TestNode a = new("a", options => options with { Tls = tls });
        await using TestNode b = new("b");
        a.Links.SetPeers([b.Member]);
        b.Links.SetPeers([a.Member]);
        await a.ComplainsAsync("b/0000000000000001 at");
        await b.ComplainsAsync("a/0000000000000001 at");
        await b.ComplainsAsync("what speaks there is no node of a cluster (or one with other TLS settings)");
        Assert.Equal((0, 0), (a.Links.Status.Peers[0].Connects, b.Links.Status.Peers[0].Connects));
    }

    [Fact]
    public void Load_FilesThatAreMissingOrEmpty_AreNamed()
    {
        using X509Certificate2 ca = Authority();
        PeerTlsOptions good = Issue(ca, ca);
        string empty = Write("nothing");
        Assert.Contains(empty, Assert.Throws<CryptographicException>(() => PeerTls.Load(good with { CaFile = empty })).Message, StringComparison.Ordinal);
        Assert.Contains(empty, Assert.Throws<CryptographicException>(() => PeerTls.Load(good with { CertFile = empty })).Message, StringComparison.Ordinal);
        Assert.Contains(empty, Assert.Throws<CryptographicException>(() => PeerTls.Load(good with { KeyFile = empty })).Message, StringComparison.Ordinal);
        Assert.ThrowsAny<IOException>(() => PeerTls.Load(good with { CaFile = "/not/there.pem" }));
    }

    private static X509Certificate2 Authority()
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new("CN=ca", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        DateTimeOffset now = DateTimeOffset.UtcNow;
        return request.CreateSelfSigned(now.AddDays(-1), now.AddDays(2));
    }

    /// <summary>A node's files: a certificate of <paramref name="issuer"/>, trust in <paramref name="trusted"/>.</summary>
    private PeerTlsOptions Issue(X509Certificate2 issuer, X509Certificate2 trusted)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new("CN=whatever", key, HashAlgorithmName.SHA256);
        DateTimeOffset now = DateTimeOffset.UtcNow;
        using X509Certificate2 certificate = request.Create(issuer, now.AddHours(-1), now.AddHours(1), [1, (byte)++_serial]);
        return new PeerTlsOptions
        {
            CertFile = Write(certificate.ExportCertificatePem()),
            KeyFile = Write(key.ExportPkcs8PrivateKeyPem()),
            CaFile = Write(trusted.ExportCertificatePem()),
        };
    }

    private string Write(string pem)
    {
        string path = Path.Combine(_directory.FullName, $"{++_serial}.pem");
        File.WriteAllText(path, pem);
        return path;
    }
}
