using Cluster.Node.Configuration;
using Cluster.Sampling.Configuration;

namespace Cluster.Node.Tests.Configuration;

public sealed class ClusterReaderTests
{
    private const string Store = "store: { etcd: { endpoints: ['http://10.0.0.5:2379'] } }";

    [Fact]
    public void Read_NoBlock_IsANodeAlone()
    {
        NodeConfiguration configuration = TestFiles.ReadGood(TestFiles.Minimal());

        Assert.Null(configuration.Cluster);
        Assert.Equal(128, configuration.Sharding.ShardCount);
    }

    [Fact]
    public void Read_LeastBlock_HasTheDefaults()
    {
        ClusterOptions cluster = Read("", out ConfigurationErrors errors)!;

        Assert.Empty(errors.All);
        Assert.Equal("checkout", cluster.Name);
        Assert.Equal(["http://10.0.0.5:2379/"], cluster.Etcd.Endpoints.Select(e => e.ToString()));
        Assert.Null(cluster.Etcd.Username);
        Assert.Equal("host-1", cluster.NodeId);
        Assert.Equal("127.0.0.1:4320", cluster.Listen);
        Assert.Equal("127.0.0.1:4320", cluster.AdvertisedAddress(4320));
        Assert.Equal("", cluster.Zone);
        Assert.True(cluster.IsGateway && cluster.HoldsShards);
        Assert.Equal(1, cluster.Capacity);
        Assert.Null(cluster.PeerTls);
        Assert.Equal((128, 1, 1), (cluster.Shards, cluster.Replicas, cluster.MinInSync));
        Assert.Equal((TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(2)), (cluster.LeaseTimeToLive, cluster.ReplicaTimeout));
    }

    [Fact]
    public void Read_EveryKey_IsTaken()
    {
        NodeConfiguration configuration = TestFiles.ReadGood(TestFiles.Minimal(rest: """
            cluster:
              name: a-2
              store:
                etcd:
                  endpoints: [https://etcd-1:2379, 'https://[::1]:2379/']
                  username: sampler
                  password: secret
                  tls: {ca_file: ca.pem, cert_file: cert.pem, key_file: key.pem}
              node:
                id: Node_1.x
                listen: 0.0.0.0:5320
                advertise: node-1.peers:6320
                zone: eu-1
                roles: [shards]
                capacity: 2.5
                tls: {cert_file: a, key_file: b, ca_file: c}
              shards: 64
              replicas: 2
              min_in_sync: 3
              lease_ttl: 5s
              replica_timeout: 500ms
            """));
        ClusterOptions cluster = configuration.Cluster!;

        Assert.Equal("a-2", cluster.Name);
        Assert.Equal(["https://etcd-1:2379/", "https://[::1]:2379/"], cluster.Etcd.Endpoints.Select(e => e.ToString()));
        Assert.Equal(("sampler", "secret"), (cluster.Etcd.Username, cluster.Etcd.Password));
        Assert.Equal(("ca.pem", "cert.pem", "key.pem"), (cluster.Etcd.CaFile, cluster.Etcd.CertFile, cluster.Etcd.KeyFile));
        Assert.DoesNotContain("secret", configuration.ToString(), StringComparison.Ordinal);
        Assert.Equal(("Node_1.x", "0.0.0.0:5320", "node-1.peers:6320"), (cluster.NodeId, cluster.Listen, cluster.AdvertisedAddress(1)));
        Assert.Equal(("eu-1", 2.5), (cluster.Zone, cluster.Capacity));
        Assert.Equal((false, true), (cluster.IsGateway, cluster.HoldsShards));
        Assert.Equal(new PeerTlsOptions { CertFile = "a", KeyFile = "b", CaFile = "c" }, cluster.PeerTls);
        Assert.Equal((64, 2, 3), (cluster.Shards, cluster.Replicas, cluster.MinInSync));
        Assert.Equal((TimeSpan.FromSeconds(5), TimeSpan.FromMilliseconds(500)), (cluster.LeaseTimeToLive, cluster.ReplicaTimeout));
        Assert.Equal(64, configuration.Sharding.ShardCount);
    }

