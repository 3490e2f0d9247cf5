using BenchmarkDotNet.Running;
using Cluster.Benchmarks;

const string baseline = "allocations.json";
return args switch
{
    ["--check-allocations"] => AllocationCheck.Compare(Path.Combine(AppContext.BaseDirectory, baseline), Console.Out),
    ["--update-allocations", var path] => AllocationCheck.Update(path, Console.Out),
    _ => Run(args),
};

static int Run(string[] args)
{
    BenchmarkSwitcher.FromAssembly(typeof(AllocationCheck).Assembly).Run(args);
    return 0;
}
