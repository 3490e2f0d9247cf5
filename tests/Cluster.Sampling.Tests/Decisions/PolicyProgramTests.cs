using Cluster.Messages.Identity;
using Cluster.Messages.Otlp;
using Cluster.Sampling.Configuration;
using Cluster.Sampling.Decisions;
using Cluster.Sampling.Policies;

namespace Cluster.Sampling.Tests.Decisions;

public sealed class PolicyProgramTests
{
    private const string Everything = """
        policies:
          - {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
          - {name: slow, type: latency, latency: {threshold_ms: 500}}
          - {name: route, type: string_attribute, string_attribute: {key: http.route, values: [/a, /b]}}
          - name: match
            type: string_attribute
            string_attribute: {key: url.path, enabled_regex_matching: true, values: ["^/api/.*[0-9]$"]}
          - {name: size, type: numeric_attribute, numeric_attribute: {key: size, min_value: 10}}
          - {name: flag, type: boolean_attribute, boolean_attribute: {key: flag, value: true}}
          - {name: state, type: trace_state, trace_state: {key: k, values: [v]}}
          - {name: sampled, type: trace_flags}
          - {name: tenth, type: probabilistic, probabilistic: {sampling_percentage: 10}}
          - name: both
            type: and
            and:
              and_sub_policy:
                - {name: x, type: span_count, span_count: {min_spans: 50}}
                - {name: y, type: rate_limiting, rate_limiting: {spans_per_second: 50}}
          - name: share
            type: composite
            composite: {max_total_spans_per_second: 10, composite_sub_policy: [{name: z, type: always_sample}]}
        """;

    [Fact]
    public void ScanSpan_AllFields_ReadsFacts()
    {
        Span<ulong> conditions = new ulong[1];
        byte[] span = new SpanBuilder().Ids(0x0102030405060708, 9).TraceState("k=v").Name("n").Kind(3).Times(11, 12).Flags(1).Build();
        Program("policies: []").ScanSpan(span, conditions, out SpanFacts facts);
        Assert.Equal((0x0102030405060708UL, 9UL), (facts.SpanId, facts.ParentSpanId));
        Assert.Equal((11UL, 12UL, 3), (facts.StartUnixNano, facts.EndUnixNano, facts.Kind));
    }

    [Fact]
    public void ScanSpan_FieldsRepeated_LastCounts()
    {
        Span<ulong> conditions = new ulong[1];
        byte[] span = new SpanBuilder().Ids(1, 2).Ids(3, 4).Kind(1).Kind(2).Times(1, 2).Times(5, 6).Build();
        Program("policies: []").ScanSpan(span, conditions, out SpanFacts facts);
        Assert.Equal((3UL, 4UL, 5UL, 6UL, 2), (facts.SpanId, facts.ParentSpanId, facts.StartUnixNano, facts.EndUnixNano, facts.Kind));
    }

    [Fact]
    public void ScanSpan_TagsLongerThanNeedBe_ReadsTheSame()
    {
        byte[] span = MessageBuilder.Empty
            .Raw(0xB9, 0x00, 5, 0, 0, 0, 0, 0, 0, 0)
            .Raw(0xC1, 0x80, 0x00, 6, 0, 0, 0, 0, 0, 0, 0)
            .Raw(0xB0, 0x00, 3)
            .Raw(0x92, 0x00, 8, 0, 0, 0, 0, 0, 0, 0, 7)
            .Build();
        Program("policies: []").ScanSpan(span, new ulong[1], out SpanFacts facts);
        Assert.Equal((5UL, 6UL, 3, 7UL), (facts.StartUnixNano, facts.EndUnixNano, facts.Kind, facts.SpanId));
    }

    [Fact]
    public void ScanSpan_LongFieldsAround_ReadsAll()
    {
        byte[] span = new SpanBuilder().Name(new string('n', 500)).Attribute("long", new string('v', 300)).Ids(1, 2).Times(3, 4)
            .Raw(m => m.Bytes(OtlpFields.Span.Events, new byte[1000])).Kind(5).Status(2).Build();
        TraceTester tester = TraceTester.Policy("status_code, status_code: {status_codes: [ERROR]}");
        Assert.True(tester.Span(span).Keeps());
        Program("policies: []").ScanSpan(span, new ulong[1], out SpanFacts facts);
        Assert.Equal((1UL, 2UL, 3UL, 4UL, 5), (facts.SpanId, facts.ParentSpanId, facts.StartUnixNano, facts.EndUnixNano, facts.Kind));
    }

    [Fact]
    public void Decide_PreviewOfBudgets_TakesNothing()
    {
        PolicyProgram program = Program("policies: [{name: l, type: rate_limiting, rate_limiting: {spans_per_second: 1}}]");
        TokenBuckets buckets = new(program.Set.Budgets);
        Vote[] votes = new Vote[1];
        TraceEvidence evidence = new() { SpanCount = 2, Conditions = new ulong[1] };
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(Decision.Sampled, program.Decide(evidence, new BudgetsPreview(buckets), 0, votes).Decision);
        }

