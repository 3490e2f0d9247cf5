namespace Cluster.Node.Tests.Admin;

/// <summary>Files of the repository that tests compare with.</summary>
internal static class Repository
{
    private static readonly string Root = FindRoot();

    /// <summary>Reads a file by its path from the root.</summary>
    public static string Read(string path) => File.ReadAllText(Path.Combine(Root, path));

    /// <summary>Compares with a file of the repository; with GOLDEN_UPDATE=1 in the environment, writes it instead.</summary>
    public static void AssertGolden(string path, string actual)
    {
        if (Environment.GetEnvironmentVariable("GOLDEN_UPDATE") == "1")
        {
            File.WriteAllText(Path.Combine(Root, path), actual);
        }

        Assert.Equal(Read(path), actual);
    }

    private static string FindRoot()
    {
        DirectoryInfo? directory = new(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "ActorSampling.sln")))
        {
            directory = directory.Parent;
        }

        return directory?.FullName ?? throw new InvalidOperationException("not run from inside the repository");
    }
}
