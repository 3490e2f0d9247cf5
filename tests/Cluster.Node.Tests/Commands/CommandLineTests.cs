using Cluster.Node.Configuration;
using Cluster.Node.Tests.Configuration;

namespace Cluster.Node.Tests.Commands;

public sealed class CommandLineTests : IDisposable
{
    private readonly Shell _shell = new();

    public void Dispose() => _shell.Dispose();

    [Theory]
    [InlineData]
    [InlineData("run")]
    public async Task Run_WithoutArguments_StartsTheQuickstart(params string[] args)
    {
        Assert.Equal(42, await _shell.RunAsync(args));
        Assert.Equal("127.0.0.1:4317", _shell.Started!.Receiver.Grpc!.Endpoint);
        Assert.Equal("", _shell.Output + _shell.Error);
    }

    [Fact]
    public async Task Run_WithAddresses_HandsThemOn()
    {
        Assert.Equal(42, await _shell.RunAsync("--otlp-grpc", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0", "--admin", "127.0.0.1:0"));
        Assert.Equal("127.0.0.1:0", _shell.Started!.Receiver.Grpc!.Endpoint);
        Assert.Equal("127.0.0.1:0", _shell.Started.Receiver.Http!.Endpoint);
        Assert.Equal("127.0.0.1:0", _shell.Started.Admin.Endpoint);
    }

    [Theory]
    [InlineData]
    [InlineData("run")]
    public async Task Run_WithACluster_JoinsIt(params string[] verb)
    {
        string[] options =
            ["--cluster", "etcd://10.0.0.5:2379", "--name", "checkout", "--advertise", "10.0.0.7", "--node-id", "node-1", "--peer", ":4000"];

        Assert.Equal(42, await _shell.RunAsync([.. verb, .. options]));
        ClusterOptions cluster = _shell.Started!.Cluster!;
        Assert.Equal(("checkout", "node-1", "0.0.0.0:4000"), (cluster.Name, cluster.NodeId, cluster.Listen));
        Assert.Equal("10.0.0.7:4000", cluster.AdvertisedAddress(4000));
        Assert.Equal("cluster.node.listen", Assert.Single(_shell.Warnings).Path);
    }

    [Fact]
    public async Task Run_ClusterWithoutItsName_SaysWhereToWriteIt()
    {
        Assert.Equal(1, await _shell.RunAsync("--cluster", "etcd://10.0.0.5:2379"));
        Assert.Equal(
            "default.yaml:2: cluster.name: is missing; name the cluster, the same on all its nodes, here or with --name\n", _shell.Error);
    }

    [Fact]
    public async Task Validate_Cluster_SaysWhatItWillBe()
    {
        string path = _shell.File("node.yaml", TestFiles.Minimal(rest: """
            cluster:
              name: checkout
              store: {etcd: {endpoints: [https://10.0.0.5:2379, https://10.0.0.6:2379]}}
              node: {id: node-1, advertise: 10.0.0.7, roles: [gateway], tls: {cert_file: a, key_file: b, ca_file: c}}
            """));

        Assert.Equal(0, await _shell.RunAsync("validate", "--config", path));
        Assert.Contains(
            """
              cluster   checkout, as node-1, without shards; peers connect to 10.0.0.7:4320, mutual TLS
                        etcd at https://10.0.0.5:2379, https://10.0.0.6:2379
                        128 shards with 1 replica, 1 in sync at least; a silent node is dead after 10s
              admin     http://127.0.0.1:8080

            """,
            _shell.Output,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_GoodFile_HandsOnItsWarnings()
    {
        string path = _shell.File("node.yaml", TestFiles.Minimal(tailSampling: "num_shards: 4"));

        Assert.Equal(42, await _shell.RunAsync("run", "--config", path));
        Assert.Equal("processors.tail_sampling.num_shards", Assert.Single(_shell.Warnings).Path);
    }

    [Fact]
    public async Task Run_WrongFile_PrintsEveryFindingAndDoesNotStart()
    {
        string path = _shell.File("node.yaml", TestFiles.Minimal(tailSampling: "decison_wait: 4s", rest: "workers: none"));

        Assert.Equal(1, await _shell.RunAsync("--config", path));
        Assert.Null(_shell.Started);
        Assert.Equal(
            """
            node.yaml:6: processors.tail_sampling.decison_wait: unknown key; did you mean 'decision_wait'?
            node.yaml:12: workers: must be an integer, found the string 'none'; write a whole number without quotes

            """,
            _shell.Error);
    }

    [Theory]
    [InlineData("--config", "/nowhere/node.yaml")]
    [InlineData("validate", "--config", "/nowhere/node.yaml")]
    [InlineData("policies", "test", "--config", "/nowhere/node.yaml", "--traces", "x")]
    public async Task Any_MissingFile_IsAUsageError(params string[] args)
    {
        Assert.Equal(2, await _shell.RunAsync(args));
        Assert.StartsWith("/nowhere/node.yaml: cannot be read: ", _shell.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--config", "/")]
    [InlineData("validate", "--config", "/")]
    [InlineData("policies", "test", "--config", "/", "--traces", "x")]
    public async Task Any_DirectoryInsteadOfAFile_IsAUsageError(params string[] args)
    {
        Assert.Equal(2, await _shell.RunAsync(args));
        Assert.Equal("/: cannot be read: it is a directory; name a file\n", _shell.Error);
    }

    /// <summary>A node reads them at its start, and could not start.</summary>
    [Theory]
    [InlineData("run")]
    [InlineData("validate")]
    public async Task Any_CertificatesThatAreNotThere_AreErrors(string command)
    {
        _shell.File("there.crt", "");
        _shell.FileExists = File.Exists;
        string yaml = """
            receivers: { otlp: { protocols: { grpc: {
              tls: { cert_file: FOLDER/there.crt, key_file: FOLDER/none.key,
                client_ca_file: FOLDER/none.crt } } } } }
            processors: { tail_sampling: { policies: [{ name: all, type: always_sample }] } }
            exporters: { otlp: { endpoint: "tempo:4317",
              tls: { ca_file: FOLDER } } }
            service: { pipelines: { traces: { receivers: [otlp], processors: [tail_sampling], exporters: [otlp] } } }
            cluster: { name: here, store: { etcd: { endpoints: ["https://etcd:2379"],
                tls: { ca_file: FOLDER/etcd.crt } } },
              node: { tls: { cert_file: FOLDER/there.crt, key_file: FOLDER/there.crt,
                ca_file: FOLDER/nodes.crt } } }
            """;
        string path = _shell.File("node.yaml", yaml.Replace("FOLDER", _shell.Folder, StringComparison.Ordinal));

        Assert.Equal(1, await _shell.RunAsync(command, "--config", path));

        Assert.Null(_shell.Started);
        Assert.Equal(
            """
            node.yaml:2: receivers.otlp.protocols.grpc.tls.key_file: there is no file 'none.key'; put it there, or correct the path
            node.yaml:3: receivers.otlp.protocols.grpc.tls.client_ca_file: there is no file 'none.crt'; put it there, or correct the path
            node.yaml:6: exporters.otlp.tls.ca_file: there is no file 'FOLDER'; put it there, or correct the path
            node.yaml:9: cluster.store.etcd.tls.ca_file: there is no file 'etcd.crt'; put it there, or correct the path
            node.yaml:11: cluster.node.tls.ca_file: there is no file 'nodes.crt'; put it there, or correct the path

            """,
            _shell.Error.Replace(_shell.Folder, "FOLDER", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("walk")]
    [InlineData("--confg", "x")]
    [InlineData("--otlp-grpc", "4317")]
    [InlineData("--peer", "4320")]
    [InlineData("run", "--admin", "127.0.0.1:99999")]
    [InlineData("validate")]
    [InlineData("policies")]
    [InlineData("policies", "test", "--config", "x")]
    [InlineData("policies", "test", "--config", "x", "--traces", "y", "--output", "xml")]
    public async Task Any_WrongCommandLine_IsAUsageError(params string[] args)
    {
        Assert.Equal(2, await _shell.RunAsync(args));
        Assert.EndsWith("See actorsampling --help.\n", _shell.Error, StringComparison.Ordinal);
        Assert.Null(_shell.Started);
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("validate", "--help")]
    [InlineData("policies", "test", "--help")]
    [InlineData("--version")]
    public async Task Any_Help_IsGood(params string[] args)
    {
        Assert.Equal(0, await _shell.RunAsync(args));
        Assert.Equal("", _shell.Error);
        Assert.NotEqual("", _shell.Output);
        Assert.Null(_shell.Started);
    }

    [Fact]
    public async Task Validate_GoodFile_SaysWhatWillRun()
    {
        string path = _shell.File("node.yaml", Repository.Read("deploy/examples/minimal.yaml"));

        Assert.Equal(0, await _shell.RunAsync("validate", "--config", path));
        Assert.Equal("", _shell.Error);
        Assert.Equal(
            """
            node.yaml: good, no warnings

            What will run
              receives  OTLP/gRPC on 0.0.0.0:4317
                        OTLP/HTTP on 0.0.0.0:4318/v1/traces
              decides   10s after a trace's first span
                        up to 50000 traces wait
                        100000 sampled and 400000 other decisions are remembered
              policies  1. errors (status_code)
                        2. slow (latency)
                        3. a tenth of the rest (probabilistic)
              exports   otlp: OTLP/gRPC to http://jaeger:4317, gzip, queue of 256 MiB, retried until it is taken
              admin     http://127.0.0.1:8080
              memory    traces wait in up to 4096 MiB, never more than 5120 MiB

            """,
            _shell.Output);
    }

    [Fact]
    public async Task Validate_WrongFile_PrintsErrorsThenTheImportReport()
    {
        string path = _shell.File("node.yaml", TestFiles.Minimal(tailSampling: "mutates_data: true", rest: "workers: 0\nadmim: {}"));

        Assert.Equal(1, await _shell.RunAsync("validate", "--config", path));
        Assert.Equal(
            """
            node.yaml:12: workers: 0 is out of range; use 1 to 128
            node.yaml:13: admim: unknown key; did you mean 'admin'?

            """,
            _shell.Error);
        Assert.Equal(
            """
            node.yaml: 2 errors, 1 warning

            Import report: what is read but differs from a Collector, or may not be meant so
              node.yaml:6: warning: processors.tail_sampling.mutates_data: has no effect here; spans are never copied apart

            """,
            _shell.Output);
    }
}
