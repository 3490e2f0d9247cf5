using System.Text;
using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;
using Cluster.Testing.Otlp;

namespace Cluster.Messages.Tests.Otlp;

/// <summary>JSON edge by edge.</summary>
public sealed class OtlpJsonReadTests
{
    [Theory]
    [InlineData("{}")]
    [InlineData(" {\t\r\n} ")]
    [InlineData("""{"resourceSpans":null}""")]
    [InlineData("""{"resourceSpans":[]}""")]
    [InlineData("""{"unknown":{"resourceSpans":[1,"\ud800",{}]}}""")]
    public void TryReadRequest_NothingInIt_IsNoBytes(string json) => Assert.Empty(Bytes(json));

    [Theory]
    [InlineData("\"5\"", 5)]
    [InlineData("5", 5)]
    [InlineData("-5", -5)]
    [InlineData("\"-5\"", -5)]
    [InlineData("0", 0)]
    [InlineData("-0", 0)]
    [InlineData("5.0", 5)]
    [InlineData("5e0", 5)]
    [InlineData("1.5e1", 15)]
    [InlineData("1.50E+1", 15)]
    [InlineData("150e-1", 15)]
    [InlineData("\"1e18\"", 1_000_000_000_000_000_000)]
    [InlineData("0.000e999999999999", 0)]
    [InlineData("9223372036854775807", long.MaxValue)]
    [InlineData("\"-9223372036854775808\"", long.MinValue)]
    [InlineData("9223372036854775807.000", long.MaxValue)]
    [InlineData("\"0009\"", 9)]
    [InlineData("\"\\u0031\\u0032\"", 12)]
    public void TryReadRequest_IntValue_IsExact(string json, long expected) =>
        Assert.Equal(new AnyValue { IntValue = expected }, Value($$"""{"intValue":{{json}}}"""));

    [Theory]
    [InlineData("9223372036854775808")]
    [InlineData("\"-9223372036854775809\"")]
    [InlineData("1e19")]
    [InlineData("1e99999999999999999999")]
    [InlineData("1e-1")]
    [InlineData("0.5")]
    [InlineData("123456789012345678901234567890")]
    [InlineData("\"\"")]
    [InlineData("\"-\"")]
    [InlineData("\"+5\"")]
    [InlineData("\" 5\"")]
    [InlineData("\"5 \"")]
    [InlineData("\"5.\"")]
    [InlineData("\".5e1\"")]
    [InlineData("\"5e\"")]
    [InlineData("\"5e+\"")]
    [InlineData("\"0x5\"")]
    [InlineData("\"NaN\"")]
    [InlineData("true")]
    [InlineData("[]")]
    [InlineData("{}")]
    public void TryReadRequest_NoInt64_IsAnError(string json) => FailsAt(Wrapped($$"""{"intValue":|{{json}}}"""));

    [Theory]
    [InlineData("1.5", 1.5)]
    [InlineData("\"1.5\"", 1.5)]
    [InlineData("-0", -0.0)]
    [InlineData("1", 1.0)]
    [InlineData("1E+300", 1e300)]
    [InlineData("5e-324", 5e-324)]
    [InlineData("1e-999", 0.0)]
    [InlineData("\"NaN\"", double.NaN)]
    [InlineData("\"Infinity\"", double.PositiveInfinity)]
    [InlineData("\"-Infinity\"", double.NegativeInfinity)]
    [InlineData("\"\\u004eaN\"", double.NaN)]
    public void TryReadRequest_DoubleValue_IsExact(string json, double expected) =>
        Assert.Equal(new AnyValue { DoubleValue = expected }, Value($$"""{"doubleValue":{{json}}}"""));

    [Theory]
    [InlineData("1e999")]
    [InlineData("\"-1e999\"")]
    [InlineData("\"nan\"")]
    [InlineData("\"+Infinity\"")]
    [InlineData("\"infinity\"")]
    [InlineData("\"-NaN\"")]
    [InlineData("\"1.5 \"")]
    [InlineData("\"1,5\"")]
    [InlineData("\"\"")]
    [InlineData("false")]
    public void TryReadRequest_NoDouble_IsAnError(string json) => FailsAt(Wrapped($$"""{"doubleValue":|{{json}}}"""));

