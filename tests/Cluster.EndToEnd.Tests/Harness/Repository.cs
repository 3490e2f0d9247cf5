namespace Cluster.EndToEnd.Tests.Harness;

/// <summary>Where things are in the source tree.</summary>
internal static class Repository
{
    /// <summary>The folder that holds the solution.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The node, built with the same configuration as these tests.</summary>
    public static string NodeProgram { get; } =
        Path.Combine(Root, "src", "Cluster.Node", "bin", Configuration, "net10.0", "actorsampling.dll");

    /// <summary>The JavaScript clients.</summary>
    public static string JavaScriptClients { get; } = Path.Combine(Root, "tests", "Cluster.EndToEnd.Tests", "clients", "js");

    // .../bin/Release/net10.0/
    private static string Configuration => Directory.GetParent(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar))!.Name;

    private static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "ActorSampling.sln")))
            {
                return folder.FullName;
            }
        }

        throw new DirectoryNotFoundException($"no ActorSampling.sln above {AppContext.BaseDirectory}");
    }
}
