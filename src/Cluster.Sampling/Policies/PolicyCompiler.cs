using System.Globalization;
using Cluster.Sampling.Configuration;
using Cluster.Sampling.Decisions;

namespace Cluster.Sampling.Policies;

/// <summary>Compiles the policies of a <c>tail_sampling</c> section. Thread-safe.</summary>
public static class PolicyCompiler
{
    /// <summary>Policies that stand alone, and that may be sub-policies of others.</summary>
    private static readonly Dictionary<string, PolicyReader> Plain = new(StringComparer.Ordinal)
    {
        ["always_sample"] = AlwaysSamplePolicy.Read,
        ["boolean_attribute"] = BooleanAttributePolicy.Read,
        ["bytes_limiting"] = BytesLimitingPolicy.Read,
        ["latency"] = LatencyPolicy.Read,
        ["numeric_attribute"] = NumericAttributePolicy.Read,
        ["ottl_condition"] = OttlConditionPolicy.Read,
        ["probabilistic"] = ProbabilisticPolicy.Read,
        ["rate_limiting"] = RateLimitingPolicy.Read,
        ["span_count"] = SpanCountPolicy.Read,
        ["status_code"] = StatusCodePolicy.Read,
        ["string_attribute"] = StringAttributePolicy.Read,
        ["trace_flags"] = TraceFlagsPolicy.Read,
        ["trace_state"] = TraceStatePolicy.Read,
    };

    /// <summary>Policies made of others.</summary>
    private static readonly Dictionary<string, PolicyReader> Combining = new(StringComparer.Ordinal)
    {
        ["and"] = AndPolicy.Read,
        ["composite"] = CompositePolicy.Read,
        ["drop"] = DropPolicy.Read,
        ["not"] = NotPolicy.Read,
    };

    /// <summary>
    /// Compiles <c>policies</c> and <c>sample_on_first_match</c>; other keys of the section are left to others. Errors and warnings go into
    /// the section's <see cref="ConfigurationSection.Errors"/>.
    /// </summary>
    /// <returns>Null when there is an error.</returns>
    public static PolicySet? Compile(ConfigurationSection tailSampling)
    {
        int errorsBefore = CountErrors(tailSampling.Errors);
        bool stopsAtFirstMatch = tailSampling.Bool("sample_on_first_match", false);
        IReadOnlyList<ConfigurationSection> sections = tailSampling.Sections("policies") ?? [];
        if (sections.Count == 0 && CountErrors(tailSampling.Errors) == errorsBefore)
        {
            tailSampling.Warning("policies", "no policy: no trace is kept", "add one, for example '- {name: all, type: always_sample}'");
        }

        PolicyCompilation compilation = new(sections.Count);
        HashSet<string> names = new(StringComparer.Ordinal);
        List<Policy> policies = [];
        foreach (ConfigurationSection section in sections)
        {
            string name = section.RequiredString("name", "give the policy a name, for example 'errors'");
            if (name.Length > 0 && !names.Add(name))
            {
                section.Error("name", $"two policies are called '{name}'", "give each a name of its own");
            }

            if (compilation.Read(section, name, name, Combining) is { } policy)
            {
                policies.Add(policy);
            }
        }

        return CountErrors(tailSampling.Errors) > errorsBefore
            ? null
            : new PolicySet(policies, compilation.Conditions, compilation.Budgets, stopsAtFirstMatch);
    }

    /// <summary>Compiles a document that is a <c>tail_sampling</c> section. Keys other than the policies' are not looked at.</summary>
    /// <returns>Null when there is an error.</returns>
    public static PolicySet? Parse(string yaml, ConfigurationErrors errors) =>
        ConfigurationSection.Parse(yaml, errors) is { } section ? Compile(section) : null;

    internal static PolicyReader? ReaderOf(string type, IReadOnlyDictionary<string, PolicyReader> further) =>
        Plain.GetValueOrDefault(type) ?? further.GetValueOrDefault(type);

    internal static string KnownTypes(IReadOnlyDictionary<string, PolicyReader> further) =>
        string.Join(", ", Plain.Keys.Where(t => t != "ottl_condition").Concat(further.Keys).Order(StringComparer.Ordinal));

    internal static Dictionary<string, PolicyReader> CombiningOnly(string type) =>
        Combining.Where(c => c.Key == type).ToDictionary(c => c.Key, c => c.Value, StringComparer.Ordinal);

    internal static bool IsKnownType(string type) => Plain.ContainsKey(type) || Combining.ContainsKey(type);

    private static int CountErrors(ConfigurationErrors errors) => errors.All.Count(e => e.Severity == ConfigurationSeverity.Error);
}

/// <summary>What the policies of one set have in common while they are compiled.</summary>
internal sealed class PolicyCompilation(int topLevelCount)
{
    private readonly List<Budget> _budgets = [];

    public int TopLevelCount => topLevelCount;

    public Conditions Conditions { get; } = new();

    public IReadOnlyList<Budget> Budgets => _budgets;

    public int AddBudget(Budget budget)
    {
        _budgets.Add(budget);
        return _budgets.Count - 1;
    }

    public Policy? ReadChild(ConfigurationSection section, PolicyConfiguration parent, int index, string alsoAllowed)
    {
        string name = section.String("name", "") ?? "";
        if (name.Length == 0)
        {
            section.Warning("name", "a sub-policy without a name", "give it one, so that explanations can name it");
            name = (index + 1).ToString(CultureInfo.InvariantCulture);
        }

        return Read(section, name, parent.Path + "/" + name, PolicyCompiler.CombiningOnly(alsoAllowed));
    }

    public Policy? Read(ConfigurationSection section, string name, string path, IReadOnlyDictionary<string, PolicyReader> combining)
    {
        string type = section.RequiredString("type", "use one of: " + PolicyCompiler.KnownTypes(combining));
        PolicyReader? reader = PolicyCompiler.ReaderOf(type, combining);
        Policy? policy = null;
        if (reader is not null)
        {
            PolicyConfiguration configuration = new(this, section, name, type, path);
            policy = reader(configuration);
            configuration.RejectUnknown();
        }
        else if (type.Length > 0)
        {
            string problem = PolicyCompiler.IsKnownType(type)
                ? $"'{type}' cannot stand inside another policy here"
                : $"unknown policy type '{type}'";
            section.Error("type", problem, "use one of: " + PolicyCompiler.KnownTypes(combining));
            section.Ignore(type);
        }

        section.RejectUnknown(mappingsAreIgnored: true);
        return policy;
    }
}
