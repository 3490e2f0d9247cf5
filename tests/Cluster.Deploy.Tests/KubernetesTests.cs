using System.Text.Json.Nodes;
using Cluster.Deploy.Tests.Harness;

namespace Cluster.Deploy.Tests;

/// <summary>The manifests fit together: labels, ports, names, configuration.</summary>
public sealed class KubernetesTests
{
    public static TheoryData<string> Overlays() => KubernetesApiTests.Overlays();

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Overlay_EverySelector_SelectsOneWorkload(string overlay)
    {
        Manifests manifests = await Manifests.OfAsync(overlay);
        JsonNode?[] selectors =
        [
            .. manifests.OfKind("Service").Select(item => item.At("spec/selector")),
            .. manifests.OfKind("PodDisruptionBudget").Select(item => item.At("spec/selector/matchLabels")),
            .. manifests.OfKind("NetworkPolicy").Select(item => item.At("spec/podSelector/matchLabels")),
            .. manifests.OfKind("StatefulSet").Select(item => item.At("spec/selector/matchLabels")),
        ];

        Assert.All(selectors, selector => Assert.Single(manifests.Selected(Labels(selector))));
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Overlay_EveryWorkload_HasItsBudgetPolicyAndNames(string overlay)
    {
        Manifests manifests = await Manifests.OfAsync(overlay);
        Assert.NotEmpty(manifests.Workloads);
        Assert.All(manifests.Workloads, workload =>
        {
            string labels = workload.Text("spec/selector/matchLabels")!;
            JsonNode budget = Assert.Single(
                manifests.OfKind("PodDisruptionBudget"), item => item.Text("spec/selector/matchLabels") == labels);
            Assert.Equal("1", budget.Text("spec/maxUnavailable"));
            Assert.Single(manifests.OfKind("NetworkPolicy"), item => item.Text("spec/podSelector/matchLabels") == labels);

            JsonNode names = manifests.Named("Service", workload.Text("spec/serviceName")!);
            Assert.Equal(labels, names.Text("spec/selector"));
            Assert.Equal("None", names.Text("spec/clusterIP"));
            Assert.Equal("true", names.Text("spec/publishNotReadyAddresses"));

            JsonNode[] spread = [.. workload.Each("spec/template/spec/topologySpreadConstraints")];
            Assert.Equal(["kubernetes.io/hostname", "topology.kubernetes.io/zone"], spread.Select(item => item.Text("topologyKey")));
            Assert.All(spread, item => Assert.Equal(labels, item.Text("labelSelector/matchLabels")));
            Assert.Equal("3", workload.Text("spec/replicas"));
        });
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Overlay_EveryPortOfAService_IsOneOfItsContainers(string overlay)
    {
        Manifests manifests = await Manifests.OfAsync(overlay);
        Assert.All(manifests.OfKind("Service"), service =>
        {
            Dictionary<string, string> ports = ContainerPorts(manifests.Selected(service.Map("spec/selector")).Single());
            Assert.All(service.Each("spec/ports"), port => Assert.Equal(port.Text("port"), ports[port.Text("targetPort")!]));
        });
    }

    /// <summary>Every port lets somebody in, and no port lets in whom it should not.</summary>
    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Overlay_PolicyOfNodes_OpensOtlpToAllAndTheRestToFew(string overlay)
    {
        Manifests manifests = await Manifests.OfAsync(overlay);
        JsonNode policy = manifests.Named("NetworkPolicy", "actorsampling");
        Dictionary<string, string> ports = ContainerPorts(manifests.Nodes);
        Dictionary<string, string> from = policy.Each("spec/ingress")
            .SelectMany(rule => rule.Each("ports").Select(port => (Port: port.Text("port")!, From: rule.Text("from")!)))
            .ToDictionary(rule => rule.Port, rule => Compact(rule.From));

        const string Nodes = """{"podSelector":{"matchLabels":{"app.kubernetes.io/name":"actorsampling"}}}""";
        const string Monitoring = """{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"monitoring"}}}""";
        Assert.Equal(ports.Values.Order(), from.Keys.Order());
        Assert.Equal("""[{"namespaceSelector":{}}]""", from[ports["otlp-grpc"]]);
        Assert.Equal("""[{"namespaceSelector":{}}]""", from[ports["otlp-http"]]);
        Assert.Equal($"[{Nodes}]", from[ports["peers"]]);
        Assert.Equal($"[{Nodes},{Monitoring}]", from[ports["admin"]]);
    }

    /// <summary>A node reaches its peers, names, etcd and the back end.</summary>
    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Overlay_PolicyOfNodes_LetsOutWhatANodeNeeds(string overlay)
    {
        Manifests manifests = await Manifests.OfAsync(overlay);
        NodeFile file = manifests.NodeFile();
        HashSet<string> open = [.. manifests.Named("NetworkPolicy", "actorsampling").Each("spec/egress")
            .SelectMany(rule => rule.Each("ports"))
            .Select(port => $"{port.Text("port")}/{port.Text("protocol") ?? "TCP"}")];

        string backEnd = file.Environment["BACKEND_ENDPOINT"].Split(':')[1];
        string[] stores = [.. Endpoints(file).Select(endpoint => $"{endpoint.Port}/TCP").Distinct()];
        string[] needed = [$"{file.Ports["peers"]}/TCP", "53/UDP", "53/TCP", $"{backEnd}/TCP", .. stores];
        Assert.All(needed, port => Assert.Contains(port, open));
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Overlay_Configuration_IsValidWithAndWithoutAZone(string overlay)
    {
        Manifests manifests = await Manifests.OfAsync(overlay);
        Assert.Contains("actorsampling-0", await manifests.NodeFile().ValidateAsync(), StringComparison.Ordinal);
        await manifests.NodeFile("europe-west1-b").ValidateAsync();
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Overlay_ContainerPorts_AreThoseOfTheConfiguration(string overlay)
    {
        Manifests manifests = await Manifests.OfAsync(overlay);
        Assert.Equal(
            manifests.NodeFile().Ports.ToDictionary(port => port.Key, port => port.Value.ToString()), ContainerPorts(manifests.Nodes));
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Overlay_ProbesOfNodes_AskPathsOfTheAdminEndpoint(string overlay)
    {
        JsonNode container = Assert.Single((await Manifests.OfAsync(overlay)).Nodes.Each("spec/template/spec/containers"));
        JsonNode paths = JsonNode.Parse(Repository.Read("src/Cluster.Node/Admin/openapi.json"))!["paths"]!;
        Assert.Equal("/healthz", container.Text("startupProbe/httpGet/path"));
        Assert.Equal("/readyz", container.Text("readinessProbe/httpGet/path"));
        Assert.Equal("/healthz", container.Text("livenessProbe/httpGet/path"));
        Assert.All(["startupProbe", "readinessProbe", "livenessProbe"], probe =>
        {
            Assert.Equal("admin", container.Text($"{probe}/httpGet/port"));
            Assert.NotNull(paths[container.Text($"{probe}/httpGet/path")!]);
        });
    }

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Overlay_EndOfANode_DrainsItFirstAndWaits(string overlay)
    {
        JsonNode pod = (await Manifests.OfAsync(overlay)).Nodes.At("spec/template/spec")!;
        JsonNode container = Assert.Single(pod.Each("containers"));
        string[] command = container.Texts("lifecycle/preStop/exec/command");
        Assert.Equal(Image.EntryPoint, command[..2]);
        Assert.Equal(["cluster", "drain", "--self"], command[2..]);
        NodeFile.AssertUnderstood(command[2..]);
        NodeFile.AssertUnderstood(container.Texts("args"));
        Assert.Equal(Image.GraceSeconds.ToString(), pod.Text("terminationGracePeriodSeconds"));
    }

    [Fact]
    public async Task WithEtcd_Members_AreThoseThatTheyAndNodesLookFor()
    {
        Manifests manifests = await Manifests.OfAsync("with-etcd");
        JsonNode etcd = manifests.Named("StatefulSet", "etcd");
        string[] members = [.. Enumerable.Range(0, int.Parse(etcd.Text("spec/replicas")!)).Select(number => $"etcd-{number}")];
        string names = etcd.Text("spec/serviceName")!;
        Dictionary<string, string> ports = ContainerPorts(etcd);
        Dictionary<string, string?> settings = Assert.Single(etcd.Each("spec/template/spec/containers")).Each("env")
            .ToDictionary(variable => variable.Text("name")!, variable => variable.Text("value"));

        Assert.Equal(
            string.Join(',', members.Select(member => $"{member}=http://{member}.{names}:{ports["peer"]}")), settings["ETCD_INITIAL_CLUSTER"]);
        Assert.Equal($"http://$(ETCD_NAME).{names}:{ports["peer"]}", settings["ETCD_INITIAL_ADVERTISE_PEER_URLS"]);
        Assert.Equal($"http://$(ETCD_NAME).{names}:{ports["client"]}", settings["ETCD_ADVERTISE_CLIENT_URLS"]);
        Assert.Equal($"http://0.0.0.0:{ports["client"]}", settings["ETCD_LISTEN_CLIENT_URLS"]);
        Assert.Equal($"http://0.0.0.0:{ports["peer"]}", settings["ETCD_LISTEN_PEER_URLS"]);
        Assert.Equal(
            members.Select(member => new Uri($"http://{member}.{names}:{ports["client"]}")), Endpoints(manifests.NodeFile()));

        HashSet<string> open = [.. manifests.Named("NetworkPolicy", "etcd").Each("spec/ingress")
            .Where(rule => rule.Text("from")!.Contains("\"actorsampling\"", StringComparison.Ordinal))
            .SelectMany(rule => rule.Each("ports").Select(port => port.Text("port")!))];
        Assert.Equal([ports["client"]], open);
    }

    private static IEnumerable<Uri> Endpoints(NodeFile file) =>
        file.Environment["ETCD_ENDPOINTS"].Trim('[', ']').Split(',').Select(endpoint => new Uri(endpoint.Trim()));

    private static Dictionary<string, string> ContainerPorts(JsonNode workload) =>
        workload.Each("spec/template/spec/containers").SelectMany(container => container.Each("ports"))
            .ToDictionary(port => port.Text("name")!, port => port.Text("containerPort")!);

    private static Dictionary<string, string> Labels(JsonNode? selector) =>
        Assert.IsType<JsonObject>(selector).ToDictionary(pair => pair.Key, pair => pair.Value!.ToString());

    private static string Compact(string json) => JsonNode.Parse(json)!.ToJsonString();
}
