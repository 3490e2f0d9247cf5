using System.Text.Json.Nodes;
using Cluster.Deploy.Tests.Harness;

namespace Cluster.Deploy.Tests;

/// <summary>The compose file: docker-compose takes it, and its parts fit together.</summary>
public sealed class ComposeTests
{
    private const string Folder = "deploy/compose";

    /// <summary>Gives a new volume to etcd's user and ends; the only one that is root.</summary>
    private const string VolumeOwner = "etcd-volume";

    private static readonly Lazy<Task<JsonNode>> File = new(async () =>
        JsonNode.Parse(await Tool.ComposeAsync($"{Folder}/compose.yaml"))!);

    [Fact]
    public async Task Services_AreThreeNodesEtcdAndABackEnd() => Assert.Equal(
        ["etcd", VolumeOwner, "jaeger", "node-1", "node-2", "node-3"],
        (await File.Value)["services"]!.AsObject().Select(service => service.Key).Order(StringComparer.Ordinal));

    [Fact]
    public async Task EveryService_IsLockedDownAndHasAVersion() => Assert.All(await ServicesAsync(), service =>
    {
        Image.AssertPinned(service.Value.Text("image")!);
        Assert.Equal("true", service.Value.Text("read_only"));
        Assert.Equal(["ALL"], service.Value.Texts("cap_drop"));
        Assert.Equal(["no-new-privileges:true"], service.Value.Texts("security_opt"));
        Assert.Null(service.Value.At("privileged"));
        if (service.Key == VolumeOwner)
        {
            Assert.Equal(["CHOWN"], service.Value.Texts("cap_add"));
            Assert.Equal("none", service.Value.Text("network_mode"));
        }
        else
        {
            Assert.Null(service.Value.At("cap_add"));
            Assert.Matches("^[1-9][0-9]*:[1-9][0-9]*$", service.Value.Text("user")!);
            Assert.NotNull(service.Value.At("mem_limit"));
        }
    });

    [Fact]
    public async Task EveryNode_RunsTheImageAsItsUserAndHasTimeToDrain() => Assert.All(await NodesAsync(), node =>
    {
        Assert.Equal($"{Image.User}:{Image.User}", node.Value.Text("user"));
        Assert.Equal("deploy/Dockerfile", node.Value.Text("build/dockerfile"));
        Assert.Equal(Path.TrimEndingDirectorySeparator(Repository.PathTo("")), node.Value.Text("build/context"));
        Assert.Equal($"{Image.GraceSeconds / 60}m0s", node.Value.Text("stop_grace_period"));
        string[] check = node.Value.Texts("healthcheck/test");
        Assert.Equal(["CMD", .. Image.EntryPoint], check[..3]);
        Assert.Equal(["cluster", "ready"], check[3..]);
        NodeFile.AssertUnderstood(check[3..]);
    });

    [Fact]
    public async Task EveryNode_Configuration_IsValidAndItsOwn()
    {
        Dictionary<string, JsonNode> nodes = await NodesAsync();
        foreach ((string name, JsonNode node) in nodes)
        {
            NodeFile file = Configuration(node);
            Assert.Equal(name, file.Environment["NODE_ID"]);
            Assert.Equal(name, node.Text("hostname"));
            Assert.Contains(name, await file.ValidateAsync(), StringComparison.Ordinal);
        }

        Assert.Equal(3, nodes.Values.Select(node => node.Text("environment/NODE_ZONE")).Distinct().Count());
    }

    [Fact]
    public async Task EveryNode_PublishedPorts_AreThoseOfTheConfigurationAndAdminIsLocal() => Assert.All(await NodesAsync(), node =>
    {
        IReadOnlyDictionary<string, int> ports = Configuration(node.Value).Ports;
        Dictionary<string, JsonNode> published = node.Value.Each("ports").ToDictionary(port => port.Text("target")!);
        Assert.Equal(
            new[] { ports["admin"], ports["otlp-grpc"], ports["otlp-http"] }.Select(port => port.ToString()).Order(), published.Keys.Order());
        Assert.Equal("127.0.0.1", published[ports["admin"].ToString()].Text("host_ip"));
    });

    [Fact]
    public async Task PublishedPorts_AreAllDifferent()
    {
        string[] ports = [.. (await ServicesAsync()).Values.SelectMany(service => service.Each("ports")).Select(port => port.Text("published")!)];
        Assert.Equal(10, ports.Length);
        Assert.Equal(ports.Distinct(), ports);
    }

    [Fact]
    public async Task EveryNode_Others_AreServicesThatAreThere()
    {
        Dictionary<string, JsonNode> services = await ServicesAsync();
        Assert.All(await NodesAsync(), node =>
        {
            NodeFile file = Configuration(node.Value);
            Assert.Equal(["http://etcd:2379"], file.Root.Texts("cluster/store/etcd/endpoints"));
            Assert.Equal("http://etcd:2379", services["etcd"].Text("environment/ETCD_ADVERTISE_CLIENT_URLS"));
            Assert.Contains(file.Root.Text("exporters/otlp/endpoint")!.Split(':')[0], services.Keys);
            Assert.Equal("service_healthy", node.Value.Text("depends_on/etcd/condition"));
            Assert.NotNull(services["etcd"].At("healthcheck"));
        });
    }

    private static async Task<Dictionary<string, JsonNode>> ServicesAsync() =>
        (await File.Value)["services"]!.AsObject().ToDictionary(service => service.Key, service => service.Value!);

    private static async Task<Dictionary<string, JsonNode>> NodesAsync() =>
        (await ServicesAsync()).Where(service => service.Key.StartsWith("node-", StringComparison.Ordinal)).ToDictionary();

    private static NodeFile Configuration(JsonNode node)
    {
        JsonNode mount = Assert.Single(node.Each("volumes"));
        Assert.Equal(Image.Command[^1], mount.Text("target"));
        Assert.Equal("true", mount.Text("read_only"));
        return new NodeFile(System.IO.File.ReadAllText(mount.Text("source")!), node.Map("environment"));
    }
}
