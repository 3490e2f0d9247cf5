using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using Cluster.Messages.Frames;
using Cluster.Messages.Identity;
using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;

namespace Cluster.Gateway.Splitting;

/// <summary>
/// Walks an <c>ExportTraceServiceRequest</c> once and finds, as byte ranges, which spans belong to which trace and under which resource and
/// scope they stand. No span object is ever built. The walk goes to the bottom of every span (attributes, events, links), because a
/// span that a back end could not read would take the whole request it is exported in along with it:
/// malformed bytes refuse the request with the offset; an ID of a wrong length or of zeros rejects that span alone.
/// UTF-8 is not checked. Holds no state of its own; thread-safe with one <see cref="SplitRequest"/> a thread.
/// </summary>
internal static class TraceSplitter
{
    /// <summary>Attribute values nested deeper than this are refused (<see cref="WireError.TooDeep"/>).</summary>
    public const int MaxValueDepth = 32;

    /// <summary>Splits <paramref name="body"/> into <paramref name="request"/>, which is cleared first.</summary>
    /// <param name="body">The whole message; <paramref name="request"/> refers to it.</param>
    /// <param name="request">Receives what was found.</param>
    /// <param name="offset">Where the message is wrong.</param>
    /// <returns><see cref="WireError.None"/>, or why the message as a whole is malformed.</returns>
    public static WireError Split(ReadOnlyMemory<byte> body, SplitRequest request, out int offset)
    {
        request.Clear();
        request.Body = body;
        RequestWalk walk = new(body.Span);
        bool ok = true;
        while (ok && walk.Position < body.Length)
        {
            ok = walk.Tag(body.Length, out uint tag)
                && (tag == Tags.ResourceSpans
                    ? walk.Length(body.Length, out int end) && ResourceSpans(ref walk, end, request)
                    : walk.SkipUnknown(tag, OtlpFields.ExportTraceServiceRequest.ResourceSpans, body.Length));
        }

        offset = walk.Position;
        return walk.Error;
    }

    private static bool ResourceSpans(ref RequestWalk walk, int end, SplitRequest request)
    {
        int firstContext = request.ContextCount;
        int resourceOffset = request.ContextLength;
        int start = walk.Position;

        // The fields around the scopes first: a context is complete only with the ones that come after them.
        bool hasScopes = false;
        while (walk.Position < end)
        {
            int field = walk.Position;
            if (!walk.Tag(end, out uint tag))
            {
                return false;
            }

            bool ok;
            switch (tag)
            {
                case Tags.ScopeSpans:
                    hasScopes = true;
                    ok = walk.Length(end, out int next);
                    walk.Position = next;
                    break;
                case Tags.Resource:
                    ok = walk.Length(end, out int resourceEnd) && Resource(ref walk, resourceEnd);
                    break;
                case Tags.SchemaUrl:
                    ok = walk.SkipBytes(end);
                    break;
                default:
                    ok = walk.SkipUnknown(tag, OtlpFields.ResourceSpans.SchemaUrl, end);
                    break;
            }

            if (!ok)
            {
                return false;
            }

            if (tag != Tags.ScopeSpans)
            {
                request.AddContextBytes(walk.Bytes[field..walk.Position]);
            }
        }

        if (!hasScopes)
        {
            return true;
        }

        int resourceLength = request.ContextLength - resourceOffset;
        walk.Position = start;
        while (walk.Position < end)
        {
            walk.Tag(end, out uint tag);
            if (tag != Tags.ScopeSpans)
            {
                walk.Skip(tag, end);
                continue;
            }

            if (!walk.Length(end, out int scopeEnd) || !ScopeSpans(ref walk, scopeEnd, request))
            {
                return false;
            }
        }

        // The resource is hashed once however many scopes there are: a client chooses both numbers.
        ulong resourceHash = ContextHash((ulong)resourceLength, request.ContextBytes.Slice(resourceOffset, resourceLength));
        for (int i = firstContext; i < request.ContextCount; i++)
        {
            ref ContextRange context = ref request.Contexts[i];
            context.ResourceOffset = resourceOffset;
            context.ResourceLength = resourceLength;
            ReadOnlySpan<byte> scope = request.ContextBytes.Slice(context.ScopeOffset, context.ScopeLength);
            ulong hash = ContextHash(resourceHash ^ (uint)scope.Length, scope);
            context.Hash = (uint)(hash ^ hash >> 32);
        }

        return true;
    }

