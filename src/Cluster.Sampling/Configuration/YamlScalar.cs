using System.Globalization;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Cluster.Sampling.Configuration;

/// <summary>
/// Types of plain YAML scalars, as the Collector's YAML library resolves them: integers also in hexadecimal, octal (a leading 0 too) and
/// binary, with underscores; no <c>yes</c> and <c>on</c>. Quoted or tagged <c>!!str</c>, everything is a string.
/// </summary>
internal static class YamlScalar
{
    private const string StringTag = "tag:yaml.org,2002:str";

    /// <summary>Whether it is nothing at all.</summary>
    public static bool IsNull(YamlScalarNode node) => IsPlain(node) && node.Value is null or "" or "~" or "null" or "Null" or "NULL";

    /// <summary>Whether it is a string.</summary>
    public static bool IsString(YamlScalarNode node) =>
        !IsPlain(node) || node.Tag == ConfigurationSection.ExpandedTag || !(IsNull(node) || TryBool(node, out _) || TryInteger(node, out _) || TryNumber(node, out _));

    /// <summary>Reads <c>true</c> or <c>false</c>.</summary>
    public static bool TryBool(YamlScalarNode node, out bool value)
    {
        value = node.Value is "true" or "True" or "TRUE";
        return IsPlain(node) && (value || node.Value is "false" or "False" or "FALSE");
    }

    /// <summary>Reads an integer of any size.</summary>
    public static bool TryInteger(YamlScalarNode node, out Int128 value)
    {
        value = 0;
        if (!IsPlain(node) || node.Value is not [(>= '0' and <= '9') or '+' or '-', ..] text)
        {
            return false;
        }

        ReadOnlySpan<char> digits = text.Replace("_", "", StringComparison.Ordinal);
        bool negative = digits[0] == '-';
        digits = digits[0] is '+' or '-' ? digits[1..] : digits;
        int radix = digits switch
        {
            ['0', 'x' or 'X', ..] => 16,
            ['0', 'b' or 'B', ..] => 2,
            ['0', 'o' or 'O' or (>= '0' and <= '9'), ..] => 8,
            _ => 10,
        };
        digits = radix == 10 ? digits : digits[1] is >= '0' and <= '9' ? digits[1..] : digits[2..];
        if (digits.IsEmpty || digits.Length > 64)
        {
            return false;
        }

        foreach (char c in digits)
        {
            int digit = char.IsAsciiHexDigit(c) ? Convert.ToInt32(c.ToString(), 16) : radix;
            if (digit >= radix || value > Int128.MaxValue / radix - 1)
            {
                return false;
            }

            value = value * radix + digit;
        }

        value = negative ? -value : value;
        return true;
    }

    /// <summary>Reads a number that is written as a decimal fraction, with or without an exponent, or as an integer.</summary>
    public static bool TryNumber(YamlScalarNode node, out double value)
    {
        value = 0;
        if (!IsPlain(node) || node.Value is not [(>= '0' and <= '9') or '+' or '-' or '.', ..] text)
        {
            return false;
        }

        if (TryInteger(node, out Int128 integer))
        {
            value = (double)integer;
            return true;
        }

        string unsigned = text[0] is '+' or '-' ? text[1..] : text;
        if (unsigned is ".inf" or ".Inf" or ".INF" or ".nan" or ".NaN" or ".NAN")
        {
            value = unsigned[1] is 'n' or 'N' ? double.NaN : text[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
            return true;
        }

        string digits = text.Replace("_", "", StringComparison.Ordinal);
        return unsigned is [(>= '0' and <= '9') or '.', ..]
            && double.TryParse(digits, NumberStyles.Float, CultureInfo.InvariantCulture, out value);
    }

    /// <summary>What it is, for a message.</summary>
    public static string Describe(YamlNode node) => node switch
    {
        YamlMappingNode => "a mapping",
        YamlSequenceNode => "a list",
        YamlScalarNode s when IsString(s) => $"the string '{s.Value}'",
        YamlScalarNode s => $"'{s.Value}'",
        _ => "something else",
    };

    private static bool IsPlain(YamlScalarNode node) =>
        node.Style is ScalarStyle.Plain && !(!node.Tag.IsEmpty && node.Tag.Value == StringTag);
}
