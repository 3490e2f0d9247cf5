using Cluster.Sampling.Configuration;
using Cluster.Sampling.Decisions;
using Cluster.Sampling.Policies;

namespace Cluster.Sampling.Tests.Policies;

public sealed class PolicyCompilerTests
{
    private const string Always = "{name: all, type: always_sample}";

    [Theory]
    [InlineData("{type: always_sample}", "policies[0].name: is missing; give the policy a name, for example 'errors'")]
    [InlineData("{name: '', type: always_sample}", "policies[0].name: must not be empty; give the policy a name, for example 'errors'")]
    [InlineData("{name: 5, type: always_sample}", "policies[0].name: must be a string, found '5'; put it in quotes")]
    [InlineData($"{Always}, {Always}", "policies[1].name: two policies are called 'all'; give each a name of its own")]
    [InlineData("{name: a, type: lateny}", "policies[0].type: unknown policy type 'lateny'; use one of: always_sample, and, "
        + "boolean_attribute, "
        + "bytes_limiting, composite, drop, latency, not, numeric_attribute, probabilistic, rate_limiting, span_count, status_code, "
        + "string_attribute, trace_flags, trace_state")]
    [InlineData("{name: a, type: latency, latency: {threshold_ms: '5'}}",
        "policies[0].latency.threshold_ms: must be an integer, found the string '5'; write a whole number without quotes")]
    [InlineData("{name: a, type: latency, latency: {treshold_ms: 5}}",
        "policies[0].latency.treshold_ms: unknown key; did you mean 'threshold_ms'?")]
    [InlineData("{name: a, type: latency, latency: {threshold_ms: 5}, extra: 1}",
        "policies[0].extra: unknown key; known here: latency, name, type")]
    [InlineData("{name: a, type: status_code}",
        "policies[0].status_code.status_codes: must name at least one status code; write for example status_codes: [ERROR]")]
    [InlineData("{name: a, type: status_code, status_code: {status_codes: [error]}}",
        "policies[0].status_code.status_codes[0]: unknown status code 'error'; use OK, ERROR or UNSET, in upper case")]
    [InlineData("{name: a, type: string_attribute, string_attribute: {key: k, values: [12345]}}",
        "policies[0].string_attribute.values[0]: must be a string, found '12345'; put it in quotes")]
    [InlineData("{name: a, type: string_attribute, string_attribute: {key: k, values: ['(?=a)'], enabled_regex_matching: true}}",
        "policies[0].string_attribute.values[0]: '(?=a)' is no RE2 expression: invalid or unsupported syntax after (? (look-around, "
        + "atomic groups "
        + "and comments are not supported); see https://github.com/google/re2/wiki/Syntax")]
    [InlineData("{name: a, type: probabilistic, probabilistic: {sampling_percentage: '50'}}",
        "policies[0].probabilistic.sampling_percentage: must be a number, found the string '50'; write a number without quotes")]
    [InlineData("{name: a, type: probabilistic, probabilistic: {sampling_percentage: 50, hash_salt: 22}}",
        "policies[0].probabilistic.hash_salt: must be a string, found '22'; put it in quotes")]
    [InlineData("{name: a, type: ottl_condition, ottl_condition: {span: ['true'], error_mode: ignore}}",
        "policies[0].type: ottl_condition is not supported yet; express it with string_attribute, numeric_attribute, boolean_attribute, "
        + "status_code or latency, joined by and, not and drop")]
    [InlineData("{name: a, type: not}", "policies[0].not.not_sub_policy: is missing; write the one policy that is to be inverted under it")]
    [InlineData($"{{name: a, type: and, and: {{and_sub_policy: [{{name: b, type: drop, drop: {{}}}}]}}}}",
        "policies[0].and.and_sub_policy[0].type: 'drop' cannot stand inside another policy here; use one of: always_sample, "
        + "boolean_attribute, "
        + "bytes_limiting, latency, not, numeric_attribute, probabilistic, rate_limiting, span_count, status_code, "
        + "string_attribute, trace_flags, "
        + "trace_state")]
    [InlineData("{name: a, type: span_count, span_count: {min_spans: 3000000000}}",
        "policies[0].span_count.min_spans: 3000000000 is out of range; use -2147483648 to 2147483647")]
    public void Compile_WrongPolicy_IsOneError(string policies, string message)
    {
        ConfigurationErrors errors = new();
        Assert.Null(PolicyCompiler.Parse($"policies: [{policies}]", errors));
        ConfigurationError error = Assert.Single(errors.All, e => e.Severity == ConfigurationSeverity.Error);
        Assert.Equal("line 1: " + message, error.ToString());
    }

