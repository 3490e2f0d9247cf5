using System.Text;
using System.Text.RegularExpressions;
using Cluster.Sampling.Policies.Re2;

namespace Cluster.Sampling.Tests.Policies.Re2;

public sealed class Re2Tests
{
    /// <summary>Expression, text, whether Go finds a match. Texts are written with C# escapes.</summary>
    public static TheoryData<string, string, bool> Matches => new()
    {
        { "b", "abc", true },
        { "", "", true },
        { "", "x", true },
        { "^abc$", "abc", true },
        { "^abc$", "abcd", false },
        { "abc$", "abc\n", false }, // .NET: true
        { @"abc\z", "abc\n", false },
        { "(?m)abc$", "abc\nd", true },
        { "(?m)^d", "abc\nd", true },
        { "^d", "abc\nd", false },
        { @"(?m)\Ad", "abc\nd", false },
        { @"^\d$", "٣", false }, // an Arabic-Indic digit; .NET: true
        { @"^\d$", "3", true },
        { @"^\w$", "é", false }, // .NET: true
        { @"^\W$", "é", true },
        { @"^\s$", "\u00a0", false }, // .NET: true
        { @"^\s$", "\v", false }, // .NET: true
        { "^[[:space:]]$", "\v", true },
        { @"a\b", "aé", true }, // .NET: false
        { @"a\B", "aé", false },
        { @"a\b", "ab", false },
        { @"\bfoo\b", "a foo b", true },
        { @"\bfoo\b", "a food b", false },
        { @"\B", "a😀a", false },
        { @"\B", "", true },
        { @"\b", "", false },
        { "^.$", "😀", true }, // .NET: false
        { "^..$", "😀", false },
        { "^[^a]$", "😀", true },
        { @"^\x{1F600}$", "😀", true },
        { "^[😀-😂]$", "😁", true },
        { "^.$", "\n", false },
        { "(?s)^.$", "\n", true },
        { "^[^a]$", "\n", true },
        { @"\Qa.b*\E+", "a.b**", true },
        { @"\Qa.b\E", "axb", false },
        { @"\Qa.b", "a.b", true },
        { @"^x\Q\E*a$", "xxa", true },
        { @"(?P<n>a)(?<m>b)", "ab", true },
        { "(?i)k", "\u212a", true }, // Kelvin sign
        { "(?i)s", "ſ", true },
        { "(?i)ſ", "S", true },
        { @"(?i)^\w$", "ſ", true },
        { @"(?i)^\W$", "\u212a", false },
        { @"^\w$", "ſ", false },
        { "(?i)^[^k]$", "\u212a", false },
        { "(?i)straße", "STRAẞE", true },
        { "(?i)straße", "STRASSE", false },
        { "(?i)σ", "ς", true },
        { "(?i)i", "İ", false },
        { "(?i)i", "ı", false },
        { "(?i)[a-c]x", "BX", true },
        { "(?i:a)b", "Ab", true },
        { "(?i:a)b", "AB", false },
        { "a(?i)b|c", "aB", true },
        { "a(?i)b|c", "C", true },
        { "(a(?i)b)c", "aBC", false },
        { "(?i)a(?-i)b", "AB", false },
        { "(?is-m:A.)", "a\n", true },
        { "(?U)a+b", "aab", true },
        { "(?)a", "a", true },
        { @"^\pN$", "٣", true },
        { @"^\p{Nd}+$", "12", true },
        { @"^\PL$", "a", false },
        { @"^\p{^L}$", "a", false },
        { @"^\P{^L}$", "a", true },
        { @"(?i)^\p{Lu}$", "a", true },
        { @"^[\pL\d_-]+$", "aß9_-", true },
        { "^[[:alpha:]]+$", "aZ", true },
        { "^[[:^alpha:]]+$", "aZ", false },
        { "^[[:word:]]$", "_", true },
        { "^[]a]+$", "]a", true },
        { "^[^]a]+$", "b", true },
        { "^[a-]+$", "a-", true },
        { "^[a-c-e]+$", "b-e", true },
        { @"^[\]\-\\]+$", @"]-\", true },
        { "^[[:alpha]+$", "[:alph", true },
        { "^a{2}$", "aa", true },
        { "^a{2,}$", "aaaa", true },
        { "^a{2,3}$", "aaaa", false },
        { "^a{0}$", "", true },
        { "^a{,2}$", "a{,2}", true },
        { "^a{2$", "a{2", true },
        { "^a{02}$", "a{02}", true },
        { "^(a|b)*$", "abba", true },
        { "^(a*)*$", "aaa", true },
        { "^(|a)+$", "aaa", true },
        { "^(a|ab)(c|bcd)$", "abcd", true },
        { "a*?b", "aab", true },
        { "^*", "x", true },
        { "(^)*a", "ba", true },
        { "x(^a|b)", "xb", true },
        { "x(^a|b)", "xa", false },
        { "|a", "zzz", true },
        { @"\x41\101\a\f\n\r\t\v", "AA\a\f\n\r\t\v", true },
        { @"\_\.\/", "_./", true },
        { @"\0", "\0", true },
        { "^(?:GET|POST) /api/v[0-9]+/users/[^/]+$", "GET /api/v2/users/17", true },
        { "^(?:GET|POST) /api/v[0-9]+/users/[^/]+$", "GET /api/v2/users/17/x", false },
    };

    [Theory]
    [MemberData(nameof(Matches))]
    public void IsMatch_Expression_AsGo(string pattern, string text, bool isMatch) =>
        Assert.Equal(isMatch, Matcher(pattern).IsMatch(Encoding.UTF8.GetBytes(text)));

    [Theory]
    [InlineData(@"a\Z", "invalid escape sequence")]
    [InlineData(@"\G", "invalid escape sequence")]
    [InlineData(@"\C", "invalid escape sequence")]
    [InlineData(@"\é", "invalid escape sequence")]
    [InlineData(@"(a)\1", "no back references")]
    [InlineData(@"\8", "no back references")]
    [InlineData(@"[\b]", "invalid escape sequence")]
    [InlineData(@"[\Qa\E]", "invalid escape sequence")]
    [InlineData("(?=a)", "look-around")]
    [InlineData("(?!a)", "look-around")]
    [InlineData("(?<=a)b", "look-around")]
    [InlineData("(?<!a)b", "look-around")]
    [InlineData("(?>a)", "atomic")]
    [InlineData("(?#x)", "comments")]
    [InlineData("(?x)a", "unsupported")]
    [InlineData("(?i-)a", "unsupported")]
    [InlineData("(?P<n", "named capture")]
    [InlineData("(?P<>a)", "named capture")]
    [InlineData("(?P<n-m>a)", "named capture")]
    [InlineData("a{1001}", "invalid repeat count")]
    [InlineData("a{2,1}", "invalid repeat count")]
    [InlineData("a{99999999999999}", "invalid repeat count")]
    [InlineData("(a{100}){100}", "invalid repeat count")]
    [InlineData("((a{2}){30}){30}", "invalid repeat count")]
    [InlineData("a**", "invalid nested repetition")]
    [InlineData("a++", "invalid nested repetition")]
    [InlineData("a{2}{3}", "invalid nested repetition")]
    [InlineData("a*??", "invalid nested repetition")]
    [InlineData("*a", "missing argument")]
    [InlineData("(+)", "missing argument")]
    [InlineData("a|*", "missing argument")]
    [InlineData("(a", "missing closing )")]
    [InlineData("a)", "unexpected )")]
    [InlineData("[a", "missing closing ]")]
    [InlineData("[]", "missing closing ]")]
    [InlineData("[b-a]", "invalid character class range")]
    [InlineData("[[:foo:]]", "invalid character class range")]
    [InlineData(@"a\", "trailing backslash")]
    [InlineData(@"\x{110000}", "invalid escape sequence")]
    [InlineData(@"\x{}", "invalid escape sequence")]
    [InlineData(@"\x4", "invalid escape sequence")]
    [InlineData(@"\p{Greek}", "no scripts")]
    [InlineData(@"\p{Nope}", "no scripts")]
    [InlineData(@"\p", "without a name")]
    [InlineData(@"\p{L", "without a name")]
    [InlineData("(((((((a{10}){10}){10}b){2}){2}){2}){2})", "invalid repeat count")]
    [InlineData("(?:[a-z]{900}[0-9]{900}.{900}|x){1}(?:(?:\\pL{40}){25}){1}y{1000}", null)]
    public void Compile_Refused_SaysWhy(string pattern, string? message)
    {
        if (message is null)
        {
            Re2Program.Compile(pattern);
            return;
        }

        Assert.Contains(message, Assert.Throws<Re2Exception>(() => Re2Program.Compile(pattern)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Compile_HalfASurrogatePair_IsRefused() => Assert.Throws<Re2Exception>(() => Re2Program.Compile("a\ud800"));

    [Fact]
    public void Compile_NestedTooDeeply_IsRefused() =>
        Assert.Throws<Re2Exception>(() => Re2Program.Compile(new string('(', 5000) + new string(')', 5000)));

    [Theory]
    [InlineData("^.$", new byte[] { 0xFF }, true)]
    [InlineData("^.$", new byte[] { 0xE2, 0x82 }, false)]
    [InlineData("^..$", new byte[] { 0xE2, 0x82 }, true)]
    [InlineData("^\ufffd{3}$", new byte[] { 0xED, 0xA0, 0x80 }, true)]
    [InlineData("^\ufffdA$", new byte[] { 0xC3, 0x41 }, true)]
    [InlineData("^\ufffd$", new byte[] { 0xEF, 0xBF, 0xBD }, true)]
    public void IsMatch_InvalidUtf8_ReadsEachByteAsReplacement(string pattern, byte[] text, bool isMatch) =>
        Assert.Equal(isMatch, Matcher(pattern).IsMatch(text));

    [Fact]
    public void IsMatch_SeveralExpressions_AnyOfThem()
    {
        Re2Matcher matcher = new(Re2Program.Compile("^a$", "b+", "(?i)C"));
        Assert.Equal([true, true, true, false], new[] { "a", "xbx", "c", "ad" }.Select(t => matcher.IsMatch(Encoding.UTF8.GetBytes(t))));
        Assert.False(new Re2Matcher(Re2Program.Compile([])).IsMatch("a"u8));
    }

    /// <summary>Expressions and texts that mean the same to both: .NET's backtracking engine is the oracle.</summary>
    [Fact]
    public void IsMatch_RandomExpressions_AgreesWithDotNet()
    {
        Random random = new(7);
        for (int i = 0; i < 1000; i++)
        {
            string pattern = RandomPattern(random, 3);
            Regex oracle = new(pattern, RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);
            Re2Matcher matcher = Matcher(pattern);
            for (int j = 0; j < 12; j++)
            {
                string text = string.Concat(Enumerable.Range(0, random.Next(9)).Select(_ => "ab c\n"[random.Next(5)]));
                Assert.True(oracle.IsMatch(text) == matcher.IsMatch(Encoding.UTF8.GetBytes(text)), $"/{pattern}/ on '{text}'");
            }
        }
    }

    [Fact]
    public void Compile_RandomText_CompilesOrRefuses()
    {
        Random random = new(11);
        const string Alphabet = @"ab1()[]{}|*+?.^$\\\pPdDwWsSbBQEzAx{}:,-i<>é😀";
        for (int i = 0; i < 2_000; i++)
        {
            string pattern = string.Concat(Enumerable.Range(0, random.Next(12)).Select(_ => Alphabet[random.Next(Alphabet.Length)]));
            try
            {
                Matcher(pattern).IsMatch("ab1 é"u8);
            }
            catch (Re2Exception)
            {
                // Refused: fine.
            }
        }
    }

    [Fact]
    public void IsMatch_StatesExplode_GivesUpInBoundedWork()
    {
        Re2Matcher matcher = Matcher("(a|b)*a(a|b){900}c");
        Random random = new(3);
        byte[] text = [.. Enumerable.Range(0, 20_000).Select(_ => (byte)"ab"[random.Next(2)])];
        Assert.False(matcher.IsMatch(text));
        Assert.Equal(1, matcher.GivenUp);
        Assert.True(matcher.IsMatch([.. "a"u8, .. Enumerable.Repeat((byte)'b', 900), (byte)'c']));
    }

    [Fact]
    public void IsMatch_ManyStates_ForgetsAndGoesOn()
    {
        // 2^10 states and more, in 30-odd classes: the table is full several times over.
        Re2Matcher matcher = Matcher("a[ab]{12}c|1|2|3|4|5|6|7|8|9|d|e|f|g|h|i|j|k|l|m|n|o|p|q|r|s|t|u|v|w");
        Regex oracle = new("a[ab]{12}c");
        Random random = new(5);
        for (int i = 0; i < 500; i++)
        {
            string text = string.Concat(Enumerable.Range(0, 60).Select(_ => "aabbc"[random.Next(5)]));
            Assert.Equal(oracle.IsMatch(text), matcher.IsMatch(Encoding.UTF8.GetBytes(text)));
        }
    }

    private static Re2Matcher Matcher(string pattern) => new(Re2Program.Compile(pattern));

    private static string RandomPattern(Random random, int depth)
    {
        string Sub() => RandomPattern(random, depth - 1);
        return random.Next(depth == 0 ? 6 : 12) switch
        {
            0 => "a",
            1 => "b",
            2 => "[^a]",
            3 => ".",
            4 => new[] { @"\A", @"\z", @"\b", @"\B", "(?m:^)", "(?m:$)" }[random.Next(6)],
            5 => "[a-c]",
            6 => Sub() + Sub(),
            7 => $"(?:{Sub()}|{Sub()})",
            8 => $"(?:{Sub()})*",
            9 => $"(?:{Sub()})+?",
            10 => $"(?:{Sub()})?{Sub()}",
            _ => $"(?:{Sub()}){{{random.Next(3)},{random.Next(2, 4)}}}",
        };
    }
}
