using System.Diagnostics;
using System.Reflection;
using System.Text.Json;
using BenchmarkDotNet.Attributes;

namespace Cluster.Benchmarks;

/// <summary>
/// Counts what the body of each benchmark allocates, in this process and within seconds, and compares it with the numbers in
/// <c>allocations.json</c>. Times differ from machine to machine; allocated bytes do not, so a build can hold on to them.
/// </summary>
internal static class AllocationCheck
{
    private const int WarmUpOperations = 2000;
    private const int Operations = 1000;
    private const int Rounds = 3;
    private static readonly JsonSerializerOptions s_json = new() { WriteIndented = true };
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(3);

    /// <summary>Compares with a baseline. Returns 0 when no benchmark allocates more than there and all are in it, else 1.</summary>
    public static int Compare(string baselinePath, TextWriter output)
    {
        var baseline = JsonSerializer.Deserialize<Dictionary<string, long>>(File.ReadAllText(baselinePath))!;
        int faults = 0;
        foreach ((string name, long bytes) in MeasureAll())
        {
            string verdict;
            if (!baseline.Remove(name, out long expected))
            {
                verdict = "NOT IN THE BASELINE";
                faults++;
            }
            else if (bytes > expected)
            {
                verdict = $"EXCEEDS {expected}";
                faults++;
            }
            else
            {
                verdict = bytes < expected ? $"ok, less than {expected}: lower the baseline" : "ok";
            }

            output.WriteLine($"{name}: {bytes} bytes per operation, {verdict}");
        }

        foreach (string name in baseline.Keys)
        {
            output.WriteLine($"{name}: in the baseline, but there is no such benchmark");
            faults++;
        }

        return faults == 0 ? 0 : 1;
    }

    /// <summary>Writes what is measured now as the new baseline.</summary>
    public static int Update(string baselinePath, TextWriter output)
    {
        var measured = MeasureAll().ToDictionary(benchmark => benchmark.Name, benchmark => benchmark.Bytes);
        string json = JsonSerializer.Serialize(measured, s_json);
        File.WriteAllText(baselinePath, json + "\n");
        output.WriteLine(json);
        return 0;
    }

    private static IEnumerable<(string Name, long Bytes)> MeasureAll() =>
        from type in typeof(AllocationCheck).Assembly.GetTypes()
        where type.GetCustomAttribute<MemoryDiagnoserAttribute>() is not null
        from method in type.GetMethods()
        where method.GetCustomAttribute<BenchmarkAttribute>() is not null
        orderby type.Name, method.Name
        select ($"{type.Name}.{method.Name}", Measure(type, method));

    private static long Measure(Type type, MethodInfo method)
    {
        object instance = Activator.CreateInstance(type)!;
        Call<GlobalSetupAttribute>(instance);
        Action operation = AsAction(instance, method);
        Repeat(operation, WarmUpOperations);

        // The least of a few rounds: a pool that the garbage collector has just trimmed is filled again, which is not the code's doing.
        long least = long.MaxValue;
        for (int round = 0; round < Rounds; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            int count = Repeat(operation, Operations);
            least = Math.Min(least, (GC.GetAllocatedBytesForCurrentThread() - before) / count);
        }

        Call<GlobalCleanupAttribute>(instance);
        return least;
    }

    private static int Repeat(Action operation, int times)
    {
        long start = Stopwatch.GetTimestamp();
        int count = 0;
        while (count < times && (count == 0 || Stopwatch.GetElapsedTime(start) < s_patience))
        {
            operation();
            count++;
        }

        return count;
    }

    /// <summary>Results are thrown away; wrapping them must not allocate either.</summary>
    private static Action AsAction(object instance, MethodInfo method)
    {
        if (method.ReturnType == typeof(void))
        {
            return method.CreateDelegate<Action>(instance);
        }

        if (method.ReturnType == typeof(int))
        {
            var function = method.CreateDelegate<Func<int>>(instance);
            return () => function();
        }

        throw new NotSupportedException($"{method.DeclaringType!.Name}.{method.Name} must return void or int");
    }

    private static void Call<TAttribute>(object instance)
        where TAttribute : Attribute
    {
        foreach (MethodInfo method in instance.GetType().GetMethods().Where(method => method.GetCustomAttribute<TAttribute>() is not null))
        {
            method.Invoke(instance, null);
        }
    }
}
