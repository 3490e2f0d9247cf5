using System.CommandLine;
using Cluster.LoadGenerator.Workload;

namespace Cluster.LoadGenerator.Commands;

/// <summary><c>loadgen describe</c>: what the workload is, measured.</summary>
internal static class DescribeCommand
{
    /// <summary>The command.</summary>
    public static Command Create()
    {
        var command = new Command("describe", "Print the measured properties of the workload.");
        command.SetAction(_ => WorkloadProperties.Of(TraceWorkload.Draw()).Print(Console.Out));
        return command;
    }
}
