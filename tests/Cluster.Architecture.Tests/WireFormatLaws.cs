using System.Text.RegularExpressions;

namespace Cluster.Architecture.Tests;

/// <summary>
/// Only <c>Messages</c> knows wire formats. Others may walk and write messages with its primitives, but field numbers, tags and JSON
/// member names are its own.
/// </summary>
public sealed partial class WireFormatLaws
{
    [Fact]
    public void SourceFile_OutsideMessages_NamesEveryFieldNumber() => AssertNowhere(LiteralFieldNumber);

    [Fact]
    public void SourceFile_OutsideMessages_BuildsTagsFromNamedFields() => AssertNowhere(LiteralTag);

    [Fact]
    public void SourceFile_OutsideMessages_KnowsNoMemberOfOtlpJson() => AssertNowhere(JsonMember);

    /// <summary>A reader or a writer of protobuf of one's own begins with one of these.</summary>
    [Fact]
    public void SourceFile_OutsideMessages_HasNoVarintCodecOfItsOwn() => AssertNowhere(VarintCodec);

    /// <summary>Generated message classes are for tests: the product never builds span objects.</summary>
    [Fact]
    public void Assembly_InSrc_UsesNoGeneratedMessageClasses() => Assert.DoesNotContain(
        Repository.Assemblies.Values.SelectMany(assembly => assembly.GetReferencedAssemblies()), name => name.Name == "Google.Protobuf");

    [Theory]
    [InlineData("p = WireWriter.WriteVarintField(buffer, p, 3, 1);")]
    [InlineData("p = WireWriter.WriteLengthPrefix(buffer[4..], p + Size(1, 2), 12, length);")]
    public void LiteralFieldNumber_InACall_IsFound(string code) => Assert.Matches(LiteralFieldNumber, code);

    [Theory]
    [InlineData("p = WireWriter.WriteVarintField(buffer, p, OtlpFields.Status.Code, 1);")]
    [InlineData("p = WireWriter.WriteVarint(buffer, 0, 12);")]
    public void NamedFieldNumber_InACall_IsNotFound(string code) => Assert.DoesNotMatch(LiteralFieldNumber, code);

    [Theory]
    [InlineData("uint tag = (5 << 3) | 2;")]
    [InlineData("tag = 5U << 3 | (uint)type;")]
    public void LiteralTag_InAnExpression_IsFound(string code) => Assert.Matches(LiteralTag, code);

    [Theory]
    [InlineData("uint tag = (OtlpFields.Span.Name << 3) | 2;")]
    [InlineData("long limit = (1L << 30) | 1;")]
    public void OtherShift_InAnExpression_IsNotFound(string code) => Assert.DoesNotMatch(LiteralTag, code);

    private static void AssertNowhere(Regex pattern)
    {
        string[] found = [.. Repository.Sources
            .Where(file => file.Project != "Cluster.Messages")
            .SelectMany(file => pattern.Matches(file.Code).Select(match => $"{file}: {match.Value.Trim()}"))];
        Repository.AssertNone(found);
    }

    [GeneratedRegex(@"\bWireWriter\.Write(Tag|LengthPrefix|Bytes|VarintField|Fixed64Field|Fixed32Field)\(.*,\s*\d+\s*,[^,;]*\)\s*;")]
    private static partial Regex LiteralFieldNumber { get; }

    [GeneratedRegex(@"\b\d+[uUlL]*\s*<<\s*3\s*\)?\s*(\||\+)")]
    private static partial Regex LiteralTag { get; }

    [GeneratedRegex("\"(resourceSpans|scopeSpans|startTimeUnixNano|endTimeUnixNano|parentSpanId|stringValue|intValue)\"")]
    private static partial Regex JsonMember { get; }

    [GeneratedRegex(@"\|\s*0x80\b|&\s*0x7F\b", RegexOptions.IgnoreCase)]
    private static partial Regex VarintCodec { get; }
}