    private static bool ScopeSpans(ref RequestWalk walk, int end, SplitRequest request)
    {
        int context = request.AddContext();
        int scopeOffset = request.ContextLength;
        int firstSpan = request.SpanCount;
        while (walk.Position < end)
        {
            int field = walk.Position;
            if (!walk.Tag(end, out uint tag))
            {
                return false;
            }

            if (tag == FrameFormat.SpanTag)
            {
                int length = walk.Position;
                if (!walk.Length(end, out int spanEnd) || !Span(ref walk, spanEnd, out TraceId traceId, out bool isValid))
                {
                    return false;
                }

                if (isValid)
                {
                    request.AddSpan(traceId, context, length, spanEnd - length);
                }
                else
                {
                    request.RejectedSpans++;
                }

                continue;
            }

            bool ok = tag switch
            {
                Tags.Scope => walk.Length(end, out int scopeEnd) && Scope(ref walk, scopeEnd),
                Tags.SchemaUrl => walk.SkipBytes(end),
                _ => walk.SkipUnknown(tag, OtlpFields.ScopeSpans.SchemaUrl, end),
            };
            if (!ok)
            {
                return false;
            }

            request.AddContextBytes(walk.Bytes[field..walk.Position]);
        }

        if (request.SpanCount == firstSpan)
        {
            request.RemoveLastContext(scopeOffset);
            return true;
        }

        request.Contexts[context].ScopeOffset = scopeOffset;
        request.Contexts[context].ScopeLength = request.ContextLength - scopeOffset;
        return true;
    }

    private static bool Scope(ref RequestWalk walk, int end)
    {
        while (walk.Position < end)
        {
            if (!walk.Tag(end, out uint tag))
            {
                return false;
            }

            bool ok = tag switch
            {
                (OtlpFields.InstrumentationScope.Name << 3) | 2 or (OtlpFields.InstrumentationScope.Version << 3) | 2 => walk.SkipBytes(end),
                (OtlpFields.InstrumentationScope.Attributes << 3) | 2 => walk.Length(end, out int limit) && KeyValue(ref walk, limit, 0),
                OtlpFields.InstrumentationScope.DroppedAttributesCount << 3 => walk.Varint(end, out _),
                _ => walk.SkipUnknown(tag, OtlpFields.InstrumentationScope.DroppedAttributesCount, end),
            };
            if (!ok)
            {
                return false;
            }
        }

        return true;
    }

