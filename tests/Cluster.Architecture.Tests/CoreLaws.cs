using System.Reflection;
using System.Reflection.Emit;

namespace Cluster.Architecture.Tests;

/// <summary>
/// <c>*Core</c> classes are synchronous state machines, <c>(state, message, now) -> effects</c>: no I/O, clock, randomness, task or logger
/// in what they hold, take, return or call.
/// </summary>
public sealed class CoreLaws
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly string[] ImpureNamespaces =
    [
        "System.IO", "System.Net", "System.Console", "System.Environment", "System.Diagnostics.Process",
        "System.TimeProvider", "System.Diagnostics.Stopwatch", "System.Random", "System.Security.Cryptography.RandomNumberGenerator",
        "System.Threading.Tasks", "System.Threading.Channels", "System.Threading.Thread", "System.Threading.CancellationToken",
        "System.Threading.Timer", "System.Threading.PeriodicTimer",
        "System.Diagnostics.Activity", "System.Diagnostics.Metrics", "Microsoft.Extensions", "Microsoft.AspNetCore",
    ];

    private static readonly string[] ImpureMembers =
    [
        "System.DateTime.get_Now", "System.DateTime.get_UtcNow", "System.DateTime.get_Today", "System.DateTimeOffset.get_Now",
        "System.DateTimeOffset.get_UtcNow", "System.Guid.NewGuid", "System.Guid.CreateVersion7",
    ];

    private static readonly Dictionary<short, OpCode> Operations = typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(field => (OpCode)field.GetValue(null)!)
        .ToDictionary(code => code.Value);

    [Fact]
    public void CoreClass_InSrc_IsPure()
    {
        string[] found = [.. Repository.Assemblies.Values.SelectMany(assembly => assembly.GetTypes()).Where(IsCore).SelectMany(Impurities)];
        Repository.AssertNone(found);
    }

    [Theory]
    [InlineData(typeof(ClockFieldCore), "System.TimeProvider")]
    [InlineData(typeof(TaskMethodCore), "System.Threading.Tasks.Task")]
    [InlineData(typeof(ClockCallCore), "System.DateTime.get_UtcNow")]
    [InlineData(typeof(RandomCallCore), "System.Random")]
    [InlineData(typeof(StreamListCore), "System.IO.Stream")]
    public void Impurities_OfAnImpureCore_NameIt(Type core, string expected) =>
        Assert.Contains(Impurities(core), found => found.EndsWith(expected, StringComparison.Ordinal));

    [Fact]
    public void Impurities_OfAPureCore_AreNone() => Assert.Empty(Impurities(typeof(PureCore)));

    /// <summary>A core, or something nested in one.</summary>
    private static bool IsCore(Type? type)
    {
        for (; type is not null; type = type.DeclaringType)
        {
            if (type.Name.Split('`')[0].EndsWith("Core", StringComparison.Ordinal))
            {
                return true;
            }
        }

        return false;
    }

    private static IEnumerable<string> Impurities(Type core)
    {
        IEnumerable<Type> held = core.GetFields(Declared).Select(field => field.FieldType).Concat(core.GetInterfaces());
        foreach (MethodBase method in core.GetConstructors(Declared).Cast<MethodBase>().Concat(core.GetMethods(Declared)))
        {
            held = held.Concat(method.GetParameters().Select(parameter => parameter.ParameterType));
            held = method is MethodInfo { ReturnType: var returned } ? held.Append(returned) : held;
            foreach (MemberInfo member in Calls(method))
            {
                string name = $"{member.DeclaringType?.FullName}.{member.Name}";
                if (ImpureMembers.Contains(name))
                {
                    yield return $"{core.FullName}.{method.Name} calls {name}";
                }
                else if (member.DeclaringType is { } type && IsImpure(type))
                {
                    yield return $"{core.FullName}.{method.Name} calls {type.FullName}";
                }
            }
        }

        foreach (Type type in held.SelectMany(Parts).Where(IsImpure))
        {
            yield return $"{core.FullName} holds, takes or returns {type.FullName ?? type.Name}";
        }
    }

    private static bool IsImpure(Type type) => type.FullName is { } name && ImpureNamespaces.Any(impure =>
        name.StartsWith(impure, StringComparison.Ordinal) && (name.Length == impure.Length || name[impure.Length] is '.' or '`' or '+'));

    /// <summary>The type, and what it is made of: <c>List&lt;Stream[]&gt;</c> is a list, an array and a stream.</summary>
    private static IEnumerable<Type> Parts(Type type)
    {
        if (type.HasElementType)
        {
            return Parts(type.GetElementType()!);
        }

        return type.IsGenericType
            ? type.GetGenericArguments().SelectMany(Parts).Prepend(type.GetGenericTypeDefinition())
            : [type];
    }

    /// <summary>What the body of <paramref name="method"/> calls, creates or loads.</summary>
    private static IEnumerable<MemberInfo> Calls(MethodBase method)
    {
        byte[] body = method.GetMethodBody()?.GetILAsByteArray() ?? [];
        Type[] typeArguments = method.DeclaringType is { IsGenericType: true } type ? type.GetGenericArguments() : [];
        Type[] methodArguments = method.IsGenericMethod ? method.GetGenericArguments() : [];
        for (int position = 0; position < body.Length;)
        {
            short value = body[position++];
            if (value == 0xFE)
            {
                value = unchecked((short)(0xFE00 | body[position++]));
            }

            OpCode code = Operations[value];
            if (code.OperandType is OperandType.InlineMethod or OperandType.InlineField or OperandType.InlineTok)
            {
                int token = BitConverter.ToInt32(body, position);
                if (method.Module.ResolveMember(token, typeArguments, methodArguments) is { } member)
                {
                    yield return member;
                }
            }

            position += code.OperandType switch
            {
                OperandType.InlineNone => 0,
                OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
                OperandType.InlineVar => 2,
                OperandType.InlineI8 or OperandType.InlineR => 8,
                OperandType.InlineSwitch => 4 + 4 * BitConverter.ToInt32(body, position),
                _ => 4,
            };
        }
    }

#pragma warning disable CA1823, CA1852, CS0169, CS0414, CS0649, IDE0044, IDE0051, IDE0052, CA5394 // Samples of what a core must not be.
    private sealed class ClockFieldCore
    {
        private TimeProvider? _clock;
    }

    private sealed class TaskMethodCore
    {
        private static Task Run() => Task.CompletedTask;
    }

    private sealed class ClockCallCore
    {
        private static long Now() => DateTime.UtcNow.Ticks;
    }

    private sealed class RandomCallCore
    {
        private static int Next() => Random.Shared.Next();
    }

    private sealed class StreamListCore
    {
        private List<Stream[]>? _streams;
    }

    private sealed class PureCore
    {
        private readonly Dictionary<string, List<int>> _state = [];

        public IEnumerable<string> Handle(string message, DateTimeOffset now)
        {
            _state[message] = [(int)now.Ticks];
            return _state.Where(pair => pair.Value.Count > 0).Select(pair => $"{pair.Key} at {now}");
        }
    }
#pragma warning restore
}