    [Theory]
    [InlineData("", "")]
    [InlineData("AQ==", "01")]
    [InlineData("AQ", "01")]
    [InlineData("AQI=", "0102")]
    [InlineData("AQI", "0102")]
    [InlineData("AQID", "010203")]
    [InlineData("+/+/", "FBFFBF")]
    [InlineData("-_-_", "FBFFBF")]
    [InlineData("-_+/", "FBFFBF")]
    [InlineData("+\\/+\\/", "FBFFBF")]
    [InlineData("\\u0041QI\\u003d", "0102")]
    public void TryReadRequest_BytesValue_IsDecoded(string base64, string hex) =>
        Assert.Equal(hex, Convert.ToHexString(Value($$"""{"bytesValue":"{{base64}}"}""").BytesValue.Span));

    [Theory]
    [InlineData("\"A|\"")]
    [InlineData("\"AQIDB|\"")]
    [InlineData("\"AQ|=\"")]
    [InlineData("\"AQID|=\"")]
    [InlineData("\"AQID|====\"")]
    [InlineData("\"A|=QI\"")]
    [InlineData("\"AQ|==AQ==\"")]
    [InlineData("\"AQ| I\"")]
    [InlineData("\"AQ|*D\"")]
    [InlineData("|\"\\u0041*ID\"")]
    [InlineData("|5")]
    public void TryReadRequest_NoBase64_IsAnErrorWhereItIs(string json) => FailsAt(Wrapped($$"""{"bytesValue":{{json}}}"""));

    [Theory]
    [InlineData("true", true)]
    [InlineData("false", false)]
    public void TryReadRequest_BoolValue_IsKeptEvenWhenFalse(string json, bool expected) =>
        Assert.Equal(new AnyValue { BoolValue = expected }, Value($$"""{"boolValue":{{json}}}"""));

    [Theory]
    [InlineData("\"true\"")]
    [InlineData("1")]
    public void TryReadRequest_NoBool_IsAnError(string json) => FailsAt(Wrapped($$"""{"boolValue":|{{json}}}"""));

    [Theory]
    [InlineData("2", 2)]
    [InlineData("\"SPAN_KIND_SERVER\"", 2)]
    [InlineData("\"SPAN_KIND_UNSPECIFIED\"", 0)]
    [InlineData("\"SPAN_KIND_CONSUMER\"", 5)]
    [InlineData("\"3\"", 3)]
    [InlineData("4.0", 4)]
    [InlineData("77", 77)]
    [InlineData("-1", -1)]
    [InlineData("2147483647", int.MaxValue)]
    [InlineData("-2147483648", int.MinValue)]
    public void TryReadRequest_Kind_IsNumberOrName(string json, int expected) =>
        Assert.Equal(expected, (int)ReadSpan($$"""{"kind":{{json}}}""").Kind);

    [Theory]
    [InlineData("\"SPAN_KIND_SERVICE\"")]
    [InlineData("\"span_kind_server\"")]
    [InlineData("\"\"")]
    [InlineData("2147483648")]
    [InlineData("-2147483649")]
    [InlineData("1.5")]
    [InlineData("{}")]
    public void TryReadRequest_NoKind_IsAnError(string json) => FailsAt(WrappedSpan($$"""{"kind":|{{json}}}"""));

    [Fact]
    public void TryReadRequest_StatusCode_IsNumberOrName()
    {
        Assert.Equal(Status.Types.StatusCode.Error, ReadSpan("""{"status":{"code":"STATUS_CODE_ERROR","message":"m"}}""").Status.Code);
        Assert.Equal(Status.Types.StatusCode.Ok, ReadSpan("""{"status":{"code":1}}""").Status.Code);
        Assert.NotNull(ReadSpan("""{"status":{}}""").Status);
        Assert.Null(ReadSpan("""{"status":null}""").Status);
    }