    private static bool Span(ref RequestWalk walk, int end, out TraceId traceId, out bool isValid)
    {
        traceId = default;
        bool hasSpanId = false;
        bool goodIds = true;
        isValid = false;
        while (true)
        {
            SkipPlainFields(ref walk, end, ref traceId, ref hasSpanId);
            if (walk.Position == end)
            {
                break;
            }

            if (!walk.Tag(end, out uint tag))
            {
                return false;
            }

            bool ok;
            switch (tag)
            {
                case (OtlpFields.Span.TraceId << 3) | 2:
                    ok = walk.Length(end, out int next);
                    traceId = ok && next - walk.Position == TraceId.Size ? TraceId.Read(walk.Bytes[walk.Position..]) : default;
                    walk.Position = ok ? next : walk.Position;
                    break;
                case (OtlpFields.Span.SpanId << 3) | 2:
                    ok = walk.Length(end, out next);
                    hasSpanId = ok && next - walk.Position == SpanId.Size && SpanId.Read(walk.Bytes[walk.Position..]).IsValid;
                    walk.Position = ok ? next : walk.Position;
                    break;
                case (OtlpFields.Span.ParentSpanId << 3) | 2:
                    ok = walk.Length(end, out next);
                    goodIds &= ok && (next - walk.Position) is 0 or SpanId.Size;
                    walk.Position = ok ? next : walk.Position;
                    break;
                case (OtlpFields.Span.Attributes << 3) | 2:
                    ok = walk.Length(end, out next) && KeyValue(ref walk, next, 0);
                    break;
                case (OtlpFields.Span.TraceState << 3) | 2 or (OtlpFields.Span.Name << 3) | 2:
                    ok = walk.SkipBytes(end);
                    break;
                case (OtlpFields.Span.StartTimeUnixNano << 3) | 1 or (OtlpFields.Span.EndTimeUnixNano << 3) | 1:
                    ok = walk.Fixed(sizeof(ulong), end);
                    break;
                case OtlpFields.Span.Kind << 3
                    or OtlpFields.Span.DroppedAttributesCount << 3
                    or OtlpFields.Span.DroppedEventsCount << 3
                    or OtlpFields.Span.DroppedLinksCount << 3:
                    ok = walk.Varint(end, out _);
                    break;
                case (OtlpFields.Span.Events << 3) | 2:
                    ok = walk.Length(end, out next) && Event(ref walk, next);
                    break;
                case (OtlpFields.Span.Links << 3) | 2:
                    ok = walk.Length(end, out next) && Link(ref walk, next, ref goodIds);
                    break;
                case (OtlpFields.Span.Status << 3) | 2:
                    ok = walk.Length(end, out next) && Status(ref walk, next);
                    break;
                case (OtlpFields.Span.Flags << 3) | 5:
                    ok = walk.Fixed(sizeof(uint), end);
                    break;
                default:
                    ok = walk.SkipUnknown(tag, OtlpFields.Span.Flags, end);
                    break;
            }

            if (!ok)
            {
                return false;
            }
        }

        isValid = goodIds && hasSpanId && traceId.IsValid;
        return true;
    }

    /// <summary>
    /// The fields of a span as every SDK writes them, tag and length in a byte each: passes over as many as there are. Whatever is
    /// longer, rarer or wrong is left to the walk field by field. Attributes are most of a span, and so of what splitting costs.
    /// </summary>
    private static void SkipPlainFields(ref RequestWalk walk, int end, ref TraceId traceId, ref bool hasSpanId)
    {
        ReadOnlySpan<byte> bytes = walk.Bytes[..end];
        int position = walk.Position;
        while (position + 1 < bytes.Length)
        {
            int length = bytes[position + 1];
            int next = position + 2 + length;
            switch ((uint)bytes[position])
            {
                case (OtlpFields.Span.Attributes << 3) | 2
                    when length < 0x80 && next <= bytes.Length && IsPlainAttribute(bytes.Slice(position + 2, length)):
                case (OtlpFields.Span.Name << 3) | 2 when length < 0x80 && next <= bytes.Length:
                case (OtlpFields.Span.ParentSpanId << 3) | 2 when length == SpanId.Size && next <= bytes.Length:
                    position = next;
                    continue;
                case (OtlpFields.Span.TraceId << 3) | 2 when length == TraceId.Size && next <= bytes.Length:
                    traceId = TraceId.Read(bytes[(position + 2)..]);
                    position = next;
                    continue;
                case (OtlpFields.Span.SpanId << 3) | 2 when length == SpanId.Size && next <= bytes.Length:
                    hasSpanId = SpanId.Read(bytes[(position + 2)..]).IsValid;
                    position = next;
                    continue;
                case (OtlpFields.Span.StartTimeUnixNano << 3) | 1 or (OtlpFields.Span.EndTimeUnixNano << 3) | 1
                    when position + 1 + sizeof(ulong) <= bytes.Length:
                    position += 1 + sizeof(ulong);
                    continue;
                case OtlpFields.Span.Kind << 3 when length < 0x80:
                    position += 2;
                    continue;
            }

            break;
        }

        walk.Position = position;
    }

