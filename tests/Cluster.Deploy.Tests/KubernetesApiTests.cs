using Cluster.Deploy.Tests.Harness;

namespace Cluster.Deploy.Tests;

/// <summary>What overlays render to is what the Kubernetes API takes.</summary>
public sealed class KubernetesApiTests
{
    public static TheoryData<string> Overlays() =>
        [.. Directory.GetDirectories(Repository.PathTo(Manifests.Overlays)).Select(path => Path.GetFileName(path)!).Order()];

    [Fact]
    public async Task Overlays_EveryObject_IsOneOfTheApi()
    {
        Manifests[] overlays = await Task.WhenAll(Overlays().Select(overlay => Manifests.OfAsync(overlay.Data)));
        Assert.Equal("", await Tool.CheckManifestsAsync(string.Join("---\n", overlays.Select(overlay => overlay.Text))));
    }

    /// <summary>A check that finds nothing would prove nothing.</summary>
    [Theory]
    [InlineData("periodSeconds: 2", "periodSecond: 2", "StatefulSet/actorsampling: Object literal may only specify known properties")]
    [InlineData("replicas: 3", "replicas: three", "StatefulSet/actorsampling: data/spec/replicas must be integer")]
    [InlineData("DoNotSchedule", "NeverSchedule", "StatefulSet/actorsampling: data/spec/template/spec/topologySpreadConstraints/0/whenUnsatisfiable")]
    [InlineData("apiVersion: policy/v1", "apiVersion: policy/v7", "PodDisruptionBudget/actorsampling: there is no PodDisruptionBudget in policy/v7")]
    public async Task Check_ObjectThatIsWrong_IsFound(string right, string wrong, string finding)
    {
        string text = (await Manifests.OfAsync("external-etcd")).Text;
        Assert.Contains(right, text, StringComparison.Ordinal);

        string findings = await Tool.CheckManifestsAsync(text.Replace(right, wrong, StringComparison.Ordinal));

        Assert.Contains(finding, findings, StringComparison.Ordinal);
    }
}
