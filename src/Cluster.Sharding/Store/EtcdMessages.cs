using System.Text.Json;
using System.Text.Json.Serialization;

namespace Cluster.Sharding.Store;

// Messages of etcd's JSON gateway (https://etcd.io/docs/v3.4/dev-guide/api_reference_v3/), as far as they are used. Bytes are base64, 64-bit numbers
// are strings, and what is zero, empty or false is left out, both ways.

internal sealed record EtcdHeader
{
    public long Revision { get; init; }
}

internal sealed record EtcdKeyValue
{
    public byte[]? Key { get; init; }

    public byte[]? Value { get; init; }

    public long CreateRevision { get; init; }

    public long ModRevision { get; init; }

    public long Lease { get; init; }
}

/// <summary>Everything from <paramref name="Key"/> to before <paramref name="RangeEnd"/>.</summary>
internal sealed record EtcdRange(byte[] Key, byte[] RangeEnd);

internal sealed record EtcdRangeAnswer
{
    public EtcdHeader? Header { get; init; }

    public EtcdKeyValue[]? Kvs { get; init; }
}

/// <summary>The revision at which a key was last changed, or 0, is <paramref name="ModRevision"/>.</summary>
internal sealed record EtcdCompare(
    byte[] Key, [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] long ModRevision, string Target = "MOD", string Result = "EQUAL");

internal sealed record EtcdPut(byte[] Key, byte[] Value, long Lease);

internal sealed record EtcdDelete(byte[] Key);

/// <summary>One of both.</summary>
internal sealed record EtcdOperation(EtcdPut? RequestPut, EtcdDelete? RequestDeleteRange);

internal sealed record EtcdTransaction(EtcdCompare[] Compare, EtcdOperation[] Success);

internal sealed record EtcdTransactionAnswer
{
    public EtcdHeader? Header { get; init; }

    public bool Succeeded { get; init; }
}

/// <summary>What is asked and what is answered about a lease; seconds.</summary>
internal sealed record EtcdLease
{
    [JsonPropertyName("ID")]
    public long Id { get; init; }

    [JsonPropertyName("TTL")]
    public long TimeToLive { get; init; }
}

internal sealed record EtcdUser(string Name, string Password);

internal sealed record EtcdToken
{
    public string? Token { get; init; }
}

internal sealed record EtcdWatchRequest(EtcdWatchCreation CreateRequest);

/// <summary>Large answers come in fragments, so that no line is much longer than one transaction.</summary>
internal sealed record EtcdWatchCreation(byte[] Key, byte[] RangeEnd, long StartRevision, bool Fragment = true);

internal sealed record EtcdWatchAnswer
{
    public EtcdHeader? Header { get; init; }

    public bool Created { get; init; }

    public bool Canceled { get; init; }

    public string? CancelReason { get; init; }

    /// <summary>When above 0, the changes before this revision are gone.</summary>
    public long CompactRevision { get; init; }

    /// <summary>More of the same answer follows.</summary>
    public bool Fragment { get; init; }

    public EtcdEvent[]? Events { get; init; }
}

internal sealed record EtcdEvent
{
    /// <summary>PUT when left out, or DELETE.</summary>
    public string? Type { get; init; }

    public EtcdKeyValue? Kv { get; init; }
}

/// <summary>A line of a stream: a result, or else an error (<see cref="EtcdError"/>).</summary>
internal sealed record EtcdLine<T>
{
    public T? Result { get; init; }
}

/// <summary>Reads and writes all of them.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    NumberHandling = JsonNumberHandling.AllowReadingFromString | JsonNumberHandling.WriteAsString,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(EtcdRange))]
[JsonSerializable(typeof(EtcdRangeAnswer))]
[JsonSerializable(typeof(EtcdTransaction))]
[JsonSerializable(typeof(EtcdTransactionAnswer))]
[JsonSerializable(typeof(EtcdLease))]
[JsonSerializable(typeof(EtcdLine<EtcdLease>))]
[JsonSerializable(typeof(EtcdUser))]
[JsonSerializable(typeof(EtcdToken))]
[JsonSerializable(typeof(EtcdWatchRequest))]
[JsonSerializable(typeof(EtcdLine<EtcdWatchAnswer>))]
internal sealed partial class EtcdJson : JsonSerializerContext;

/// <summary>Why etcd refused.</summary>
/// <param name="Code">gRPC's status code; 0 when it did not say one.</param>
/// <param name="Message">In etcd's words.</param>
internal readonly record struct EtcdError(int Code, string Message)
{
    public const int InvalidArgument = 3;
    public const int NotFound = 5;
    public const int Unauthenticated = 16;

    /// <summary>
    /// Reads an error: an object with <c>code</c> and <c>message</c>, or, in a stream, one with such an object in <c>error</c> (where the code may be
    /// called <c>grpc_code</c>).
    /// </summary>
    /// <returns>Null when it is nothing of the kind.</returns>
    public static EtcdError? Read(ReadOnlyMemory<byte> json)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            JsonElement error = document.RootElement;
            if (error.ValueKind == JsonValueKind.Object && error.TryGetProperty("error", out JsonElement inner)
                && inner.ValueKind == JsonValueKind.Object)
            {
                error = inner;
            }

            if (error.ValueKind != JsonValueKind.Object || !error.TryGetProperty("message", out JsonElement message)
                || message.ValueKind != JsonValueKind.String)
            {
                return null;
            }

            bool known = error.TryGetProperty("code", out JsonElement code) || error.TryGetProperty("grpc_code", out code);
            return new EtcdError(
                known && code.ValueKind == JsonValueKind.Number && code.TryGetInt32(out int number) ? number : 0, message.GetString()!);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
