using System.Text.Json.Nodes;
using Cluster.Deploy.Tests.Harness;

namespace Cluster.Deploy.Tests;

/// <summary>Pods may do no more than they need to.</summary>
public sealed class KubernetesSecurityTests
{
    public static TheoryData<string> Overlays() => KubernetesApiTests.Overlays();

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Overlay_EveryPod_IsNobodySpecial(string overlay) =>
        Assert.All((await Manifests.OfAsync(overlay)).Workloads, workload =>
        {
            JsonNode pod = workload.At("spec/template/spec")!;
            Assert.Equal("true", pod.Text("securityContext/runAsNonRoot"));
            Assert.True(int.Parse(pod.Text("securityContext/runAsUser")!) > 0);
            Assert.True(int.Parse(pod.Text("securityContext/runAsGroup")!) > 0);
            Assert.Equal("RuntimeDefault", pod.Text("securityContext/seccompProfile/type"));
            Assert.Equal("false", pod.Text("automountServiceAccountToken"));
            Assert.All(["hostNetwork", "hostPID", "hostIPC"], key => Assert.Null(pod.At(key)));
            Assert.DoesNotContain(pod.Each("volumes"), volume => volume.At("hostPath") is not null);
        });

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Overlay_EveryContainer_IsHeldByALockedRoot(string overlay) =>
        Assert.All(Containers(await Manifests.OfAsync(overlay)), container =>
        {
            Assert.Equal("true", container.Text("securityContext/readOnlyRootFilesystem"));
            Assert.Equal("false", container.Text("securityContext/allowPrivilegeEscalation"));
            Assert.Equal(["ALL"], container.Texts("securityContext/capabilities/drop"));
            Assert.Null(container.At("securityContext/capabilities/add"));
            Assert.Null(container.At("securityContext/privileged"));
        });

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Overlay_EveryContainer_HasAVersionAndBoundedMemory(string overlay) =>
        Assert.All(Containers(await Manifests.OfAsync(overlay)), container =>
        {
            Image.AssertPinned(container.Text("image")!);
            Assert.All(["requests/cpu", "requests/memory", "limits/memory"], key => Assert.NotNull(container.At($"resources/{key}")));
        });

    [Theory]
    [MemberData(nameof(Overlays))]
    public async Task Overlay_Nodes_HaveTheImagesUserAndNoToken(string overlay)
    {
        Manifests manifests = await Manifests.OfAsync(overlay);
        JsonNode pod = manifests.Nodes.At("spec/template/spec")!;
        Assert.Equal(Image.User, pod.Text("securityContext/runAsUser"));
        JsonNode account = manifests.Named("ServiceAccount", pod.Text("serviceAccountName")!);
        Assert.Equal("false", account.Text("automountServiceAccountToken"));
        Assert.DoesNotContain(manifests.Objects, item => item.Text("kind")!.Contains("Role", StringComparison.Ordinal));
        string @namespace = Assert.Single(manifests.OfKind("Namespace")).Text("metadata/name")!;
        Assert.All(
            manifests.Objects.Where(item => item.Text("kind") != "Namespace"),
            item => Assert.Equal(@namespace, item.Text("metadata/namespace")));
    }

    private static IEnumerable<JsonNode> Containers(Manifests manifests) =>
        manifests.Workloads.SelectMany(workload =>
            workload.Each("spec/template/spec/containers").Concat(workload.Each("spec/template/spec/initContainers")));
}
