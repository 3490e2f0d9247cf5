using System.Globalization;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Cluster.Sampling.Configuration;

/// <summary>
/// One YAML mapping, read key by key. Every getter notes the key as known and puts what is wrong with it, with path, line and the
/// fix, into one list, then goes on with the default; <see cref="RejectUnknown"/> reports the keys nobody asked for.
/// Scalars are not converted between types, as in the Collector: <c>"50"</c> is a string, never a number. Not thread-safe.
/// </summary>
public sealed class ConfigurationSection
{
    private const string MergeKey = "<<";
    private const int MaxMergeDepth = 8;

    private static readonly (string Suffix, long Factor)[] ByteUnits =
        [("KiB", 1L << 10), ("MiB", 1L << 20), ("GiB", 1L << 30), ("TiB", 1L << 40)];

    private readonly YamlMappingNode _node;
    private readonly Dictionary<string, (YamlScalarNode Key, YamlNode Value)> _values = new(StringComparer.Ordinal);
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);

    private ConfigurationSection(YamlMappingNode node, string path, int line, ConfigurationErrors errors)
    {
        _node = node;
        Path = path;
        Line = line;
        Errors = errors;
        foreach ((YamlNode key, YamlNode value) in node.Children)
        {
            if (key is not YamlScalarNode { Value: { } name } scalar)
            {
                errors.Error(path, LineOf(key), "a key must be plain text", "quote it or remove it");
            }
            else if (name != MergeKey)
            {
                _values[name] = (scalar, value);
            }
        }

        Merge(node, MaxMergeDepth);
    }

    /// <summary>Keys from the top of the file to here, joined by dots; empty at the top.</summary>
    public string Path { get; }

    /// <summary>Line of the section's own key, from 1.</summary>
    public int Line { get; }

    /// <summary>Where findings go.</summary>
    public ConfigurationErrors Errors { get; }

    /// <summary>The section's keys, as written.</summary>
    public IEnumerable<string> Keys => _values.Keys;

    /// <summary>The keys that were read or ignored so far, whether they are there or not.</summary>
    public IEnumerable<string> KnownKeys => _known;

    /// <summary>
    /// The tag of a scalar that was put in for a reference such as <c>${env:NAME}</c>: it reads as a string, and also as a number, a boolean
    /// or null when its text is one.
    /// </summary>
    public static TagName ExpandedTag { get; } = new("!expanded");

    /// <summary>Parses a document. Null when it is no YAML mapping; the errors then say why. An empty document is an empty section.</summary>
    /// <param name="yaml">The text.</param>
    /// <param name="errors">Where findings go.</param>
    /// <param name="prepare">Called with the document before it is read; may change its nodes, to expand references for example.</param>
    public static ConfigurationSection? Parse(string yaml, ConfigurationErrors errors, Action<YamlNode>? prepare = null)
    {
        try
        {
            YamlStream stream = [];
            stream.Load(new StringReader(yaml));
            if (stream.Documents is [{ } document])
            {
                prepare?.Invoke(document.RootNode);
            }

            switch (stream.Documents)
            {
                case []:
                    return new ConfigurationSection([], "", 1, errors);
                case [{ RootNode: YamlMappingNode root }]:
                    return new ConfigurationSection(root, "", LineOf(root), errors);
                case [{ RootNode: YamlScalarNode { Value: "" or null } }]:
                    return new ConfigurationSection([], "", 1, errors);
                case [var only]:
                    errors.Error("", LineOf(only.RootNode), "the file must be a mapping of keys to values", "begin with "
                        + "'receivers:' or 'policies:'");
                    return null;
                default:
                    errors.Error("", LineOf(stream.Documents[1].RootNode), "more than one YAML document", "keep one document a file");
                    return null;
            }
        }
        catch (YamlException e)
        {
            errors.Error("", (int)e.Start.Line, "not valid YAML: " + e.Message, "check indentation and quotes near this line");
            return null;
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)
        {
            // What the YAML library throws at some malformed documents; it does not say where.
            errors.Error("", 0, "not valid YAML", "check braces, brackets and indentation");
            return null;
        }
    }

    /// <summary>Whether the key is there, even without a value. Does not note it as known.</summary>
    public bool Has(string key) => _values.ContainsKey(key);

    /// <summary>Whether the key holds a list. Does not note it as known.</summary>
    public bool IsList(string key) => _values.TryGetValue(key, out var entry) && entry.Value is YamlSequenceNode;

    /// <summary>Whether the key is there with a value other than null. Does not note it as known.</summary>
    public bool HasValue(string key) =>
        _values.TryGetValue(key, out var entry) && !(entry.Value is YamlScalarNode scalar && YamlScalar.IsNull(scalar));

    /// <summary>The line of a key, or of the section when the key is missing.</summary>
    public int LineOf(string key) => _values.TryGetValue(key, out var entry) ? LineOf(entry.Key) : Line;

    /// <summary>The path of a key in this section.</summary>
    public string PathOf(string key) => Path.Length == 0 ? key : Path + "." + key;

    /// <summary>Reports an error at a key.</summary>
    public void Error(string key, string problem, string fix) => Errors.Error(PathOf(key), LineOf(key), problem, fix);

    /// <summary>Reports a warning at a key.</summary>
    public void Warning(string key, string problem, string fix) => Errors.Warning(PathOf(key), LineOf(key), problem, fix);

    /// <summary>Notes a key as known without reading it.</summary>
    public void Ignore(string key) => _known.Add(key);

    /// <summary>A nested mapping; null when the key is missing. A key without a value is an empty mapping.</summary>
    public ConfigurationSection? Section(string key)
    {
        _known.Add(key);
        if (!_values.TryGetValue(key, out var entry))
        {
            return null;
        }

        switch (entry.Value)
        {
            case YamlMappingNode map:
                return new ConfigurationSection(map, PathOf(key), LineOf(entry.Key), Errors);
            case YamlScalarNode scalar when YamlScalar.IsNull(scalar):
                return new ConfigurationSection([], PathOf(key), LineOf(entry.Key), Errors);
            default:
                Error(key, "must be a mapping", "write nested keys under it, indented");
                return null;
        }
    }

    /// <summary>A nested mapping; an empty one at this section's line when the key is missing or no mapping.</summary>
    public ConfigurationSection SectionOrEmpty(string key) =>
        Section(key) ?? new ConfigurationSection([], PathOf(key), LineOf(key), Errors);

    /// <summary>A list of mappings, with paths like <c>policies[0]</c>; null when the key is missing, empty when it has no value.</summary>
    public IReadOnlyList<ConfigurationSection>? Sections(string key)
    {
        if (Sequence(key) is not { } sequence)
        {
            return null;
        }

        List<ConfigurationSection> sections = [];
        for (int i = 0; i < sequence.Children.Count; i++)
        {
            string path = string.Create(CultureInfo.InvariantCulture, $"{PathOf(key)}[{i}]");
            if (sequence[i] is YamlMappingNode map)
            {
                sections.Add(new ConfigurationSection(map, path, LineOf(map), Errors));
            }
            else
            {
                Errors.Error(path, LineOf(sequence[i]), "must be a mapping", "write '- name: ...' with further keys below it");
            }
        }

        return sections;
    }

    /// <summary>
    /// A list of strings, or one string that is split at commas as in the Collector; null when the key is missing. Numbers and booleans in
    /// it are errors: quote them.
    /// </summary>
    public IReadOnlyList<string>? Strings(string key)
    {
        if (_values.TryGetValue(key, out var entry) && entry.Value is YamlScalarNode { Value: { } text } line && YamlScalar.IsString(line))
        {
            _known.Add(key);
            return text.Length == 0 ? [] : text.Split(',');
        }

        if (Sequence(key) is not { } sequence)
        {
            return null;
        }

        List<string> strings = [];
        for (int i = 0; i < sequence.Children.Count; i++)
        {
            if (sequence[i] is YamlScalarNode scalar && (YamlScalar.IsString(scalar) || YamlScalar.IsNull(scalar)))
            {
                strings.Add(YamlScalar.IsNull(scalar) ? "" : scalar.Value!);
            }
            else
            {
                string path = string.Create(CultureInfo.InvariantCulture, $"{PathOf(key)}[{i}]");
                Errors.Error(path, LineOf(sequence[i]), "must be a string, found " + YamlScalar.Describe(sequence[i]), "put it in quotes");
            }
        }

        return strings;
    }

    /// <summary>A string, or <paramref name="defaultValue"/> when missing or null.</summary>
    public string? String(string key, string? defaultValue = null) =>
        Scalar(key) is not { } scalar ? defaultValue
        : YamlScalar.IsString(scalar) ? scalar.Value
        : Wrong(key, "a string", "put it in quotes", defaultValue);

    /// <summary>A string that must be there and not be empty; "" with an error otherwise.</summary>
    public string RequiredString(string key, string fix)
    {
        string? value = String(key);
        if (string.IsNullOrEmpty(value) && !(Has(key) && Scalar(key) is { } scalar && !YamlScalar.IsString(scalar)))
        {
            Error(key, Has(key) ? "must not be empty" : "is missing", fix);
        }

        return value ?? "";
    }

    /// <summary>An integer in a range (inclusive).</summary>
    public long Int64(string key, long defaultValue, long minimum = long.MinValue, long maximum = long.MaxValue)
    {
        if (Scalar(key) is not { } scalar)
        {
            return defaultValue;
        }

        if (!YamlScalar.TryInteger(scalar, out Int128 value))
        {
            if (!YamlScalar.TryNumber(scalar, out double number) || !(Math.Abs(number) < 1e18))
            {
                return Wrong(key, "an integer", "write a whole number without quotes", defaultValue);
            }

            value = (Int128)number;
            if (Math.Truncate(number) != number)
            {
                Warning(key, $"{scalar.Value} is cut to {value}", "write a whole number");
            }
        }

        if (value < minimum || value > maximum)
        {
            Error(key, $"{value} is out of range", maximum == long.MaxValue ? $"use {minimum} or more" : $"use {minimum} to {maximum}");
            return defaultValue;
        }

        return (long)value;
    }

    /// <summary>A number.</summary>
    public double Double(string key, double defaultValue)
    {
        if (Scalar(key) is not { } scalar)
        {
            return defaultValue;
        }

        return YamlScalar.TryNumber(scalar, out double value) && double.IsFinite(value)
            ? value
            : Wrong(key, "a number", "write a number without quotes", defaultValue);
    }

    /// <summary>True or false.</summary>
    public bool Bool(string key, bool defaultValue)
    {
        if (Scalar(key) is not { } scalar)
        {
            return defaultValue;
        }

        return YamlScalar.TryBool(scalar, out bool value)
            ? value
            : Wrong(key, "true or false", "write true or false without quotes", defaultValue);
    }

    /// <summary>A duration as Go writes them: <c>300ms</c>, <c>1.5s</c>, <c>1m30s</c>, <c>1h</c>, <c>0</c>.</summary>
    public TimeSpan Duration(string key, TimeSpan defaultValue, TimeSpan? minimum = null)
    {
        if (Scalar(key) is not { } scalar)
        {
            return defaultValue;
        }

        if (!GoDuration.TryParse(scalar.Value!, out TimeSpan value))
        {
            return Wrong(key, "a duration", "write it like 500ms, 1.5s or 1m30s", defaultValue);
        }

        if (value < (minimum ?? TimeSpan.Zero))
        {
            string fix = minimum is null ? "a duration cannot be negative" : $"use {GoDuration.Format(minimum.Value)} or more";
            Error(key, $"'{scalar.Value}' is too short", fix);
            return defaultValue;
        }

        return value;
    }

    /// <summary>A size in bytes: a whole number, or one with a unit, <c>64KiB</c>, <c>512MiB</c>, <c>2GiB</c>.</summary>
    public long ByteSize(string key, long defaultValue, long minimum = 0)
    {
        if (Scalar(key) is not { } scalar)
        {
            return defaultValue;
        }

        string text = scalar.Value!.Trim();
        long unit = 1;
        foreach ((string suffix, long factor) in ByteUnits)
        {
            if (text.EndsWith(suffix, StringComparison.OrdinalIgnoreCase))
            {
                unit = factor;
                text = text[..^suffix.Length].TrimEnd();
                break;
            }
        }

        if (!long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number) || number > long.MaxValue / unit)
        {
            return Wrong(key, "a size in bytes", "write it like 1048576, 64KiB, 512MiB or 2GiB", defaultValue);
        }

        if (number * unit < minimum)
        {
            Error(key, $"'{scalar.Value}' is too small", $"use {minimum} bytes or more");
            return defaultValue;
        }

        return number * unit;
    }

    /// <summary>Reports every key that nobody read, with the nearest known one.</summary>
    /// <param name="mappingsAreIgnored">Whether such a key with a mapping, or nothing, as its value is only warned of.</param>
    public void RejectUnknown(bool mappingsAreIgnored = false)
    {
        foreach ((string key, (YamlScalarNode node, YamlNode value)) in _values)
        {
            if (_known.Contains(key))
            {
                continue;
            }

            string? nearest = Spelling.Nearest(key, _known);
            string fix = nearest is not null ? $"did you mean '{nearest}'?"
                : _known.Count == 0 ? "remove it"
                : "known here: " + string.Join(", ", _known.Order(StringComparer.Ordinal));
            if (mappingsAreIgnored && (value is YamlMappingNode || !HasValue(key)))
            {
                Errors.Warning(PathOf(key), LineOf(node), "unknown key, ignored", fix);
            }
            else
            {
                Errors.Error(PathOf(key), LineOf(node), "unknown key", fix);
            }
        }
    }

    /// <summary>The whole section as it was written, for parts that another reader takes over.</summary>
    public override string ToString() => _node.ToString();

    /// <summary>Takes over the keys that are not written here from the mappings under <c>&lt;&lt;</c>, the first of which wins.</summary>
    private void Merge(YamlMappingNode node, int depth)
    {
        if (depth == 0 || !node.Children.TryGetValue(new YamlScalarNode(MergeKey), out YamlNode? merged))
        {
            return;
        }

        foreach (YamlNode source in merged is YamlSequenceNode list ? list.Children : [merged])
        {
            if (source is not YamlMappingNode map)
            {
                Errors.Error(PathOf(MergeKey), LineOf(source), "only mappings can be merged", "name an anchored mapping, as '<<: *name'");
                continue;
            }

            foreach ((YamlNode key, YamlNode value) in map.Children)
            {
                if (key is YamlScalarNode { Value: not null and not MergeKey } scalar)
                {
                    _values.TryAdd(scalar.Value, (scalar, value));
                }
            }

            Merge(map, depth - 1);
        }
    }

    private YamlSequenceNode? Sequence(string key)
    {
        _known.Add(key);
        if (!_values.TryGetValue(key, out var entry))
        {
            return null;
        }

        switch (entry.Value)
        {
            case YamlSequenceNode sequence:
                return sequence;
            case YamlScalarNode scalar when YamlScalar.IsNull(scalar):
                return [];
            default:
                Error(key, "must be a list", "write one '- item' a line, or [a, b]");
                return null;
        }
    }

    private YamlScalarNode? Scalar(string key)
    {
        _known.Add(key);
        if (!_values.TryGetValue(key, out var entry))
        {
            return null;
        }

        switch (entry.Value)
        {
            case YamlScalarNode scalar when YamlScalar.IsNull(scalar):
                return null;
            case YamlScalarNode scalar:
                return scalar;
            default:
                Error(key, "must be a single value, found " + YamlScalar.Describe(entry.Value), "write 'key: value' on one line");
                return null;
        }
    }

    private T Wrong<T>(string key, string wanted, string fix, T defaultValue)
    {
        Error(key, $"must be {wanted}, found {YamlScalar.Describe(_values[key].Value)}", fix);
        return defaultValue;
    }

    private static int LineOf(YamlNode node) => (int)node.Start.Line;
}
