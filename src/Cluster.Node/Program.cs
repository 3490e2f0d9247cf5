using Cluster.Node.Commands;
using Cluster.Node.Hosting;

return await CommandLine.InvokeAsync(args, NodeHost.RunAsync);
