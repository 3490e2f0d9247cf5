using System.CommandLine;
using Cluster.LoadGenerator.Commands;

var root = new RootCommand("Load generator and recording sink for tail-sampling nodes: it knows which traces must arrive.")
{
    DescribeCommand.Create(),
    SendCommand.Create(),
    SinkCommand.Create(),
    HeadCommand.Create(),
};
return await root.Parse(args).InvokeAsync();
