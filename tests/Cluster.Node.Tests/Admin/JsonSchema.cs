using System.Text.Json;
using System.Text.RegularExpressions;

namespace Cluster.Node.Tests.Admin;

/// <summary>Checks values against the part of JSON Schema 2020-12 that the OpenAPI document uses; a keyword it does not know is an error.</summary>
internal sealed class JsonSchema(JsonElement document)
{
    /// <summary>What is wrong with <paramref name="value"/>, as <c>path: problem</c>; empty when nothing is.</summary>
    public List<string> Check(JsonElement schema, JsonElement value, string path = "$")
    {
        List<string> errors = [];
        foreach (JsonProperty keyword in schema.EnumerateObject())
        {
            string? error = keyword.Name switch
            {
                "description" or "default" => null,
                "$ref" => Add(errors, Check(Resolve(keyword.Value.GetString()!), value, path)),
                "oneOf" => keyword.Value.EnumerateArray().Count(choice => Check(choice, value, path).Count == 0) == 1 ? null : "fits not exactly one schema",
                "type" => FitsType(keyword.Value, value) ? null : $"is {value.ValueKind}, not {keyword.Value}",
                "enum" => keyword.Value.EnumerateArray().Any(one => JsonElement.DeepEquals(one, value)) ? null : $"{value} is none of {keyword.Value}",
                "format" => FitsFormat(keyword.Value.GetString()!, value) ? null : $"{value} is no {keyword.Value}",
                "pattern" => value.ValueKind != JsonValueKind.String || Regex.IsMatch(value.GetString()!, keyword.Value.GetString()!)
                    ? null
                    : $"{value} does not match {keyword.Value}",
                "items" => CheckItems(errors, keyword.Value, value, path),
                "properties" => CheckProperties(errors, keyword.Value, value, path),
                "required" => CheckRequired(keyword.Value, value),
                "additionalProperties" => CheckOthers(errors, schema, keyword.Value, value, path),
                _ => $"keyword {keyword.Name} is not known to this checker",
            };
            if (error is not null)
            {
                errors.Add($"{path}: {error}");
            }
        }

        return errors;
    }

    private JsonElement Resolve(string reference)
    {
        JsonElement found = document;
        foreach (string part in reference.Split('/').Skip(1))
        {
            found = found.GetProperty(part);
        }

        return found;
    }

    private static string? Add(List<string> errors, List<string> more)
    {
        errors.AddRange(more);
        return null;
    }

    private static bool FitsType(JsonElement type, JsonElement value) => type.ValueKind == JsonValueKind.Array
        ? type.EnumerateArray().Any(one => FitsType(one, value))
        : type.GetString() switch
        {
            "object" => value.ValueKind == JsonValueKind.Object,
            "array" => value.ValueKind == JsonValueKind.Array,
            "string" => value.ValueKind == JsonValueKind.String,
            "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
            "null" => value.ValueKind == JsonValueKind.Null,
            "number" => value.ValueKind == JsonValueKind.Number,
            "integer" => value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out _),
            _ => false,
        };

    private static bool FitsFormat(string format, JsonElement value) => value.ValueKind == JsonValueKind.Null || format switch
    {
        "int64" => value.TryGetInt64(out _),
        "date-time" => value.TryGetDateTimeOffset(out _),
        _ => false,
    };

    private string? CheckItems(List<string> errors, JsonElement items, JsonElement value, string path)
    {
        int index = 0;
        foreach (JsonElement item in value.ValueKind == JsonValueKind.Array ? value.EnumerateArray() : default)
        {
            errors.AddRange(Check(items, item, $"{path}[{index++}]"));
        }

        return null;
    }

    private string? CheckProperties(List<string> errors, JsonElement properties, JsonElement value, string path)
    {
        foreach (JsonProperty property in properties.EnumerateObject())
        {
            if (value.ValueKind == JsonValueKind.Object && value.TryGetProperty(property.Name, out JsonElement part))
            {
                errors.AddRange(Check(property.Value, part, $"{path}.{property.Name}"));
            }
        }

        return null;
    }

    private static string? CheckRequired(JsonElement required, JsonElement value)
    {
        string[] missing = value.ValueKind != JsonValueKind.Object
            ? []
            : [.. required.EnumerateArray().Select(name => name.GetString()!).Where(name => !value.TryGetProperty(name, out _))];
        return missing.Length == 0 ? null : $"lacks {string.Join(", ", missing)}";
    }

    private string? CheckOthers(List<string> errors, JsonElement schema, JsonElement allowed, JsonElement value, string path)
    {
        JsonProperty[] others = value.ValueKind != JsonValueKind.Object
            ? []
            : [.. value.EnumerateObject().Where(one => !Declares(schema, one.Name))];
        if (allowed.ValueKind == JsonValueKind.False)
        {
            return others.Length == 0 ? null : $"has {string.Join(", ", others.Select(other => other.Name))} besides";
        }

        foreach (JsonProperty other in others)
        {
            errors.AddRange(Check(allowed, other.Value, $"{path}.{other.Name}"));
        }

        return null;
    }

    private static bool Declares(JsonElement schema, string name) =>
        schema.TryGetProperty("properties", out JsonElement properties) && properties.TryGetProperty(name, out _);
}