    [Theory]
    [InlineData("", "127.0.0.1:4320", "127.0.0.1:4320")]
    [InlineData("listen: 10.0.0.9:4000", "10.0.0.9:4000", "10.0.0.9:4000")]
    [InlineData("listen: ':4000'", "0.0.0.0:4000", "10.0.0.7:4000")]
    [InlineData("listen: '[::]:4000'", "[::]:4000", "10.0.0.7:4000")]
    [InlineData("listen: '127.0.0.1:0'", "127.0.0.1:0", "127.0.0.1:9999")]
    [InlineData("advertise: 10.0.0.8", "10.0.0.8:4320", "10.0.0.8:4320")]
    [InlineData("advertise: '10.0.0.8:4000'", "10.0.0.8:4000", "10.0.0.8:4000")]
    [InlineData("advertise: '::1'", "[::1]:4320", "[::1]:4320")]
    [InlineData("advertise: '[fd00::8]:4000'", "[fd00::8]:4000", "[fd00::8]:4000")]
    [InlineData("advertise: localhost", "localhost:4320", "localhost:4320")]
    [InlineData("{ listen: ':0', advertise: node-1 }", "0.0.0.0:0", "node-1:9999")]
    [InlineData("{ listen: '10.0.0.9:4000', advertise: 'node-1:5000' }", "10.0.0.9:4000", "node-1:5000")]
    public void Read_Addresses_FollowFromEachOther(string node, string listen, string advertised)
    {
        ClusterOptions cluster = Read($"node: {(node.StartsWith('{') ? node : "{ " + node + " }")}", out _)!;

        Assert.Equal((listen, advertised), (cluster.Listen, cluster.AdvertisedAddress(9999)));
    }

    [Theory]
    [InlineData("", false)]
    [InlineData("advertise: 127.0.0.1", false)]
    [InlineData("advertise: 10.0.0.8", true)]
    [InlineData("advertise: 10.0.0.8, tls: { cert_file: a, key_file: b, ca_file: c }", false)]
    public void Read_OpenToOthersWithoutTls_Warns(string node, bool warns)
    {
        Read($"node: {{ {node} }}", out ConfigurationErrors errors);

        Assert.Equal(warns ? ["cluster.node.listen"] : [], errors.All.Select(e => e.Path));
    }

    [Fact]
    public void Read_EveryInterfaceOnAMachineWithoutAddress_AsksForOne()
    {
        string yaml = TestFiles.Minimal(rest: $"cluster: {{ name: checkout, {Store}, node: {{ listen: ':4320' }} }}");
        TestFiles.Read(yaml, out ConfigurationErrors errors, machine: new LocalMachine("host-1", () => null));

        Assert.Contains(
            "cluster.node.advertise: is missing, and this machine has no address but for itself",
            errors.All.Select(e => $"{e.Path}: {e.Problem}"));
    }

    [Fact]
    public void Read_MachineWithAnOddName_AsksForAnId()
    {
        TestFiles.Read(
            TestFiles.Minimal(rest: $"cluster: {{ name: checkout, {Store} }}"),
            out ConfigurationErrors errors,
            machine: new LocalMachine("Anna's laptop", () => null));

        ConfigurationError error = Assert.Single(errors.All);
        Assert.Equal("cluster.node.id", error.Path);
        Assert.Equal("this machine's name, 'Anna's laptop', is not a name for a node", error.Problem);
    }

    [Fact]
    public void Read_NodeWithoutGateway_KeepsItsDoorsClosed()
    {
        string yaml = TestFiles.Minimal(rest: $"cluster: {{ name: checkout, {Store}, node: {{ roles: [shards], listen: '127.0.0.1:4317' }} }}");
        NodeConfiguration? configuration = TestFiles.Read(yaml, out ConfigurationErrors errors);

        Assert.Equal((null, null), (configuration!.Receiver.Grpc, configuration.Receiver.Http));
        ConfigurationError warning = Assert.Single(errors.All);
        Assert.Equal(("receivers.otlp", "its doors stay closed: cluster.node.roles has no gateway"), (warning.Path, warning.Problem));
    }

    [Fact]
    public void Read_CommandLineAlone_JoinsACluster()
    {
        ClusterOverrides given = new("etcds://10.0.0.5:2379,etcd-2:2379", "checkout", "10.0.0.7", "node-1", "0.0.0.0:4000");

        ClusterOptions cluster = TestFiles.ReadGood(ConfigurationSource.Default().Yaml, new CommandLineOverrides(Cluster: given)).Cluster!;

        Assert.Equal(["https://10.0.0.5:2379/", "https://etcd-2:2379/"], cluster.Etcd.Endpoints.Select(e => e.ToString()));
        Assert.Equal(("checkout", "node-1", "0.0.0.0:4000", "10.0.0.7:4000"),
            (cluster.Name, cluster.NodeId, cluster.Listen, cluster.AdvertisedAddress(0)));
    }

    [Fact]
    public void Read_CommandLineOverAFile_TakesThePlaceOfWhatItSays()
    {
        string yaml = TestFiles.Minimal(rest: """
            cluster:
              name: checkout
              store: {etcd: {endpoints: [http://10.0.0.1:2379], username: a, password: b}}
              node: {id: from-file, zone: z, advertise: 10.0.0.8}
              shards: 64
            """);
        ClusterOverrides given = new("etcd://10.0.0.5:2379", NodeId: "node-1", Advertise: "10.0.0.9:5000");

        ClusterOptions cluster = TestFiles.ReadGood(yaml, new CommandLineOverrides(Cluster: given)).Cluster!;

        Assert.Equal("http://10.0.0.5:2379/", Assert.Single(cluster.Etcd.Endpoints).ToString());
        Assert.Equal(("checkout", "node-1", "z", 64, "a"), (cluster.Name, cluster.NodeId, cluster.Zone, cluster.Shards, cluster.Etcd.Username));
        Assert.Equal("10.0.0.9:5000", cluster.Listen);
    }

