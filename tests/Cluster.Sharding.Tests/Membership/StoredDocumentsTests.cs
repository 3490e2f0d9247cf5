using System.Text;
using System.Text.RegularExpressions;
using Cluster.Messages.Sharding;
using Cluster.Sharding.Coordination;
using Cluster.Sharding.Membership;

namespace Cluster.Sharding.Tests.Membership;

public sealed class StoredDocumentsTests
{
    private static readonly MemberId A = new("a", 0xFEDCBA9876543210);
    private static readonly MemberId B = new("b", 1);

    [Fact]
    public void Member_Written_IsReadAsItWas()
    {
        Member member = new(A, "10.0.0.1:4320", "zone", false, 2.5, true, "http://a:4317", "http://a:8080", "1.2.3");
        Assert.Equal(member, StoredDocuments.ReadMember("a", StoredDocuments.WriteMember(member)));
        Assert.Equal(
            """
            {"incarnation":"fedcba9876543210","address":"10.0.0.1:4320","zone":"zone","holdsShards":false,"capacity":2.5,"leaving":true,
            "gateway":"http://a:4317","admin":"http://a:8080","productVersion":"1.2.3"}
            """.ReplaceLineEndings(""),
            Encoding.UTF8.GetString(StoredDocuments.WriteMember(member)));
    }

    [Theory]
    [InlineData(0, 0.001)]
    [InlineData(-5, 0.001)]
    [InlineData(1e9, 1000)]
    [InlineData(double.NaN, 1)]
    [InlineData(double.PositiveInfinity, 1)]
    public void Member_WithACapacityBeyondItsBounds_IsBounded(double capacity, double expected) => Assert.Equal(
        expected, StoredDocuments.ReadMember("a", StoredDocuments.WriteMember(new Member(A, "a:1", Capacity: capacity)))!.Capacity);

    [Fact]
    public void Member_WithUnknownAndMissingParts_IsRead()
    {
        Member? member = StoredDocuments.ReadMember("a", """{"incarnation":"1","address":"a:1","later":{"x":[1]}}"""u8.ToArray());
        Assert.Equal(("", "", false, 1ul), (member!.Zone, member.Gateway, member.HoldsShards, member.Id.Incarnation));
    }

    [Fact]
    public void Coordinator_Written_IsReadAsItWas() =>
        Assert.Equal(A, StoredDocuments.ReadCoordinator(StoredDocuments.WriteCoordinator(A)));

    [Fact]
    public void Allocation_Written_IsReadAsItWas()
    {
        ShardAllocation allocation = new(
            7,
            [
                new(A, 3, [new(B, 5, true)]),
                new(default, 0, []),
                new(B, 4_000_000_000, [new(A, long.MaxValue, false)], FromNothing: true),
                new(B, 2, [new(A, 6, false, IsStale: true)]),
            ]);
        byte[] written = StoredDocuments.WriteAllocation(allocation);
        Assert.Single(Regex.Matches(Encoding.UTF8.GetString(written), "isStale"));
        ShardAllocation read = StoredDocuments.ReadAllocation(written, 4)!;
        Assert.Equal(7, read.Version);
        for (int i = 0; i < 4; i++)
        {
            Assert.Equal(
                (allocation[i].Primary, allocation[i].Term, allocation[i].FromNothing), (read[i].Primary, read[i].Term, read[i].FromNothing));
            Assert.Equal(allocation[i].Replicas, read[i].Replicas);
        }

        Assert.Null(StoredDocuments.ReadAllocation(written, 3));
    }