    [Theory]
    [InlineData("4294967295")]
    [InlineData("\"4294967295\"")]
    [InlineData("4.294967295e9")]
    public void TryReadRequest_UnsignedOf32Bits_IsNumberOrString(string json)
    {
        Assert.Equal(uint.MaxValue, ReadSpan($$"""{"flags":{{json}}}""").Flags);
        Assert.Equal(uint.MaxValue, ReadSpan($$"""{"droppedEventsCount":{{json}}}""").DroppedEventsCount);
    }

    [Theory]
    [InlineData("flags", "4294967296")]
    [InlineData("flags", "-1")]
    [InlineData("droppedLinksCount", "\"4294967296\"")]
    [InlineData("droppedLinksCount", "-1")]
    [InlineData("startTimeUnixNano", "-1")]
    [InlineData("startTimeUnixNano", "18446744073709551616")]
    [InlineData("startTimeUnixNano", "\"soon\"")]
    public void TryReadRequest_OutOfRange_IsAnError(string name, string json) => FailsAt(WrappedSpan($$"""{"{{name}}":|{{json}}}"""));

    [Fact]
    public void TryReadRequest_LargestTime_IsExact() =>
        Assert.Equal(ulong.MaxValue, ReadSpan("""{"endTimeUnixNano":18446744073709551615}""").EndTimeUnixNano);

    [Theory]
    [InlineData("5b8efff798038103d269b633813fc60c")]
    [InlineData("5B8EFFF798038103D269B633813FC60C")]
    [InlineData("5b8eFFF798038103d269b633813fc60\\u0063")]
    public void TryReadRequest_TraceId_IsHexOfEitherCase(string hex) =>
        Assert.Equal("5B8EFFF798038103D269B633813FC60C", Convert.ToHexString(ReadSpan($$"""{"traceId":"{{hex}}"}""").TraceId.Span));

    [Fact]
    public void TryReadRequest_IdOfWrongLength_PassesAsItIs()
    {
        Span span = ReadSpan("""{"traceId":"00ff","spanId":"","parentSpanId":"000102030405060708"}""");

        Assert.Equal("00FF", Convert.ToHexString(span.TraceId.Span));
        Assert.True(span.SpanId.IsEmpty);
        Assert.Equal(9, span.ParentSpanId.Length);
    }

    [Theory]
    [InlineData("{\"traceId\":\"5b8|g\"}")]
    [InlineData("{\"traceId\":\"|é\"}")]
    [InlineData("{\"spanId\":|\"abc\"}")]
    [InlineData("{\"spanId\":|7}")]
    [InlineData("{\"links\":[{},{\"traceId\":\"00|-1\"}]}")]
    [InlineData("{\"parentSpanId\":|\"\\u0067\\u0067\"}")]
    public void TryReadRequest_NoHex_IsAnErrorWhereItIs(string span) => FailsAt(WrappedSpan(span));

    [Fact]
    public void TryReadRequest_Links_HaveHexIds()
    {
        Span span = ReadSpan("""{"links":[{"traceId":"0A","spanId":"0b","traceState":"a=b","attributes":[{"key":"k"}],"flags":257}]}""");

        Span.Types.Link link = Assert.Single(span.Links);
        Assert.Equal([10], link.TraceId.ToByteArray());
        Assert.Equal([11], link.SpanId.ToByteArray());
        Assert.Equal(257u, link.Flags);
    }

    [Theory]
    [InlineData("""{"name":"a","name":"b"}""", "b")]
    [InlineData("""{"name":"a","name":""}""", "")]
    [InlineData("""{"name":"a","name":null}""", "a")]
    [InlineData("""{"name":"a","n\u0061me":"b"}""", "b")]
    public void TryReadRequest_RepeatedMember_LastCounts(string json, string expected) => Assert.Equal(expected, ReadSpan(json).Name);

    [Fact]
    public void TryReadRequest_RepeatedNumber_LastCountsEvenWhenZero()
    {
        Span span = ReadSpan("""{"kind":2,"kind":0,"flags":1,"flags":0,"startTimeUnixNano":1,"start_time_unix_nano":"0"}""");

        Assert.Equal(new Span(), span);
    }

