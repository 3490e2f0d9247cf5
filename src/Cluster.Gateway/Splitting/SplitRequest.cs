using Cluster.Messages.Identity;

namespace Cluster.Gateway.Splitting;

/// <summary>
/// What a splitter found in one request, as byte ranges of it: reused from request to request, so that splitting allocates nothing once
/// the arrays have grown to the largest request seen (and they are given up again after an unusually large one). Not thread-safe.
/// </summary>
/// <param name="hasher">Keys the table of traces, since clients choose their IDs.</param>
internal sealed class SplitRequest(TraceIdHasher hasher)
{
    /// <summary>Arrays longer than this are given up after use.</summary>
    private const int KeptEntries = 64 * 1024;

    /// <summary>More context bytes than this are given up after use.</summary>
    private const int KeptContextBytes = 256 * 1024;

    private byte[] _contextBytes = new byte[4096];
    private int[] _buckets = new int[1024];

    /// <summary>The request; whoever splits it keeps it until <see cref="Clear"/>.</summary>
    public ReadOnlyMemory<byte> Body { get; set; }

    /// <summary>What frames are written from.</summary>
    public ShardChains Chains { get; } = new();

    /// <summary>Valid spans, in order of arrival.</summary>
    public SpanRange[] Spans = new SpanRange[1024];

    /// <summary>Spans of one trace under one context.</summary>
    public SpanGroup[] Groups = new SpanGroup[256];

    /// <summary>Pairs of resource and scope.</summary>
    public ContextRange[] Contexts = new ContextRange[16];

    /// <summary>Entries of <see cref="Spans"/> in use.</summary>
    public int SpanCount { get; private set; }

    /// <summary>Entries of <see cref="Groups"/> in use.</summary>
    public int GroupCount { get; private set; }

    /// <summary>Entries of <see cref="Contexts"/> in use.</summary>
    public int ContextCount { get; private set; }

    /// <summary>Spans with an invalid ID.</summary>
    public int RejectedSpans { get; set; }

    /// <summary>Bytes that <see cref="ContextRange"/> points into.</summary>
    public ReadOnlySpan<byte> ContextBytes => _contextBytes;

    /// <summary>Where the next context byte goes.</summary>
    public int ContextLength { get; private set; }

    /// <summary>Forgets the last request.</summary>
    public void Clear()
    {
        if (Spans.Length > KeptEntries || _buckets.Length > 2 * KeptEntries || _contextBytes.Length > KeptContextBytes)
        {
            Spans = new SpanRange[1024];
            Groups = new SpanGroup[256];
            Contexts = new ContextRange[16];
            _contextBytes = new byte[4096];
            _buckets = new int[1024];
        }
        else
        {
            Array.Clear(_buckets);
        }

        SpanCount = GroupCount = ContextCount = RejectedSpans = ContextLength = 0;
        Body = default;
    }

    /// <summary>Keeps a field of a resource or scope; returns where it now is.</summary>
    public int AddContextBytes(ReadOnlySpan<byte> field)
    {
        int start = ContextLength;
        if (_contextBytes.Length - start < field.Length)
        {
            Array.Resize(ref _contextBytes, Math.Max(_contextBytes.Length * 2, start + field.Length));
        }

        field.CopyTo(_contextBytes.AsSpan(start));
        ContextLength = start + field.Length;
        return start;
    }

    /// <summary>Begins a context whose bytes are not known yet.</summary>
    public int AddContext()
    {
        if (ContextCount == Contexts.Length)
        {
            Array.Resize(ref Contexts, ContextCount * 2);
        }

        Contexts[ContextCount] = default;
        return ContextCount++;
    }

    /// <summary>Takes the context that was begun last back, with what was kept for it: no span stands under it.</summary>
    public void RemoveLastContext(int contextLength)
    {
        ContextCount--;
        ContextLength = contextLength;
    }

    /// <summary>Adds a span to the group of its trace under its context.</summary>
    public void AddSpan(TraceId traceId, int context, int offset, int length)
    {
        if (SpanCount == Spans.Length)
        {
            Array.Resize(ref Spans, SpanCount * 2);
        }

        int group = FindOrAddGroup(traceId, context);
        int span = SpanCount++;
        Spans[span] = new SpanRange { Offset = offset, Length = length, Next = -1 };
        ref SpanGroup g = ref Groups[group];
        if (g.SpanCount == 0)
        {
            g.First = span;
        }
        else
        {
            Spans[g.Last].Next = span;
        }

        g.Last = span;
        g.SpanCount++;
        g.Length += 1 + length;
    }

    private int FindOrAddGroup(TraceId traceId, int context)
    {
        uint hash = hasher.Hash(traceId) + (uint)context * 0x9E3779B1u;
        int mask = _buckets.Length - 1;
        int slot = (int)hash & mask;
        while (_buckets[slot] != 0)
        {
            int candidate = _buckets[slot] - 1;
            ref SpanGroup g = ref Groups[candidate];
            if (g.TraceId == traceId && g.Context == context)
            {
                return candidate;
            }

            slot = (slot + 1) & mask;
        }

        if (GroupCount * 2 >= _buckets.Length)
        {
            Rehash();
            return FindOrAddGroup(traceId, context);
        }

        if (GroupCount == Groups.Length)
        {
            Array.Resize(ref Groups, GroupCount * 2);
        }

        Groups[GroupCount] = new SpanGroup { TraceId = traceId, Hash = hash, Context = context };
        _buckets[slot] = GroupCount + 1;
        return GroupCount++;
    }

    private void Rehash()
    {
        _buckets = new int[_buckets.Length * 4];
        int mask = _buckets.Length - 1;
        for (int i = 0; i < GroupCount; i++)
        {
            int slot = (int)Groups[i].Hash & mask;
            while (_buckets[slot] != 0)
            {
                slot = (slot + 1) & mask;
            }

            _buckets[slot] = i + 1;
        }
    }
}

/// <summary>A span in the request: its length and its bytes. Its tag, which may have been written longer than it need be, is left out.</summary>
internal struct SpanRange
{
    public int Offset;
    public int Length;

    /// <summary>Next span of the same group; -1 at the last.</summary>
    public int Next;
}

/// <summary>Spans of one trace under one context.</summary>
internal struct SpanGroup
{
    public TraceId TraceId;
    public uint Hash;
    public int Context;
    public int First;
    public int Last;
    public int SpanCount;

    /// <summary>Bytes of the spans in a frame, each with a tag of one byte.</summary>
    public int Length;
}

/// <summary>A resource and a scope, as ranges of <see cref="SplitRequest.ContextBytes"/>.</summary>
internal struct ContextRange
{
    public int ResourceOffset;
    public int ResourceLength;
    public int ScopeOffset;
    public int ScopeLength;
    public uint Hash;
}