    [Theory]
    [InlineData("""{"version":1,"members":[],"shards":[{"primary":0,"term":1}]}""")]
    [InlineData("""{"version":1,"members":[],"shards":[{"primary":-2,"term":1}]}""")]
    [InlineData("""{"version":0,"members":[],"shards":[{"primary":-1,"term":1}]}""")]
    [InlineData("""{"version":1,"members":[null],"shards":[{"primary":0,"term":1}]}""")]
    [InlineData("""{"version":1,"members":[{"node":"","incarnation":"1"}],"shards":[{"primary":0,"term":1}]}""")]
    [InlineData("""{"version":1,"members":[{"node":"a","incarnation":"1"}],"shards":[null]}""")]
    [InlineData("""{"version":1,"members":[{"node":"a","incarnation":"1"}],"shards":[{"primary":0,"term":-1}]}""")]
    [InlineData("""{"version":1,"members":[{"node":"a","incarnation":"1"}],"shards":[{"primary":0,"term":1,"copies":[null]}]}""")]
    [InlineData("""{"version":1,"members":[{"node":"a","incarnation":"1"}],"shards":[{"primary":0,"term":1,"copies":[{"member":0,"since":1}]}]}""")]
    [InlineData("""{"version":1,"members":[{"node":"a","incarnation":"1"}],"shards":[{"primary":-1,"copies":[{"member":0},{"member":0}]}]}""")]
    [InlineData(
        """{"version":1,"members":[{"node":"a","incarnation":"1"}],"shards":[{"primary":-1,"copies":[{"member":0,"inSync":true,"isStale":true}]}]}""")]
    public void Allocation_ThatMakesNoSense_IsNone(string text) =>
        Assert.Null(StoredDocuments.ReadAllocation(Encoding.UTF8.GetBytes(text), 1));

    [Fact]
    public void Reports_Written_AreReadAsTheyWere()
    {
        ShardReport[] reports = [new(3, 4, B, 5, CopyState.CaughtUp), new(6, 7, A, 8, CopyState.Suspect), new(6, 7, B, 8, CopyState.Released)];
        StoredReports read = StoredDocuments.ReadReports("a", StoredDocuments.WriteReports(A, reports))!;
        Assert.Equal(A, read.From);
        Assert.Equal(reports, read.Reports);
    }

    [Fact]
    public void Reports_WithOneThatMakesNoSense_AreReadWithoutIt()
    {
        StoredReports read = StoredDocuments.ReadReports("a", Encoding.UTF8.GetBytes(
            """
            {"incarnation":"1","reports":[
                null,
                {"shard":1,"term":1,"member":{"node":"b","incarnation":"x"},"since":1,"state":"caughtUp"},
                {"shard":1,"term":1,"member":{"node":"b","incarnation":"1"},"since":1,"state":"odd"},
                {"shard":2,"term":1,"member":{"node":"b","incarnation":"1"},"since":1,"state":"suspect"}]}
            """))!;
        Assert.Equal([new ShardReport(2, 1, B, 1, CopyState.Suspect)], read.Reports);
    }

    [Fact]
    public void Readers_OfMutatedBytes_NeverThrow()
    {
        Random random = new(3);
        byte[][] documents =
        [
            StoredDocuments.WriteConfig(8),
            StoredDocuments.WriteMember(new Member(A, "a:1")),
            StoredDocuments.WriteCoordinator(A),
            StoredDocuments.WriteAllocation(new ShardAllocation(1, [new(A, 1, [new(B, 1, false, IsStale: true)])])),
            StoredDocuments.WriteReports(A, [new(3, 4, B, 5, CopyState.CaughtUp)]),
        ];
        for (int i = 0; i < 20_000; i++)
        {
            byte[] value = [.. documents[random.Next(documents.Length)]];
            for (int changes = random.Next(1, 4); changes > 0; changes--)
            {
                value[random.Next(value.Length)] = (byte)random.Next(256);
            }

            value = random.Next(4) == 0 ? value[..random.Next(value.Length)] : value;
            _ = StoredDocuments.ReadConfig(value);
            _ = StoredDocuments.ReadMember("a", value);
            _ = StoredDocuments.ReadCoordinator(value);
            _ = StoredDocuments.ReadAllocation(value, 1);
            _ = StoredDocuments.ReadReports("a", value);
        }
    }
}