    [Fact]
    public void Read_WrongCommandLine_NamesTheOptions()
    {
        ClusterOverrides given = new("etcd://10.0.0.5,:2379,h:0", "Check Out", "0.0.0.0", "node 1", "4320");
        TestFiles.Read(TestFiles.Minimal(), out ConfigurationErrors errors, new CommandLineOverrides(Cluster: given));

        Assert.Equal(
            ["--name: 'Check Out' is not a name for a cluster",
             "--cluster: '10.0.0.5' has no port",
             "--cluster: ':2379' names no host or port to connect to",
             "--cluster: 'h:0' names no host or port to connect to",
             "--advertise: '0.0.0.0' is no address that a peer can connect to",
             "--peer: '4320' has no port",
             "--node-id: 'node 1' is not a name for a node"],
            errors.All.Select(e => $"{e.Path}: {e.Problem}"));
    }

    [Theory]
    [InlineData("10.0.0.5:2379")]
    [InlineData("http://10.0.0.5:2379")]
    [InlineData("etcd:10.0.0.5:2379")]
    [InlineData("")]
    public void Read_StoreOfAnotherKind_SaysHowToWriteIt(string store)
    {
        CommandLineOverrides given = new(Cluster: new ClusterOverrides(store, "checkout"));
        TestFiles.Read(TestFiles.Minimal(), out ConfigurationErrors errors, given);

        ConfigurationError error = Assert.Single(errors.All);
        Assert.Equal($"--cluster: '{store}' is not the address of a store", $"{error.Path}: {error.Problem}");
        Assert.StartsWith("write it as etcd://10.0.0.5:2379", error.Fix, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_PasswordOnTheCommandLine_IsRefusedAndNotRepeated()
    {
        ClusterOverrides given = new("etcd://sampler:secret@10.0.0.5:2379", "checkout");
        TestFiles.Read(TestFiles.Minimal(), out ConfigurationErrors errors, new CommandLineOverrides(Cluster: given));

        Assert.Equal("--cluster: has a user in it", errors.All.Select(e => $"{e.Path}: {e.Problem}").Single());
    }

    [Fact]
    public void Read_ClusterOptionsWithoutACluster_AreErrors()
    {
        ClusterOverrides given = new(Name: "checkout", Advertise: "10.0.0.7", NodeId: "node-1", Peer: ":4320");
        TestFiles.Read(TestFiles.Minimal(), out ConfigurationErrors errors, new CommandLineOverrides(Cluster: given));

        Assert.Equal(["--name", "--advertise", "--node-id", "--peer"], errors.All.Select(e => e.Path));
        Assert.All(errors.All, e => Assert.Equal("means nothing without a cluster", e.Problem));
    }

    [Fact]
    public void Read_LargeRequests_AreLimitedInAClusterOnly()
    {
        const string Larger = "{ protocols: { grpc: { max_recv_msg_size_mib: 33 }, http: { max_request_body_size: 33554433 } } }";
        const string Largest = "{ protocols: { grpc: { max_recv_msg_size_mib: 32 }, http: { max_request_body_size: 32MiB } } }";
        const string Cluster = $"cluster:\n  name: checkout\n  {Store}";

        TestFiles.ReadGood(TestFiles.Minimal(Larger));
        TestFiles.ReadGood(TestFiles.Minimal(Largest, rest: Cluster));
        TestFiles.Read(TestFiles.Minimal(Larger, rest: Cluster), out ConfigurationErrors errors);
        Assert.Equal(2, errors.All.Count(e => e.Problem.Contains("more than nodes of a cluster can pass on", StringComparison.Ordinal)));
    }

    [Fact]
    public void Current_ThisMachine_HasAName()
    {
        Assert.NotEqual("", LocalMachine.Current.HostName);
        Assert.True(LocalMachine.Current.Address() is not { } address || System.Net.IPAddress.TryParse(address, out _));
    }

    private static ClusterOptions? Read(string more, out ConfigurationErrors errors)
    {
        NodeConfiguration? configuration = TestFiles.Read(
            TestFiles.Minimal(rest: $"cluster:\n  name: checkout\n  {Store}\n  {more}"), out errors);
        Assert.False(errors.HasErrors, string.Join('\n', errors.All));
        return configuration!.Cluster;
    }
}
