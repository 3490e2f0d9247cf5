using Cluster.Sampling.Configuration;
using Cluster.Sampling.Decisions;

namespace Cluster.Sampling.Policies;

/// <summary>Reads one type of policy. Null when what is wrong was reported.</summary>
internal delegate Policy? PolicyReader(PolicyConfiguration configuration);

/// <summary>One policy or sub-policy as it is written, and where its conditions, budgets and sub-policies go.</summary>
internal sealed class PolicyConfiguration
{
    private readonly PolicyCompilation _compilation;
    private readonly ConfigurationSection _section;
    private ConfigurationSection? _block;

    internal PolicyConfiguration(PolicyCompilation compilation, ConfigurationSection section, string name, string type, string path)
    {
        _compilation = compilation;
        _section = section;
        Name = name;
        Type = type;
        Path = path;
    }

    /// <summary>Configured name; a sub-policy without one has its position for a name.</summary>
    public string Name { get; }

    /// <summary>Configured type.</summary>
    public string Type { get; }

    /// <summary>Names from the top-level policy down to this one, joined by slashes.</summary>
    public string Path { get; }

    /// <summary>Whether it stands in the list of policies itself.</summary>
    public bool IsTopLevel => Path == Name;

    /// <summary>Whether the file has other policies beside it, to decide together with.</summary>
    public bool HasCompany => IsTopLevel && _compilation.TopLevelCount > 1;

    /// <summary>The block named after the type; empty when it is missing.</summary>
    public ConfigurationSection Block => _block ??= _section.SectionOrEmpty(Type);

    /// <summary>Where conditions are asked for.</summary>
    public Conditions Conditions => _compilation.Conditions;

    /// <summary>A rate budget of its own: its index.</summary>
    public int AddBudget(double perSecond, double burst, string part = "") =>
        _compilation.AddBudget(new Budget(part.Length == 0 ? Path : Path + "/" + part, perSecond, burst));

    /// <summary>Reads the two keys of a token bucket: its budget, and its limits in words.</summary>
    public (int Budget, string Limit) ReadBucket(string rateKey, string unit)
    {
        long rate = Block.Int64(rateKey, 0);
        long burst = Block.Int64("burst_capacity", 0);
        if (rate <= 0)
        {
            string problem = burst > 0 ? "never refills: keeps nothing once the burst is used" : "keeps nothing";
            Block.Warning(rateKey, problem, "use a number above 0");
        }
        else if (HasCompany)
        {
            Block.Warning(
                rateKey,
                $"only {unit} of traces that no other policy keeps count; in the Collector those of all traces do",
                "nothing to do: at least as many traces are kept");
        }

        double capacity = burst > 0 ? burst : 2.0 * Math.Max(0, rate);
        return (AddBudget(Math.Max(0, rate), capacity), $"{rateKey} {rate}, burst_capacity {capacity:0}");
    }

    /// <summary>Refuses the policy's type.</summary>
    public void Refuse(string problem, string fix)
    {
        _section.Error("type", problem, fix);
        _section.Ignore(Type);
    }

    /// <summary>Reports the keys of the block that its policy does not know.</summary>
    public void RejectUnknown() => _block?.RejectUnknown();

    /// <summary>Reads the key of the attribute or member that is asked for.</summary>
    public string ReadKey()
    {
        string key = Block.String("key", "") ?? "";
        if (key.Length == 0)
        {
            Block.Warning("key", Block.Has("key") ? "is empty" : "is missing", "name what to look at, for example 'http.route'");
        }

        return key;
    }

    /// <summary>A budget that was added.</summary>
    public Budget BudgetOf(int index) => _compilation.Budgets[index];

    /// <summary>
    /// Compiles the sub-policies in a list of the block; null when one of them is wrong. Beside the plain types only
    /// <paramref name="alsoAllowed"/> may stand there.
    /// </summary>
    public Policy[]? Children(string key, string alsoAllowed)
    {
        IReadOnlyList<ConfigurationSection> sections = Block.Sections(key) ?? [];
        HashSet<string> names = new(StringComparer.Ordinal);
        List<Policy?> children = [];
        for (int i = 0; i < sections.Count; i++)
        {
            Policy? child = _compilation.ReadChild(sections[i], this, i, alsoAllowed);
            children.Add(child);
            if (child is not null && !names.Add(child.Name))
            {
                sections[i].Warning("name", $"two sub-policies are called '{child.Name}'", "give each a name of its own");
            }
        }

        return children.Contains(null) ? null : [.. children.OfType<Policy>()];
    }

    /// <summary>Compiles the only sub-policy, of a plain type.</summary>
    public Policy? Child(string key)
    {
        if (Block.Section(key) is { } section)
        {
            return _compilation.ReadChild(section, this, 0, alsoAllowed: "");
        }

        if (!Block.Has(key))
        {
            Block.Error(key, "is missing", "write the one policy that is to be inverted under it");
        }

        return null;
    }

    /// <summary>Tells those who come from an old release that inversion is no veto any more.</summary>
    public void WarnOfInversion(bool inverted)
    {
        if (inverted && HasCompany)
        {
            Block.Warning(
                "invert_match",
                "keeps every trace without a match; unlike in old Collector releases it vetoes nothing that another policy keeps",
                "if a veto was meant, make it a policy of type drop, without invert_match");
        }
    }
}
