using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Cluster.Messages.Sharding;
using Cluster.Sharding.Coordination;

namespace Cluster.Sharding.Membership;

/// <summary>
/// The JSON of the values in the store. Writers give the same bytes for the same value. Readers take any bytes: unknown members are passed over,
/// and what cannot be a value of this cluster is null.
/// </summary>
internal static class StoredDocuments
{
    /// <summary>Version of all of this; nodes that differ in it cannot be in one cluster.</summary>
    public const int Format = 1;

    /// <summary>Bounds of <see cref="Member.Capacity"/>: what a node writes beyond them is taken for the bound.</summary>
    private const double LeastCapacity = 0.001, MostCapacity = 1000;

    /// <summary>The value under <see cref="StoreKeys.Config"/>.</summary>
    public static byte[] WriteConfig(int shards) => Write(new ConfigDocument(Format, shards), DocumentContext.Default.ConfigDocument);

    /// <inheritdoc cref="WriteConfig"/>
    public static ConfigDocument? ReadConfig(ReadOnlyMemory<byte> value) => Read(value, DocumentContext.Default.ConfigDocument);

    /// <summary>The value under <see cref="StoreKeys.Member"/>.</summary>
    public static byte[] WriteMember(Member member) => Write(
        new MemberDocument(
            Hex(member.Id),
            member.Address,
            member.Zone,
            member.HoldsShards,
            Bounded(member.Capacity),
            member.Leaving,
            member.Gateway,
            member.Admin,
            member.ProductVersion),
        DocumentContext.Default.MemberDocument);

    /// <summary>A member, whose name is in the key.</summary>
    public static Member? ReadMember(string node, ReadOnlyMemory<byte> value)
    {
        if (Read(value, DocumentContext.Default.MemberDocument) is not { Address: { } address } document
            || ReadId(node, document.Incarnation) is not { } id)
        {
            return null;
        }

        return new Member(
            id,
            address,
            document.Zone ?? "",
            document.HoldsShards,
            Bounded(document.Capacity),
            document.Leaving,
            document.Gateway ?? "",
            document.Admin ?? "",
            document.ProductVersion ?? "");
    }

    /// <summary>The value under <see cref="StoreKeys.Coordinator"/>.</summary>
    public static byte[] WriteCoordinator(MemberId member) => Write(Document(member), DocumentContext.Default.MemberIdDocument);

    /// <summary>Who allocates; nobody when it cannot be read.</summary>
    public static MemberId ReadCoordinator(ReadOnlyMemory<byte> value) =>
        ReadId(Read(value, DocumentContext.Default.MemberIdDocument)) ?? default;

    /// <summary>The value under <see cref="StoreKeys.Allocation"/>. Members are written once, and named by their place.</summary>
    public static byte[] WriteAllocation(ShardAllocation allocation)
    {
        List<MemberIdDocument> members = [];
        Dictionary<MemberId, int> places = [];
        int PlaceOf(MemberId member)
        {
            if (member.IsNone)
            {
                return -1;
            }

            if (!places.TryGetValue(member, out int place))
            {
                place = members.Count;
                places.Add(member, place);
                members.Add(Document(member));
            }

            return place;
        }

        AssignmentDocument[] shards = new AssignmentDocument[allocation.ShardCount];
        for (int i = 0; i < shards.Length; i++)
        {
            ShardAssignment shard = allocation[i];
            shards[i] = new AssignmentDocument(
                PlaceOf(shard.Primary),
                shard.Term,
                shard.Replicas.Count == 0
                    ? null
                    : [.. shard.Replicas.Select(copy => new CopyDocument(PlaceOf(copy.Member), copy.Since, copy.InSync, copy.IsStale ? true : null))],
                shard.FromNothing ? true : null);
        }

        return Write(new AllocationDocument(allocation.Version, [.. members], shards), DocumentContext.Default.AllocationDocument);
    }

    /// <summary>An allocation of so many shards, in which no shard has two copies on one member, and no copy is in sync and stale.</summary>
    public static ShardAllocation? ReadAllocation(ReadOnlyMemory<byte> value, int shardCount)
    {
        AllocationDocument? document = Read(value, DocumentContext.Default.AllocationDocument);
        if (document is not { Version: > 0 and var version, Members: { } members, Shards: { } documents }
            || documents.Length != shardCount)
        {
            return null;
        }

        MemberId[] ids = new MemberId[members.Length];
        for (int i = 0; i < ids.Length; i++)
        {
            if (ReadId(members[i]) is not { } id)
            {
                return null;
            }

            ids[i] = id;
        }

        ShardAssignment[] shards = new ShardAssignment[shardCount];
        for (int i = 0; i < shardCount; i++)
        {
            if (ReadAssignment(documents[i], ids) is not { } shard)
            {
                return null;
            }

            shards[i] = shard;
        }

        return new ShardAllocation(version, shards);
    }

    /// <summary>The value under <see cref="StoreKeys.ReportsOf"/>.</summary>
    public static byte[] WriteReports(MemberId self, IReadOnlyList<ShardReport> reports) => Write(
        new ReportsDocument(
            Hex(self),
            [.. reports.Select(report => new ReportDocument(report.Shard, report.Term, Document(report.Member), report.Since, Name(report.State)))]),
        DocumentContext.Default.ReportsDocument);

