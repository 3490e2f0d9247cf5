using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Cluster.Sharding.Store;
using Cluster.Testing;

namespace Cluster.Sharding.Tests.Store;

/// <summary>A real etcd that stops, hangs, or wants to know who asks.</summary>
public sealed class EtcdFailureTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Watch_OverARestart_LosesAndRepeatsNothing(bool kill)
    {
        await using EtcdProcess etcd = await EtcdProcess.StartAsync();
        await using EtcdClusterStore store = new(Options(etcd), TimeProvider.System, new Random(1));
        long start = (await store.ListAsync("", default)).Revision;
        await using WatchReader watch = new(store.WatchAsync("", start, default));
        Assert.Equal(await PutAsync(store, "a"), (await watch.NextAsync()).Revision);
        Task<StoreChanges> next = watch.NextAsync();

        await (kill ? etcd.KillAsync() : etcd.StopAsync());
        ClusterStoreException error = await Assert.ThrowsAsync<ClusterStoreException>(() => store.ListAsync("", default));
        Assert.Contains($"{etcd.Endpoint.Port}: ", error.Message, StringComparison.Ordinal);
        await etcd.RestartAsync();

        long second = await PutAsync(store, "b");
        long third = await PutAsync(store, "a");
        Assert.Equal(second, (await next).Revision);
        Assert.Equal(third, (await watch.NextAsync()).Revision);
    }

    [Fact]
    public async Task AnyRequest_ToAnEtcdThatHangs_EndsInTime()
    {
        await using EtcdProcess etcd = await EtcdProcess.StartAsync();
        TimeSpan timeout = TimeSpan.FromMilliseconds(500);
        await using EtcdClusterStore store = new(Options(etcd, timeout), TimeProvider.System, new Random(1));
        await using WatchReader watch = new(store.WatchAsync("", (await store.ListAsync("", default)).Revision, default));
        await PutAsync(store, "a");
        await watch.NextAsync();
        Task<StoreChanges> next = watch.NextAsync();

        await etcd.PauseAsync();
        ClusterStoreException error = await Assert.ThrowsAsync<ClusterStoreException>(() => store.ListAsync("", default));
        Assert.Contains($"127.0.0.1:{etcd.Endpoint.Port}: no answer within 0.5 s", error.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ClusterStoreException>(() => PutAsync(store, "may be set later"));
        etcd.Continue();

        long last = await PutAsync(store, "b");
        while ((await next).Revision < last)
        {
            next = watch.NextAsync();
        }
    }

    [Fact]
    public async Task AnyRequest_OfAUser_IsAuthenticated()
    {
        await using EtcdProcess etcd = await EtcdProcess.StartAsync();
        await etcd.PostAsync("/v3/auth/user/add", """{"name":"root","password":"right"}""");
        await etcd.PostAsync("/v3/auth/role/add", """{"name":"root"}""");
        await etcd.PostAsync("/v3/auth/user/grant", """{"user":"root","role":"root"}""");

        await using EtcdClusterStore early = new(Options(etcd, password: "right"), TimeProvider.System, new Random(1));
        await RefusedAsync(early, "authentication is not enabled");
        await etcd.PostAsync("/v3/auth/enable", "{}");

        await using EtcdClusterStore nobody = new(Options(etcd), TimeProvider.System, new Random(1));
        await RefusedAsync(nobody, "user name is empty");
        await using EtcdClusterStore wrong = new(Options(etcd, password: "wrong"), TimeProvider.System, new Random(1));
        await RefusedAsync(wrong, "authentication failed, invalid user ID or password");

        await using EtcdClusterStore store = new(Options(etcd, password: "right"), TimeProvider.System, new Random(1));
        await using WatchReader watch = new(store.WatchAsync("", (await store.ListAsync("", default)).Revision, default));
        Assert.Equal(await PutAsync(store, "a"), (await watch.NextAsync()).Revision);

        // A restarted etcd knows no token.
        Task<StoreChanges> next = watch.NextAsync();
        await etcd.StopAsync();
        await etcd.RestartAsync();
        Assert.Single((await store.ListAsync("", default)).Entries);
        Assert.Equal(await PutAsync(store, "b"), (await next).Revision);

        async Task RefusedAsync(EtcdClusterStore refused, string why)
        {
            ClusterStoreException error = await Assert.ThrowsAsync<ClusterStoreException>(() => refused.ListAsync("", default));
            Assert.Contains(why, error.Message, StringComparison.Ordinal);
            Assert.Contains($"http://127.0.0.1:{etcd.Endpoint.Port}", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task AnyRequest_OverTls_ShowsAndChecksCertificates()
    {
        string folder = Directory.CreateTempSubdirectory("actorsampling-tls-").FullName;
        EtcdTls ours = WriteCertificates(folder, "ours");
        EtcdTls theirs = WriteCertificates(folder, "theirs");
        await using (EtcdProcess etcd = await EtcdProcess.StartAsync(ours))
        {
            await using EtcdClusterStore store = new(WithTls(ours.CaFile, ours), TimeProvider.System, new Random(1));
            await PutAsync(store, "a");
            await using WatchReader watch = new(store.WatchAsync("", 0, default));
            Assert.Equal("a", Assert.Single((await watch.NextAsync()).Put).Key);

            await using EtcdClusterStore distrustful = new(WithTls(theirs.CaFile, ours), TimeProvider.System, new Random(1));
            ClusterStoreException error = await Assert.ThrowsAsync<ClusterStoreException>(() => distrustful.ListAsync("", default));
            Assert.Contains("certificate", error.Message, StringComparison.Ordinal);
            await using EtcdClusterStore distrusted = new(WithTls(ours.CaFile, theirs), TimeProvider.System, new Random(1));
            await Assert.ThrowsAsync<ClusterStoreException>(() => distrusted.ListAsync("", default));

            EtcdOptions WithTls(string caFile, EtcdTls client) => new()
            {
                Endpoints = [etcd.Endpoint],
                Cluster = "test",
                CaFile = caFile,
                CertFile = client.CertFile,
                KeyFile = client.KeyFile,
            };
        }

        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void Store_WithAFileThatIsNoCertificate_SaysWhich()
    {
        EtcdOptions missing = new() { Endpoints = [new("https://127.0.0.1:1")], Cluster = "test", CaFile = "/nowhere/ca.pem" };
        IOException error = Assert.ThrowsAny<IOException>(() => new EtcdClusterStore(missing, TimeProvider.System, new Random(1)));
        Assert.Contains("/nowhere/ca.pem", error.Message, StringComparison.Ordinal);

        EtcdOptions empty = new() { Endpoints = [new("https://127.0.0.1:1")], Cluster = "test", CertFile = "/dev/null" };
        CryptographicException wrong = Assert.Throws<CryptographicException>(
            () => new EtcdClusterStore(empty, TimeProvider.System, new Random(1)));
        Assert.Contains("/dev/null", wrong.Message, StringComparison.Ordinal);
    }

    private static EtcdOptions Options(EtcdProcess etcd, TimeSpan? timeout = null, string? password = null) => new()
    {
        Endpoints = [etcd.Endpoint],
        Cluster = "test",
        RequestTimeout = timeout ?? TimeSpan.FromSeconds(5),
        WatchRenewal = timeout ?? TimeSpan.FromSeconds(5),
        Username = password is null ? null : "root",
        Password = password,
    };

    private static async Task<long> PutAsync(EtcdClusterStore store, string key) =>
        (await store.TryCommitAsync(new([], [new(key, Encoding.UTF8.GetBytes("value"))], []), default).WaitAsync(Patience))!.Value;

    /// <summary>An authority, and a certificate for this machine, for a server and a client.</summary>
    private static EtcdTls WriteCertificates(string folder, string name)
    {
        DateTimeOffset from = TimeProvider.System.GetUtcNow().AddDays(-1);
        using ECDsa caKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest caRequest = new($"CN={name}", caKey, HashAlgorithmName.SHA256);
        caRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        caRequest.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        caRequest.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(caRequest.PublicKey, false));
        using X509Certificate2 ca = caRequest.CreateSelfSigned(from, from.AddDays(7));

        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new("CN=node", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new("1.3.6.1.5.5.7.3.1"), new("1.3.6.1.5.5.7.3.2")], false));
        SubjectAlternativeNameBuilder names = new();
        names.AddIpAddress(System.Net.IPAddress.Loopback);
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        using X509Certificate2 certificate = request.Create(ca, from, from.AddDays(6), [1, 2, 3, 4]);

        EtcdTls files = new(
            Path.Combine(folder, $"{name}.pem"), Path.Combine(folder, $"{name}.key"), Path.Combine(folder, $"{name}-ca.pem"));
        File.WriteAllText(files.CertFile, certificate.ExportCertificatePem());
        File.WriteAllText(files.KeyFile, key.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(files.CaFile, ca.ExportCertificatePem());
        return files;
    }
}
