using System.CommandLine;
using Cluster.LoadGenerator.Measuring;

namespace Cluster.LoadGenerator.Commands;

/// <summary><c>loadgen head</c>: the head of the table whose rows <c>loadgen send</c> prints.</summary>
internal static class HeadCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var command = new Command("head", "Print the head of the table that send prints rows of.");
        command.SetAction(_ => Console.WriteLine(RunReport.MarkdownHead));
        return command;
    }
}