    [Theory]
    [InlineData("not", "latency")]
    [InlineData("composite", "and")]
    [InlineData("drop", "not")]
    [InlineData("and", "not")]
    public void Compile_Nesting_OnlyAsTheCollector(string outer, string allowed)
    {
        foreach (string inner in (string[])["latency", "and", "not", "drop", "composite"])
        {
            string child = $"{{name: b, type: {inner}{(inner == "not" ? ", not: {not_sub_policy: {name: c, type: always_sample}}" : "")}}}";
            string list = outer == "not" ? child : $"[{child}]";
            ConfigurationErrors errors = new();
            PolicySet? set = PolicyCompiler.Parse($"policies: [{{name: a, type: {outer}, {outer}: {{{outer}_sub_policy: "
                + $"{list}}}}}]", errors);
            Assert.Equal(inner == "latency" || inner == allowed, set is not null);
        }
    }

    [Theory]
    [InlineData("[]", "policies: no policy: no trace is kept")]
    [InlineData("[{name: a, type: always_sample, note: {x: 1}}]", "policies[0].note: unknown key, ignored")]
    [InlineData("[{name: a, type: and}]", "policies[0].and.and_sub_policy: no sub-policies: keeps every trace")]
    [InlineData("[{name: a, type: drop}]", "policies[0].drop.drop_sub_policy: no sub-policies: drops every trace")]
    [InlineData("[{name: a, type: composite}]", "policies[0].composite.composite_sub_policy: keeps nothing without it")]
    [InlineData("[{name: a, type: and, and: {and_sub_policy: [{type: always_sample}]}}]",
        "policies[0].and.and_sub_policy[0].name: a sub-policy without a name")]
    [InlineData($"[{{name: a, type: and, and: {{and_sub_policy: [{Always}, {Always}]}}}}]",
        "policies[0].and.and_sub_policy[1].name: two sub-policies are called 'all'")]
    [InlineData("[{name: a, type: span_count, span_count: {max_spans: -1}}]",
        "policies[0].span_count.max_spans: no trace has from 0 to -1 spans: keeps nothing")]
    [InlineData("[{name: a, type: latency, latency: {upper_threshold_ms: -1}}]",
        "policies[0].latency.upper_threshold_ms: no duration is above 0 ms and at most -1 ms: keeps nothing")]
    [InlineData("[{name: a, type: latency, latency: {threshold_ms: 5, upper_threshold_ms: 10}}]",
        "policies[0].latency.upper_threshold_ms: compared with the duration of the whole trace; the Collector keeps a trace when "
        + "its first spans "
        + "alone lie inside the window")]
    [InlineData("[{name: a, type: numeric_attribute, numeric_attribute: {key: n, min_value: 0, max_value: 5}}]",
        "policies[0].numeric_attribute.min_value: 0 is a bound here; the Collector takes it for no bound")]
    [InlineData("[{name: a, type: boolean_attribute, boolean_attribute: {key: n, value: false}}]",
        "policies[0].boolean_attribute.value: false matches boolean attributes only; in the Collector an attribute of any other "
        + "type counts as "
        + "false")]
    [InlineData($"[{Always}, {{name: a, type: string_attribute, string_attribute: {{key: n, values: [x], invert_match: true}}}}]",
        "policies[1].string_attribute.invert_match: keeps every trace without a match; unlike in old Collector releases it vetoes "
        + "nothing that "
        + "another policy keeps")]
    [InlineData("[{name: a, type: string_attribute, string_attribute: {key: n, values: [/shop], enabled_regex_matching: true}}]",
        "policies[0].string_attribute.values: expressions match anywhere in a value, not only all of it")]
    [InlineData($"[{Always}, {{name: a, type: rate_limiting, rate_limiting: {{spans_per_second: 5}}}}]",
        "policies[1].rate_limiting.spans_per_second: only spans of traces that no other policy keeps count; in the Collector those "
        + "of all traces do")]
    [InlineData("[{name: a, type: rate_limiting}]", "policies[0].rate_limiting.spans_per_second: keeps nothing")]
    [InlineData("[{name: a, type: probabilistic}]", "policies[0].probabilistic.sampling_percentage: 0 % keeps no trace")]
    [InlineData("[{name: a, type: trace_state, trace_state: {key: k, values: ['']}}]",
        "policies[0].trace_state.values: no usable value: keeps nothing")]
    [InlineData("[{name: a, type: string_attribute, string_attribute: {values: [x]}}]", "policies[0].string_attribute.key: is missing")]
    [InlineData("[{name: a, type: latency, latency: {threshold_ms: 5.9}}]", "policies[0].latency.threshold_ms: 5.9 is cut to 5")]
    [InlineData($"[{{name: a, type: composite, composite: {{max_total_spans_per_second: 10, composite_sub_policy: [{Always}]}}}}]",
        "policies[0].composite.rate_allocation: [all] not listed: gets the 10 spans/s that the others leave; the Collector gives an "
        + "unlisted "
        + "sub-policy nothing")]
    public void Compile_Trap_IsOneWarning(string policies, string message)
    {
        ConfigurationErrors errors = new();
        Assert.NotNull(PolicyCompiler.Parse($"policies: {policies}", errors));
        ConfigurationError only = Assert.Single(errors.All);
        Assert.Equal(ConfigurationSeverity.Warning, only.Severity);
        Assert.Equal(message, $"{only.Path}: {only.Problem}");
        Assert.NotEmpty(only.Fix);
    }

