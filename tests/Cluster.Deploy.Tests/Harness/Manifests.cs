using System.Collections.Concurrent;
using System.Text.Json.Nodes;

namespace Cluster.Deploy.Tests.Harness;

/// <summary>What an overlay renders to.</summary>
internal sealed class Manifests
{
    /// <summary>Where overlays are.</summary>
    public const string Overlays = "deploy/kubernetes/overlays";

    private static readonly ConcurrentDictionary<string, Lazy<Task<Manifests>>> Rendered = new();

    private Manifests(string text)
    {
        Text = text;
        Objects = Yaml.All(text);
    }

    /// <summary>All documents.</summary>
    public string Text { get; }

    /// <summary>Every object.</summary>
    public IReadOnlyList<JsonNode> Objects { get; }

    /// <summary>The nodes.</summary>
    public JsonNode Nodes => Named("StatefulSet", "actorsampling");

    /// <summary>Everything that makes pods.</summary>
    public IEnumerable<JsonNode> Workloads => Objects.Where(item => item.At("spec/template/spec/containers") is not null);

    /// <summary>An overlay, rendered once.</summary>
    public static Task<Manifests> OfAsync(string overlay) => Rendered
        .GetOrAdd(overlay, name => new Lazy<Task<Manifests>>(async () => new Manifests(await Tool.KustomizeAsync($"{Overlays}/{name}"))))
        .Value;

    /// <summary>Every object of a kind.</summary>
    public IEnumerable<JsonNode> OfKind(string kind) => Objects.Where(item => item.Text("kind") == kind);

    /// <summary>The one object of a kind and name.</summary>
    public JsonNode Named(string kind, string name) => Assert.Single(OfKind(kind), item => item.Text("metadata/name") == name);

    /// <summary>Workloads whose pods have every one of the labels.</summary>
    public IEnumerable<JsonNode> Selected(IReadOnlyDictionary<string, string> labels) => Workloads.Where(workload =>
    {
        IReadOnlyDictionary<string, string> has = workload.Map("spec/template/metadata/labels");
        return labels.All(label => has.GetValueOrDefault(label.Key) == label.Value);
    });

    /// <summary>The configuration of the node pods, with the environment of the first of them.</summary>
    /// <param name="zone">What Kubernetes copies from the host; empty where it does not.</param>
    public NodeFile NodeFile(string zone = "")
    {
        JsonNode pod = Nodes.At("spec/template/spec")!;
        JsonNode container = Assert.Single(pod.Each("containers"));
        JsonNode mount = Assert.Single(container.Each("volumeMounts"));
        JsonNode volume = Assert.Single(pod.Each("volumes"), volume => volume.Text("name") == mount.Text("name"));
        string path = container.Texts("args")[^1];
        Assert.StartsWith(mount.Text("mountPath") + "/", path, StringComparison.Ordinal);
        IReadOnlyDictionary<string, string> files = Named("ConfigMap", volume.Text("configMap/name")!).Map("data");

        Dictionary<string, string> environment = [];
        foreach (JsonNode source in container.Each("envFrom"))
        {
            foreach ((string name, string value) in Named("ConfigMap", source.Text("configMapRef/name")!).Map("data"))
            {
                environment[name] = value;
            }
        }

        foreach (JsonNode variable in container.Each("env"))
        {
            environment[variable.Text("name")!] = variable.Text("valueFrom/fieldRef/fieldPath") switch
            {
                "metadata.name" => "actorsampling-0",
                "status.podIP" => "10.1.2.3",
                "metadata.labels['topology.kubernetes.io/zone']" => zone,
                var other => throw new InvalidOperationException($"no value for {other}"),
            };
        }

        return new NodeFile(files[Path.GetFileName(path)], environment);
    }
}
