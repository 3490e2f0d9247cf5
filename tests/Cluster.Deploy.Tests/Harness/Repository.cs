namespace Cluster.Deploy.Tests.Harness;

/// <summary>Files of the repository.</summary>
internal static class Repository
{
    private static readonly string Root = FindRoot();

    /// <summary>A file or folder by its path from the root.</summary>
    public static string PathTo(string relative) => Path.Combine(Root, relative);

    /// <summary>Reads a file by its path from the root.</summary>
    public static string Read(string relative) => File.ReadAllText(PathTo(relative));

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