    [Fact]
    public void TryReadRequest_TwoMembersOfAnyValue_LastCounts() =>
        Assert.Equal(new AnyValue { StringValue = "" }, Value("""{"intValue":1,"stringValue":""}"""));

    [Fact]
    public void TryReadRequest_SnakeCase_IsAccepted()
    {
        ExportTraceServiceRequest request = Message("""
            {"resource_spans":[{"schema_url":"s","scope_spans":[{"spans":[{"trace_id":"01","end_time_unix_nano":"7",
              "dropped_events_count":3,
              "attributes":[{"key":"k","value":{"kvlist_value":{"values":[]}}}]}]}]}]}
            """);

        Span span = request.ResourceSpans[0].ScopeSpans[0].Spans[0];
        Assert.Equal(7u, span.EndTimeUnixNano);
        Assert.Equal(3u, span.DroppedEventsCount);
        Assert.Equal(AnyValue.ValueOneofCase.KvlistValue, span.Attributes[0].Value.ValueCase);
    }

    [Fact]
    public void TryReadRequest_NamesInOtherCase_AreUnknown() =>
        Assert.Equal(new Span(), ReadSpan("""{"Name":"x","NAME":"x","traceid":"01"}"""));

    [Fact]
    public void TryReadRequest_Escapes_AreUndone() =>
        Assert.Equal("\"\\/\b\f\n\r\té😀", ReadSpan("""{"name":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}""").Name);

    [Theory]
    [InlineData(127)]
    [InlineData(128)]
    [InlineData(16_383)]
    [InlineData(16_384)]
    [InlineData(2_097_152)]
    public void TryReadRequest_LongText_GetsItsLengthBefore(int length)
    {
        string text = new('x', length - 2);

        Assert.Equal(text + "é", ReadSpan($$"""{"name":"{{text}}é"}""").Name);
        Assert.Equal(text + "é", ReadSpan($$"""{"name":"{{text}}\u00e9"}""").Name);
    }

    [Theory]
    [InlineData("|")]
    [InlineData("|[]")]
    [InlineData("|null")]
    [InlineData("|\"x\"")]
    [InlineData("{|")]
    [InlineData("{}|x")]
    [InlineData("{\n}\n  |x")]
    [InlineData("{\"resourceSpans\":|{}}")]
    [InlineData("{\"resourceSpans\":[|null]}")]
    [InlineData("{\"resourceSpans\":[|[]]}")]
    [InlineData("{\"resourceSpans\":[{}|}")]
    [InlineData("{\"resourceSpans\":[{\"resource\":|[]}]}")]
    [InlineData("{\"resourceSpans\":[{\"schemaUrl\":|5}]}")]
    [InlineData("{\n\"resourceSpans\":\r\n[\n{\"schemaUrl\":tru|}]}")]
    [InlineData("{\"é\n\":1}", 4)]
    [InlineData("{\"resourceSpans\":[{\"schemaUrl\":|\"\\ud800\"}]}")]
    [InlineData("{\"resourceSpans\":[{|\"schema\\udc00Url\":\"\"}]}")]
    [InlineData("{\"a\":1,|}")]
    public void TryReadRequest_Malformed_IsAnErrorWhereItIs(string json, int at = -1) => FailsAt(json, at);

    [Fact]
    public void TryReadRequest_InvalidUtf8_IsAnErrorWhereItIs()
    {
        byte[] json = [.. "{\"x\":\"é"u8, 0xC3, .. "\"}"u8];
        using PooledBuffer output = new();

        Assert.False(OtlpJson.TryReadRequest(json, output, out OtlpJsonError error));

        Assert.Equal(new OtlpJsonError(8, "The text is not valid UTF-8."), error);
    }