    [Fact]
    public void Compile_CompositeNames_AreChecked()
    {
        ConfigurationErrors errors = new();
        PolicyCompiler.Parse(
            """
            policies:
              - name: c
                type: composite
                composite:
                  max_total_spans_per_second: 100
                  policy_order: [b, a, x]
                  composite_sub_policy:
                    - {name: a, type: always_sample}
                    - {name: b, type: always_sample}
                  rate_allocation:
                    - {policy: a, percent: 60}
                    - {policy: b, percent: 60}
                    - {policy: y, percent: 0}
            """,
            errors);
        Assert.Equal(
            [
                "line 6: warning: policies[0].composite.policy_order: no sub-policy is called 'x'; use the names in composite_sub_policy",
                "line 6: warning: policies[0].composite.policy_order: is followed here; the Collector asks in the order of "
                + "composite_sub_policy: "
                + "[a, b]; list the sub-policies in the same order, to have the same in both",
                "line 10: warning: policies[0].composite.rate_allocation: no sub-policy is called 'y'; use the names in "
                + "composite_sub_policy",
                "line 10: warning: policies[0].composite.rate_allocation: the percents sum to more than 100; "
                + "max_total_spans_per_second still "
                + "bounds the sum",
            ],
            errors.All.Select(e => e.ToString()));
    }

    [Fact]
    public void Compile_ManyMistakes_ReportsAll()
    {
        ConfigurationErrors errors = new();
        Assert.Null(PolicyCompiler.Parse(
            """
            sample_on_first_match: maybe
            policies:
              - {name: a, type: nope}
              - {type: latency, latency: {threshold_ms: x}}
              - plain
            """,
            errors));
        Assert.Equal([1, 3, 4, 4, 5], errors.All.Select(e => e.Line));
    }

    [Theory]
    [InlineData("policies: 5")]
    [InlineData("policies: {a: b}")]
    [InlineData("[]")]
    [InlineData("policies: [")]
    public void Parse_NoListOfPolicies_IsAnError(string yaml)
    {
        ConfigurationErrors errors = new();
        Assert.Null(PolicyCompiler.Parse(yaml, errors));
        Assert.Single(errors.All);
    }

    [Fact]
    public void Compile_OtherKeys_AreLeftToOthers()
    {
        ConfigurationErrors errors = new();
        ConfigurationSection section = ConfigurationSection.Parse("{decision_wait: 5s, policies: [{name: a, type: "
            + "always_sample}]}", errors)!;
        Assert.NotNull(PolicyCompiler.Compile(section));
        Assert.Equal(TimeSpan.FromSeconds(5), section.Duration("decision_wait", default));
        section.RejectUnknown();
        Assert.Empty(errors.All);
    }

    [Fact]
    public void Compile_ErrorsOfOthers_DoNotCount()
    {
        ConfigurationErrors errors = new();
        errors.Error("receivers", 1, "something", "else");
        Assert.NotNull(PolicyCompiler.Parse("policies: [{name: a, type: always_sample}]", errors));
    }

    [Fact]
    public void Budgets_OfNestedLimiters_HaveFullNames()
    {
        PolicySet set = TraceTester.Policy(
            "and, and: {and_sub_policy: [{name: l, type: rate_limiting, rate_limiting: {spans_per_second: 5}}]}").Set;
        Assert.Equal([new Budget("p/l", 5, 10)], set.Budgets);
    }
}