        Assert.Equal(Decision.Sampled, program.Decide(evidence, buckets, 0, votes).Decision);
        Assert.Equal(Decision.NotSampled, program.Decide(evidence, new BudgetsPreview(buckets), 0, votes).Decision);
    }

    [Fact]
    public void ScanSpan_Empty_IsAllZero()
    {
        Program("policies: []").ScanSpan([], new ulong[1], out SpanFacts facts);
        Assert.Equal(default, facts);
    }

    [Fact]
    public void ScanSpan_OddShapes_ReadsTheSame()
    {
        const string Yaml = "string_attribute, string_attribute: {key: k, values: [v]}";
        byte[] value = Any.Of("v");
        byte[][] attributes =
        [
            MessageBuilder.Empty.Bytes(2, value).Text(1, "k").Build(), // value first
            MessageBuilder.Empty.Text(1, "other").Text(1, "k").Bytes(2, value).Build(), // key twice: the last
            MessageBuilder.Empty.Text(1, "k").Bytes(2, Any.Of("w")).Bytes(2, value).Build(), // value twice: the last
            MessageBuilder.Empty.Text(1, "k").Bytes(2, value).Bytes(2, []).Build(), // an empty value changes nothing
            MessageBuilder.Empty.Varint(9, 1).Text(1, "k").Varint(99, 5).Bytes(2, value).Build(), // unknown fields
            MessageBuilder.Empty.Raw(0x0A, 0x81, 0x00, (byte)'k').Bytes(2, value).Build(), // a length longer than it need be
            MessageBuilder.Empty.Text(1, "k").Bytes(2, [.. Any.Of(5), .. value]).Build(), // a oneof twice: the last
            MessageBuilder.Empty.Text(1, "k").Bytes(2, [0x5B, 0x5C, .. value]).Build(), // a group before
            MessageBuilder.Empty.Text(1, "k").Bytes(2, value).Raw(0x1B, 0x1C).Build(), // a group behind
        ];
        foreach (byte[] attribute in attributes)
        {
            Assert.True(TraceTester.Policy(Yaml).Span(s => s.Raw(m => m.Bytes(9, attribute))).Keeps(), Convert.ToHexString(attribute));
            Assert.True(TraceTester.Policy(Yaml).Resource(MessageBuilder.Empty.Varint(2, 1).Bytes(1, attribute).Build()).Keeps());
        }

        byte[] keyReplaced = MessageBuilder.Empty.Text(1, "k").Bytes(2, value).Text(1, "x").Build();
        Assert.False(TraceTester.Policy(Yaml).Span(s => s.Raw(m => m.Bytes(9, keyReplaced))).Keeps());
        byte[] nowAnInteger = MessageBuilder.Empty.Text(1, "k").Bytes(2, [.. value, .. Any.Of(5)]).Build();
        Assert.False(TraceTester.Policy(Yaml).Span(s => s.Raw(m => m.Bytes(9, nowAnInteger))).Keeps());
    }

    [Fact]
    public void ScanSpan_LongKeysAndValues_AreCompared()
    {
        foreach (int length in (int[])[1, 7, 8, 9, 62, 63, 64, 127, 128, 129, 300])
        {
            string key = new('k', length);
            string value = new('v', length * 3);
            string yaml = $"string_attribute, string_attribute: {{key: {key}, values: [{value}]}}";
            Assert.True(TraceTester.Policy(yaml).Attribute(key, value).Keeps(), $"{length}");
            Assert.False(TraceTester.Policy(yaml).Attribute(key, value[1..] + "w").Keeps(), $"{length}");
            Assert.False(TraceTester.Policy(yaml).Attribute(key[1..] + "l", value).Keeps(), $"{length}");
            Assert.False(TraceTester.Policy(yaml).Attribute(key + "k", value).Keeps(), $"{length}");
        }
    }

    [Fact]
    public void ScanSpan_FirstOfAKeyCounts_ButOnlyWithinOneSpanOrResource()
    {
        const string Yaml = "string_attribute, string_attribute: {key: k, values: [v]}";
        Assert.False(TraceTester.Policy(Yaml).Span(s => s.Attribute("k", 1).Attribute("k", "v")).Keeps());
        Assert.True(TraceTester.Policy(Yaml).Attribute("k", 1).Attribute("k", "v").Keeps());
        Assert.True(TraceTester.Policy(Yaml).Resource("k", "w").Attribute("k", "v").Keeps());
    }

    [Fact]
    public void ScanSpan_MoreThan64Conditions_EachHasItsBit()
    {
        string policies = string.Join(
            ", ",
            Enumerable.Range(0, 200).Select(i => $"{{name: p{i}, type: string_attribute, string_attribute: {{key: key{i % 90}, "
                + $"values: [v{i}]}}}}"));
        TraceTester tester = TraceTester.Parse($"policies: [{policies}]");
        Assert.Equal(4, tester.Set.ConditionWords);
        foreach (int i in (int[])[0, 63, 64, 65, 127, 128, 199])
        {
            Assert.Equal($"p{i}", tester.Another().Attribute($"key{i % 90}", $"v{i}").Decider());
            Assert.Equal(1, tester.Votes.Count(v => v == Vote.Sampled));
        }
    }

    [Fact]
    public void Scan_RandomBytes_NeitherThrowsNorHangs()
    {
        PolicyProgram program = Program(Everything);
        ulong[] conditions = new ulong[program.Set.ConditionWords];
        Random random = new(42);
        byte[] valid = Example(random);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bytes = new byte[random.Next(120)];
            random.NextBytes(bytes);
            if (i % 2 == 0)
            {
                bytes = [.. valid];
                for (int change = random.Next(1, 6); change > 0; change--)
                {
                    bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
                }

                bytes = bytes[..random.Next(bytes.Length + 1)];
            }

            program.ScanSpan(bytes, conditions, out _);
            program.ScanResource(bytes, conditions);
        }
    }

    [Fact]
    public void ScanAndDecide_WarmedUp_AllocateNothing()
    {
        PolicyProgram program = Program(Everything);
        TokenBuckets budgets = new(program.Set.Budgets);
        ulong[] conditions = new ulong[program.Set.ConditionWords];
        Vote[] votes = new Vote[program.Set.Policies.Count];
        Random random = new(1);
        byte[][] spans = [.. Enumerable.Range(0, 64).Select(_ => Example(random))];
        byte[] resource = MessageBuilder.Empty.Bytes(OtlpFields.Resource.Attributes, Any.KeyValue("flag", false)).Build();
        Run();
        long before = GC.GetAllocatedBytesForCurrentThread();
        Run();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Run()
        {
            for (int i = 0; i < 2000; i++)
            {
                Array.Clear(conditions);
                program.ScanResource(resource, conditions);
                program.ScanSpan(spans[i % 64], conditions, out SpanFacts facts);
                TraceEvidence evidence = new()
                {
                    TraceId = new TraceId((ulong)i, facts.SpanId),
                    SpanCount = i % 60,
                    Bytes = 100,
                    StartUnixNano = facts.StartUnixNano,
                    EndUnixNano = facts.EndUnixNano,
                    Conditions = conditions,
                };
                program.Decide(evidence, budgets, i, votes);
            }
        }
    }

    [Fact]
    public void Explain_Votes_HasAReasonForEach()
    {
        PolicyProgram program = Program(Everything);
        Vote[] votes = new Vote[program.Set.Policies.Count];
        TraceEvidence evidence = new() { SpanCount = 3, EndUnixNano = 812_000_000, Conditions = new ulong[program.Set.ConditionWords] };
        Assert.Equal(1, program.Decide(evidence, new TokenBuckets(program.Set.Budgets), 0, votes).Policy);
        IReadOnlyList<PolicyVote> words = program.Explain(evidence, votes);
        Assert.Equal(new PolicyVote("slow", "latency", Vote.Sampled, "duration 812 ms >= threshold_ms 500"), words[1]);
        Assert.Equal("no span or resource has http.route in [/a, /b]", words[2].Reason);
        Assert.All(words, w => Assert.NotEmpty(w.Reason));
        votes.AsSpan().Clear();
        Assert.Equal("the decision was clear before its turn", program.Explain(evidence, votes)[0].Reason);
    }

    private static PolicyProgram Program(string yaml)
    {
        ConfigurationErrors errors = new();
        PolicySet? set = PolicyCompiler.Parse(yaml, errors);
        Assert.False(errors.HasErrors, string.Join('\n', errors.All));
        return set!.CreateProgram();
    }

    private static byte[] Example(Random random) => new SpanBuilder()
        .Ids((ulong)random.NextInt64(), 1)
        .TraceState(random.Next(2) == 0 ? "k=x,a=b" : "k=v")
        .Name("GET /a")
        .Kind(2)
        .Times(1000, (ulong)random.NextInt64(1_000_000_000))
        .Attribute("http.route", "/" + (char)random.Next('a', 'f'))
        .Attribute("url.path", "/api/" + random.Next(100_000) + "é")
        .Attribute("size", random.Next(2) == 0 ? random.Next(20) : random.NextDouble() * 20)
        .Attribute("flag", random.Next(2) == 0)
        .Attribute("list", new[] { "a", "b" })
        .Status(random.Next(3))
        .Flags((uint)random.Next(2))
        .Build();
}
