using BenchmarkDotNet.Configs;
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
    // BenchmarkDotNet builds a project of its own; on a busy machine its two minutes are not enough.
    IConfig config = ManualConfig.Create(DefaultConfig.Instance).WithBuildTimeout(TimeSpan.FromMinutes(10));
    BenchmarkSwitcher.FromAssembly(typeof(AllocationCheck).Assembly).Run(args, config);
    return 0;
}
