using Cluster.Gateway.Splitting;
using Cluster.Messages.Identity;
using Cluster.Messages.Protobuf;
using Cluster.Testing;
using Cluster.Testing.Otlp;
using Google.Protobuf;

namespace Cluster.Gateway.Tests.Splitting;

public sealed class TraceSplitterTests
{
    private readonly SplitRequest _split = new(new TraceIdHasher(7));

    [Fact]
    public void Split_SpansOfTwoTraces_GroupsThemByTraceInOrderOfArrival()
    {
        byte[] body = new TraceBuilder().Span(1, 1).Span(2, 2).Span(1, 3).ToBytes();

        Assert.Equal(WireError.None, Split(body, out _));

        Assert.Equal(3, _split.SpanCount);
        Assert.Equal(2, _split.GroupCount);
        Assert.Equal(TraceBuilder.TraceId(1), _split.Groups[0].TraceId);
        Assert.Equal(2, _split.Groups[0].SpanCount);
        Assert.Equal(TraceBuilder.TraceId(2), _split.Groups[1].TraceId);
        Assert.Equal(1, _split.ContextCount);
    }

    [Fact]
    public void Split_SameTraceUnderTwoScopes_MakesTwoGroups()
    {
        byte[] body = new TraceBuilder().Scope("a").Span(1, 1).Scope("b").Span(1, 2).Resource("other").Span(1, 3).ToBytes();

        Assert.Equal(WireError.None, Split(body, out _));

        Assert.Equal(3, _split.GroupCount);
        Assert.Equal(3, _split.ContextCount);
    }

    [Fact]
    public void Split_ManyTraces_FindsEachOnceAlsoAfterTheTableHasGrown()
    {
        TraceBuilder builder = new();
        for (ulong i = 0; i < 5000; i++)
        {
            builder.Span(1 + i % 2500, 1 + i);
        }

        Assert.Equal(WireError.None, Split(builder.ToBytes(), out _));

        Assert.Equal(5000, _split.SpanCount);
        Assert.Equal(2500, _split.GroupCount);
        Assert.All(_split.Groups[..2500], g => Assert.Equal(2, g.SpanCount));
    }

    [Theory]
    [InlineData("trace")]
    [InlineData("span")]
    [InlineData("zero trace")]
    [InlineData("zero span")]
    [InlineData("no trace")]
    [InlineData("no span")]
    [InlineData("parent")]
    [InlineData("link trace")]
    [InlineData("link span")]
    public void Split_SpanWithAnInvalidId_RejectsThatSpanAlone(string which)
    {
        TraceBuilder builder = new TraceBuilder().Span(1, 1).Span(1, 2).Link(9, 9);
        Span bad = builder.LastSpan;
        ByteString tooShort = ByteString.CopyFrom(1, 2, 3);
        switch (which)
        {
            case "trace": bad.TraceId = tooShort; break;
            case "span": bad.SpanId = tooShort; break;
            case "zero trace": bad.TraceId = ByteString.CopyFrom(new byte[16]); break;
            case "zero span": bad.SpanId = ByteString.CopyFrom(new byte[8]); break;
            case "no trace": bad.TraceId = ByteString.Empty; break;
            case "no span": bad.SpanId = ByteString.Empty; break;
            case "parent": bad.ParentSpanId = tooShort; break;
            case "link trace": bad.Links[0].TraceId = tooShort; break;
            default: bad.Links[0].SpanId = tooShort; break;
        }

        Assert.Equal(WireError.None, Split(builder.Span(1, 3).ToBytes(), out _));

        Assert.Equal(2, _split.SpanCount);
        Assert.Equal(1, _split.RejectedSpans);
    }

    [Theory]
    [InlineData("0A", WireError.Truncated, 1)] // ResourceSpans without a length
    [InlineData("0A05", WireError.Truncated, 1)] // shorter than its length
    [InlineData("0A020A05", WireError.Truncated, 3)] // Resource longer than ResourceSpans
    [InlineData("08", WireError.BadWireType, 0)] // ResourceSpans as a varint
    [InlineData("0A021001", WireError.BadWireType, 2)] // ScopeSpans as a varint
    [InlineData("0A0412021001", WireError.BadWireType, 4)] // Span as a varint
    [InlineData("0A06120412021001", WireError.BadWireType, 6)] // span_id as a varint
    [InlineData("0A0612041202AA06", WireError.Truncated, 8)] // unknown field of a span without its bytes
    [InlineData("0A081206120447" + "000000", WireError.BadWireType, 6)] // event wire type 7 does not exist
    [InlineData("00", WireError.BadFieldNumber, 0)]
    [InlineData("FFFFFFFFFFFFFFFFFFFF01", WireError.VarintTooLong, 0)]
    [InlineData("0C", WireError.BadWireType, 0)] // end of a group that has a known number
    [InlineData("0A031A0141" + "2C", WireError.UnmatchedGroup, 6)]
    public void Split_MalformedRequest_IsRefusedWholeWithTheOffset(string hex, WireError expected, int expectedOffset)
    {
        WireError error = Split(Convert.FromHexString(hex), out int offset);

        Assert.Equal(expected, error);
        Assert.Equal(expectedOffset, offset);
    }

