namespace Cluster.Node.Tests.Admin;

public sealed class AdminDocsTests
{
    [Fact]
    public void Docs_Paths_AreTheRoutes()
    {
        using AdminFixture admin = new();
        string[] documented =
        [
            .. Repository.Read("docs/admin.md").Split('\n').Where(line => line.StartsWith("| `/", StringComparison.Ordinal)).Select(line => line.Split('`')[1]),
        ];

        Assert.Equal(admin.Endpoint.Routes.All.Select(route => route.Template), documented);
    }
}