    /// <summary>What the primaries of a node, whose name is in the key, say. A single report that makes no sense is passed over.</summary>
    public static StoredReports? ReadReports(string node, ReadOnlyMemory<byte> value)
    {
        if (Read(value, DocumentContext.Default.ReportsDocument) is not { Reports: { } documents } document
            || ReadId(node, document.Incarnation) is not { } from)
        {
            return null;
        }

        List<ShardReport> reports = new(documents.Length);
        foreach (ReportDocument? report in documents)
        {
            if (report is not null && ReadId(report.Member) is { } member && State(report.State) is { } state)
            {
                reports.Add(new ShardReport(report.Shard, report.Term, member, report.Since, state));
            }
        }

        return new StoredReports(from, reports);
    }

    private static ShardAssignment? ReadAssignment(AssignmentDocument? document, MemberId[] members)
    {
        if (document is null || document.Primary < -1 || document.Primary >= members.Length)
        {
            return null;
        }

        MemberId primary = document.Primary < 0 ? default : members[document.Primary];
        CopyDocument?[] documents = document.Copies ?? [];
        List<ShardCopy> copies = new(documents.Length);
        foreach (CopyDocument? copy in documents)
        {
            if (copy is null || copy.Member < 0 || copy.Member >= members.Length || (copy.InSync && copy.IsStale == true))
            {
                return null;
            }

            MemberId member = members[copy.Member];
            if (member == primary || copies.Exists(other => other.Member == member))
            {
                return null;
            }

            copies.Add(new ShardCopy(member, copy.Since, copy.InSync, copy.IsStale == true));
        }

        return new ShardAssignment(primary, document.Term, copies, document.FromNothing == true);
    }

    private static byte[] Write<T>(T document, JsonTypeInfo<T> type) => JsonSerializer.SerializeToUtf8Bytes(document, type);

    private static T? Read<T>(ReadOnlyMemory<byte> value, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(value.Span, type);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static double Bounded(double capacity) => double.IsFinite(capacity) ? Math.Clamp(capacity, LeastCapacity, MostCapacity) : 1;

    private static MemberIdDocument Document(MemberId member) => new(member.Node, Hex(member));

    /// <summary>JSON's numbers are not safe beyond 53 bits.</summary>
    private static string Hex(MemberId member) => member.Incarnation.ToString("x16", CultureInfo.InvariantCulture);

    private static MemberId? ReadId(MemberIdDocument? document) => ReadId(document?.Node, document?.Incarnation);

    private static MemberId? ReadId(string? node, string? incarnation) =>
        !string.IsNullOrEmpty(node) && ulong.TryParse(incarnation, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong number)
            ? new MemberId(node, number)
            : null;

    private static string Name(CopyState state) => state switch
    {
        CopyState.CaughtUp => "caughtUp",
        CopyState.Suspect => "suspect",
        _ => "released",
    };

    private static CopyState? State(string? name) => name switch
    {
        "caughtUp" => CopyState.CaughtUp,
        "suspect" => CopyState.Suspect,
        "released" => CopyState.Released,
        _ => null,
    };
}

/// <summary>What the primaries of one run of a node say of their copies.</summary>
internal sealed record StoredReports(MemberId From, IReadOnlyList<ShardReport> Reports);

/// <summary>See <see cref="StoreKeys.Config"/>.</summary>
internal sealed record ConfigDocument(int Format, int Shards);

/// <summary>See <see cref="StoreKeys.Member"/>; the node's name is in the key.</summary>
internal sealed record MemberDocument(
    string? Incarnation,
    string? Address,
    string? Zone,
    bool HoldsShards,
    double Capacity,
    bool Leaving,
    string? Gateway,
    string? Admin,
    string? ProductVersion);

/// <summary>See <see cref="MemberId"/>.</summary>
internal sealed record MemberIdDocument(string? Node, string? Incarnation);

/// <summary>See <see cref="StoreKeys.Allocation"/>.</summary>
internal sealed record AllocationDocument(long Version, MemberIdDocument?[]? Members, AssignmentDocument?[]? Shards);

/// <summary>See <see cref="ShardAssignment"/>. Members are places in the document's list; -1 is nobody.</summary>
internal sealed record AssignmentDocument(int Primary, uint Term, CopyDocument?[]? Copies, bool? FromNothing = null);

/// <summary>See <see cref="ShardCopy"/>.</summary>
internal sealed record CopyDocument(int Member, long Since, bool InSync, bool? IsStale = null);

/// <summary>See <see cref="StoreKeys.ReportsOf"/>; the node's name is in the key.</summary>
internal sealed record ReportsDocument(string? Incarnation, ReportDocument?[]? Reports);

/// <summary>See <see cref="ShardReport"/>.</summary>
internal sealed record ReportDocument(int Shard, uint Term, MemberIdDocument? Member, long Since, string? State);

/// <summary>Generated readers and writers of the documents.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ConfigDocument))]
[JsonSerializable(typeof(MemberDocument))]
[JsonSerializable(typeof(MemberIdDocument))]
[JsonSerializable(typeof(AllocationDocument))]
[JsonSerializable(typeof(ReportsDocument))]
internal sealed partial class DocumentContext : JsonSerializerContext;