    [Theory]
    [InlineData(30, WireError.None)]
    [InlineData(200, WireError.TooDeep)]
    public void Split_NestedAttributeValues_AreTakenUpToTheLimit(int depth, WireError expected)
    {
        AnyValue value = new() { IntValue = 1 };
        for (int i = 0; i < depth; i++)
        {
            value = new AnyValue { ArrayValue = new ArrayValue { Values = { value } } };
        }

        TraceBuilder builder = new TraceBuilder().Span(1, 1);
        builder.LastSpan.Attributes.Add(new KeyValue { Key = "deep", Value = value });

        Assert.Equal(expected, Split(builder.ToBytes(), out _));
    }

    [Fact]
    public void Split_RandomBytes_NeverThrows()
    {
        Random random = new(1);
        byte[] valid = new TraceBuilder().Resource("a").Span(1, 1).With("k", "v").Event("e").Link(2, 2).Error("bad").Span(2, 2).ToBytes();
        for (int i = 0; i < 200_000; i++)
        {
            byte[] bytes = (byte[])valid.Clone();
            for (int flips = random.Next(1, 4); flips > 0; flips--)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }

            WireError error = Split(bytes.AsMemory(0, random.Next(bytes.Length + 1)), out int offset);
            Assert.InRange(offset, 0, bytes.Length);
            Assert.True(Enum.IsDefined(error));
        }
    }

    [Fact]
    public void Split_SecondRequestOfTheSameSize_AllocatesNothing()
    {
        TraceBuilder builder = new();
        for (ulong i = 1; i < 300; i++)
        {
            builder.Span(1 + i % 100, i).With("http.route", "/api/v1/checkout");
        }

        byte[] body = builder.ToBytes();
        Split(body, out _);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            Split(body, out _);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Split_LargeResourceWithManyScopes_HashesTheResourceOnce()
    {
        // Resource times scopes is 4 TB of hashing: hours.
        TraceBuilder builder = new TraceBuilder().Resource("r").ResourceAttribute("filler", new string('x', 2_000_000));
        for (ulong i = 1; i <= 20_000; i++)
        {
            builder.Scope("s").Span(i, i);
        }

        long began = TimeProvider.System.GetTimestamp();
        Assert.Equal(WireError.None, Split(builder.ToBytes(), out _));
        Assert.True(TimeProvider.System.GetElapsedTime(began) < TimeSpan.FromSeconds(2));
        Assert.Equal(20_000, _split.ContextCount);
        Assert.Single(_split.Contexts[..20_000].Select(c => c.Hash).Distinct());
    }

    [Fact]
    public void Split_ScopesWithoutSpans_MakeNoContexts()
    {
        TraceBuilder builder = new TraceBuilder().Span(1, 1);
        for (int i = 0; i < 1000; i++)
        {
            builder.Scope("empty " + i);
        }

        builder.Scope("last").Span(1, 2);
        Assert.Equal(WireError.None, Split(builder.ToBytes(), out _));
        Assert.Equal(2, _split.ContextCount);
        Assert.Equal(2, _split.GroupCount);
        Assert.InRange(_split.ContextLength, 1, 200);
    }

    [Fact]
    public void Split_AfterAnUnusuallyLargeRequest_GivesItsArraysUp()
    {
        TraceBuilder builder = new();
        for (ulong i = 1; i <= 70_000; i++)
        {
            builder.Span(i, i);
        }

        Split(builder.ToBytes(), out _);
        Split(new TraceBuilder().Span(1, 1).ToBytes(), out _);
        Assert.InRange(_split.Spans.Length, 1, 1024);
        Assert.InRange(_split.Groups.Length, 1, 1024);
    }

    private WireError Split(ReadOnlyMemory<byte> body, out int offset) => TraceSplitter.Split(body, _split, out offset);
}