    /// <summary>Whether this is a key of less than 128 bytes and after it one value, of a simple kind, that fills the rest.</summary>
    private static bool IsPlainAttribute(ReadOnlySpan<byte> keyValue)
    {
        if (keyValue.Length < 4 || keyValue[0] != ((OtlpFields.KeyValue.Key << 3) | 2))
        {
            return false;
        }

        int value = 2 + keyValue[1];
        if (value + 4 > keyValue.Length
            || keyValue[value] != ((OtlpFields.KeyValue.Value << 3) | 2)
            || keyValue[value + 1] != keyValue.Length - value - 2)
        {
            return false;
        }

        ReadOnlySpan<byte> anyValue = keyValue[(value + 2)..];
        return anyValue[0] switch
        {
            (OtlpFields.AnyValue.StringValue << 3) | 2 => anyValue[1] == anyValue.Length - 2,
            (OtlpFields.AnyValue.IntValue << 3) | 0 or (OtlpFields.AnyValue.BoolValue << 3) | 0 => anyValue.Length == 2
                ? anyValue[1] < 0x80
                : anyValue.Length == 3 && anyValue[1] >= 0x80 && anyValue[2] < 0x80,
            (OtlpFields.AnyValue.DoubleValue << 3) | 1 => anyValue.Length == 1 + sizeof(double),
            _ => false,
        };
    }

    private static bool Event(ref RequestWalk walk, int end)
    {
        while (walk.Position < end)
        {
            if (!walk.Tag(end, out uint tag))
            {
                return false;
            }

            bool ok = tag switch
            {
                (OtlpFields.Event.TimeUnixNano << 3) | 1 => walk.Fixed(sizeof(ulong), end),
                (OtlpFields.Event.Name << 3) | 2 => walk.SkipBytes(end),
                (OtlpFields.Event.Attributes << 3) | 2 => walk.Length(end, out int next) && KeyValue(ref walk, next, 0),
                OtlpFields.Event.DroppedAttributesCount << 3 => walk.Varint(end, out _),
                _ => walk.SkipUnknown(tag, OtlpFields.Event.DroppedAttributesCount, end),
            };
            if (!ok)
            {
                return false;
            }
        }

        return true;
    }

    private static bool Link(ref RequestWalk walk, int end, ref bool goodIds)
    {
        while (walk.Position < end)
        {
            if (!walk.Tag(end, out uint tag))
            {
                return false;
            }

            bool ok;
            switch (tag)
            {
                case (OtlpFields.Link.TraceId << 3) | 2:
                    ok = walk.Length(end, out int next);
                    goodIds &= ok && (next - walk.Position) is 0 or TraceId.Size;
                    walk.Position = ok ? next : walk.Position;
                    break;
                case (OtlpFields.Link.SpanId << 3) | 2:
                    ok = walk.Length(end, out next);
                    goodIds &= ok && (next - walk.Position) is 0 or SpanId.Size;
                    walk.Position = ok ? next : walk.Position;
                    break;
                case (OtlpFields.Link.TraceState << 3) | 2:
                    ok = walk.SkipBytes(end);
                    break;
                case (OtlpFields.Link.Attributes << 3) | 2:
                    ok = walk.Length(end, out next) && KeyValue(ref walk, next, 0);
                    break;
                case OtlpFields.Link.DroppedAttributesCount << 3:
                    ok = walk.Varint(end, out _);
                    break;
                case (OtlpFields.Link.Flags << 3) | 5:
                    ok = walk.Fixed(sizeof(uint), end);
                    break;
                default:
                    ok = walk.SkipUnknown(tag, OtlpFields.Link.Flags, end);
                    break;
            }

            if (!ok)
            {
                return false;
            }
        }

        return true;
    }

    private static bool Status(ref RequestWalk walk, int end)
    {
        while (walk.Position < end)
        {
            if (!walk.Tag(end, out uint tag))
            {
                return false;
            }

            bool ok = tag switch
            {
                (OtlpFields.Status.Message << 3) | 2 => walk.SkipBytes(end),
                OtlpFields.Status.Code << 3 => walk.Varint(end, out _),
                _ => walk.SkipUnknown(tag, OtlpFields.Status.Code, end),
            };
            if (!ok)
            {
                return false;
            }
        }

        return true;
    }

