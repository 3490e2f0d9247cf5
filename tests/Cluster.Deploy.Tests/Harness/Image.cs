using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Cluster.Deploy.Tests.Harness;

/// <summary>What the Dockerfile says, which everything that runs the image has to agree with.</summary>
internal static partial class Image
{
    /// <summary>Seconds that everything gives a node of a cluster between SIGTERM and SIGKILL.</summary>
    public const int GraceSeconds = 120;

    private static readonly string Dockerfile = Repository.Read("deploy/Dockerfile");

    /// <summary>The user of the last stage.</summary>
    public static string User => Last("USER");

    /// <summary>Ports that it names.</summary>
    public static IEnumerable<int> Ports => Last("EXPOSE").Split(' ').Select(int.Parse);

    /// <summary>The command that every argument follows.</summary>
    public static string[] EntryPoint => JsonSerializer.Deserialize<string[]>(Last("ENTRYPOINT"))!;

    /// <summary>What runs without arguments.</summary>
    public static string[] Command => JsonSerializer.Deserialize<string[]>(Last("CMD"))!;

    /// <summary>Images that it is built from.</summary>
    public static IEnumerable<string> Bases => Instruction("FROM").Select(line => line.Split(' ')[0]);

    /// <summary>Fails when a reference to an image can mean another one tomorrow; the node's own has the version of the source.</summary>
    public static void AssertPinned(string image)
    {
        Assert.Matches(Pinned, image);
        if (image.StartsWith("actorsampling:", StringComparison.Ordinal))
        {
            string version = XDocument.Parse(Repository.Read("Directory.Build.props")).Descendants("Version").Single().Value;
            Assert.Equal($"actorsampling:{version}", image);
        }
    }

    private static string Last(string instruction) => Instruction(instruction)[^1];

    private static string[] Instruction(string name) =>
    [
        .. Dockerfile.Split('\n')
            .Where(line => line.StartsWith(name + " ", StringComparison.Ordinal))
            .Select(line => line[(name.Length + 1)..].Trim()),
    ];

    [GeneratedRegex(@"^[\w./-]+:v?\d+\.\d+\.\d+$")]
    private static partial Regex Pinned { get; }
}