    [Theory]
    [InlineData("arrayValue", false)]
    [InlineData("kvlistValue", true)]
    public void TryReadRequest_ValuesNestedTo32_ArePassed(string member, bool keyed)
    {
        Assert.NotNull(Value(Nested(32, member, keyed)));
        using PooledBuffer output = new();

        Assert.False(OtlpJson.TryReadRequest(Encoding.UTF8.GetBytes(Wrapped(Nested(33, member, keyed))), output, out OtlpJsonError error));

        Assert.Equal("Values are nested deeper than 32.", error.Problem);
        Assert.Equal(0, output.Length);
    }

    [Fact]
    public void TryReadRequest_UnknownMembersNestedWithoutEnd_AreAnError()
    {
        byte[] json = Encoding.UTF8.GetBytes("{\"x\":" + new string('[', 1_000_000));
        using PooledBuffer output = new();

        Assert.False(OtlpJson.TryReadRequest(json, output, out OtlpJsonError error));

        Assert.Equal(164, error.Offset);
    }

    [Theory]
    [InlineData("{\"kind\":-1,", "}", "\"kind\":-1,", "\"kind\":-1")]
    [InlineData("{\"events\":[", "]}", "{},", "{}")]
    [InlineData("{\"attributes\":[", "]}", "{\"value\":{}},", "{}")]
    public void TryReadRequest_DenseJson_StaysWithinTheBound(string head, string tail, string repeated, string last)
    {
        StringBuilder span = new(head);
        for (int i = 0; i < 20_000; i++)
        {
            span.Append(repeated);
        }

        byte[] json = Encoding.UTF8.GetBytes(WrappedSpan(span.Append(last).Append(tail).ToString()));
        using PooledBuffer output = new();

        Assert.True(OtlpJson.TryReadRequest(json, output, out _));

        Assert.InRange(output.Length, 0, json.Length * 3 / 2 + 64);
    }

    [Fact]
    public void TryReadRequest_Succeeding_AppendsToWhatIsThere()
    {
        using PooledBuffer output = new();
        output.Write("before"u8);

        Assert.True(OtlpJson.TryReadRequest("{\"resourceSpans\":[{}]}"u8, output, out OtlpJsonError error));

        Assert.Equal([.. "before"u8, 0x0A, 0], output.WrittenSpan.ToArray());
        Assert.Equal(default, error);
    }

    private static string Nested(int depth, string member, bool keyed)
    {
        if (depth == 1)
        {
            return "{}";
        }

        string inner = Nested(depth - 1, member, keyed);
        string item = keyed ? $$"""{"value":{{inner}}}""" : inner;
        return $$$"""{"{{{member}}}":{"values":[{{{item}}}]}}""";
    }

    private static string WrappedSpan(string span) => $$"""{"resourceSpans":[{"scopeSpans":[{"spans":[{{span}}]}]}]}""";

    private static string Wrapped(string anyValue) => WrappedSpan($$"""{"attributes":[{"key":"k","value":{{anyValue}}}]}""");

    private static AnyValue Value(string json) => ReadSpan($$"""{"attributes":[{"key":"k","value":{{json}}}]}""").Attributes[0].Value;

    private static Span ReadSpan(string json) => Message(WrappedSpan(json)).ResourceSpans[0].ScopeSpans[0].Spans[0];

    private static ExportTraceServiceRequest Message(string json) => ExportTraceServiceRequest.Parser.ParseFrom(Bytes(json));

    private static byte[] Bytes(string json)
    {
        using PooledBuffer output = new();
        Assert.True(OtlpJson.TryReadRequest(Encoding.UTF8.GetBytes(json), output, out OtlpJsonError error), $"{error}");
        return output.WrittenSpan.ToArray();
    }

    /// <summary>A bar marks where the error is, and is taken out.</summary>
    private static void FailsAt(string json, int at = -1)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(json.Replace("|", "", StringComparison.Ordinal));
        int offset = at >= 0 ? at : Encoding.UTF8.GetByteCount(json[..json.IndexOf('|', StringComparison.Ordinal)]);
        using PooledBuffer output = new();

        Assert.False(OtlpJson.TryReadRequest(bytes, output, out OtlpJsonError error));

        Assert.Equal(offset, error.Offset);
        Assert.NotEmpty(error.Problem);
        Assert.Equal(0, output.Length);
    }
}
