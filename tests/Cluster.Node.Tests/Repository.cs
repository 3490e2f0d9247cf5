namespace Cluster.Node.Tests;

/// <summary>Files of the repository that tests read or compare with.</summary>
internal static class Repository
{
    private static readonly string Root = FindRoot();

    /// <summary>A file or folder by its path from the root.</summary>
    public static string PathTo(string relative) => Path.Combine(Root, relative);

    /// <summary>Reads a file by its path from the root.</summary>
    public static string Read(string relative) => File.ReadAllText(PathTo(relative));

    /// <summary>Names, in order, of the files in a folder that fit a pattern.</summary>
    public static TheoryData<string> Files(string folder, string pattern) =>
        [.. Directory.GetFiles(PathTo(folder), pattern).Select(file => Path.GetFileName(file)!).Order(StringComparer.Ordinal)];

    /// <summary>
    /// Compares with a file of the repository. After a wanted change run with <c>UPDATE_GOLDEN=1</c> in the environment, which writes the
    /// file instead, and read the difference.
    /// </summary>
    public static void AssertGolden(string relative, string actual)
    {
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
        {
            File.WriteAllText(PathTo(relative), actual);
        }

        Assert.Equal(Read(relative), actual);
    }

    private static string FindRoot()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "ActorSampling.sln")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder ?? throw new InvalidOperationException("not run from inside the repository");
    }
}