    private static bool Resource(ref RequestWalk walk, int end)
    {
        while (walk.Position < end)
        {
            if (!walk.Tag(end, out uint tag))
            {
                return false;
            }

            bool ok = tag switch
            {
                (OtlpFields.Resource.Attributes << 3) | 2 => walk.Length(end, out int next) && KeyValue(ref walk, next, 0),
                OtlpFields.Resource.DroppedAttributesCount << 3 => walk.Varint(end, out _),
                (OtlpFields.Resource.EntityRefs << 3) | 2 => walk.SkipBytes(end),
                _ => walk.SkipUnknown(tag, OtlpFields.Resource.EntityRefs, end),
            };
            if (!ok)
            {
                return false;
            }
        }

        return true;
    }

    private static bool KeyValue(ref RequestWalk walk, int end, int depth)
    {
        while (walk.Position < end)
        {
            if (!walk.Tag(end, out uint tag))
            {
                return false;
            }

            bool ok = tag switch
            {
                (OtlpFields.KeyValue.Key << 3) | 2 => walk.SkipBytes(end),
                (OtlpFields.KeyValue.Value << 3) | 2 => walk.Length(end, out int next) && Value(ref walk, next, depth),
                _ => walk.SkipUnknown(tag, OtlpFields.KeyValue.Value, end),
            };
            if (!ok)
            {
                return false;
            }
        }

        return true;
    }

    private static bool Value(ref RequestWalk walk, int end, int depth)
    {
        if (depth == MaxValueDepth)
        {
            return walk.Fail(WireError.TooDeep, walk.Position);
        }

        while (walk.Position < end)
        {
            if (!walk.Tag(end, out uint tag))
            {
                return false;
            }

            bool ok = tag switch
            {
                (OtlpFields.AnyValue.StringValue << 3) | 2 or (OtlpFields.AnyValue.BytesValue << 3) | 2 => walk.SkipBytes(end),
                OtlpFields.AnyValue.IntValue << 3 or OtlpFields.AnyValue.BoolValue << 3 => walk.Varint(end, out _),
                (OtlpFields.AnyValue.DoubleValue << 3) | 1 => walk.Fixed(sizeof(ulong), end),
                (OtlpFields.AnyValue.ArrayValue << 3) | 2 => walk.Length(end, out int next) && List(ref walk, next, depth, false),
                (OtlpFields.AnyValue.KeyValueListValue << 3) | 2 => walk.Length(end, out int next) && List(ref walk, next, depth, true),
                _ => walk.SkipUnknown(tag, OtlpFields.AnyValue.BytesValue, end),
            };
            if (!ok)
            {
                return false;
            }
        }

        return true;
    }

    private static bool List(ref RequestWalk walk, int end, int depth, bool ofKeyValues)
    {
        while (walk.Position < end)
        {
            if (!walk.Tag(end, out uint tag))
            {
                return false;
            }

            bool ok = tag == ((OtlpFields.AnyValue.Values << 3) | 2)
                ? walk.Length(end, out int next) && (ofKeyValues ? KeyValue(ref walk, next, depth + 1) : Value(ref walk, next, depth + 1))
                : walk.SkipUnknown(tag, OtlpFields.AnyValue.Values, end);
            if (!ok)
            {
                return false;
            }
        }

        return true;
    }

    private static ulong ContextHash(ulong hash, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length >= sizeof(ulong))
        {
            hash = (BitOperations.RotateLeft(hash, 23) ^ BinaryPrimitives.ReadUInt64LittleEndian(bytes)) * 0x9E3779B97F4A7C15UL;
            bytes = bytes[sizeof(ulong)..];
        }

        foreach (byte b in bytes)
        {
            hash = (BitOperations.RotateLeft(hash, 23) ^ b) * 0x9E3779B97F4A7C15UL;
        }

        return hash;
    }

    private static class Tags
    {
        public const uint ResourceSpans = (OtlpFields.ExportTraceServiceRequest.ResourceSpans << 3) | 2;
        public const uint Resource = (OtlpFields.ResourceSpans.Resource << 3) | 2;
        public const uint ScopeSpans = (OtlpFields.ResourceSpans.ScopeSpans << 3) | 2;
        public const uint Scope = (OtlpFields.ScopeSpans.Scope << 3) | 2;
        public const uint SchemaUrl = (OtlpFields.ScopeSpans.SchemaUrl << 3) | 2;
    }
}
