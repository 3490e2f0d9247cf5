using System.Runtime.InteropServices;
using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;
using Cluster.Sampling.Decisions;

namespace Cluster.Sharding.Log;

/// <summary>
/// The resources and scopes that buffered spans stand under, each kept once for all shards of a worker loop, with the policy conditions
/// that its resource meets. A service sends the same resource with every request: kept with every frame, resources would take a quarter of
/// the memory again. Counted by references; used by one thread at a time.
/// </summary>
/// <remarks>
/// Invariants: a context is live exactly while its references are above zero; the chain of a bucket holds live contexts only, linked both
/// ways, since senders can make it as long as they like. The arrays stay as large as the most contexts that were ever live at once,
/// which the memory limits bound (<see cref="Bytes"/> counts them); there is one table a worker loop.
/// </remarks>
internal sealed unsafe class ContextTable(PolicyProgram program) : IDisposable
{
    /// <summary>
    /// Contexts looked at under one hash before a new one is made without looking further: senders can choose their bytes, and so the hash.
    /// </summary>
    private const int MaxProbes = 8;

    private readonly int _words = program.Set.ConditionWords;

    /// <summary>
    /// Bytes of a context besides its own: entry, bucket and conditions, in arrays that may be half empty, and the allocation's header.
    /// </summary>
    private readonly int _overhead = 2 * (sizeof(Context) + sizeof(int) + program.Set.ConditionWords * sizeof(ulong)) + 2 * sizeof(nint);

    private Context[] _contexts = new Context[256];
    private ulong[] _conditions = new ulong[256 * program.Set.ConditionWords];
    private int[] _buckets = NewBuckets(256);
    private int _count;
    private int _firstFree = -1;

    /// <summary>Contexts in use.</summary>
    public int Live { get; private set; }

    /// <summary>Bytes in use, by the contexts' own bytes and by the table for them.</summary>
    public long Bytes { get; private set; }

    /// <summary>Finds a context or makes it, and holds it once for the caller.</summary>
    /// <param name="bytes">Resource fields, then scope fields.</param>
    /// <param name="resourceLength">How many bytes are the resource's.</param>
    /// <param name="hash">The sender's hash of the bytes.</param>
    public int Acquire(ReadOnlySpan<byte> bytes, int resourceLength, uint hash)
    {
        int probes = 0;
        for (int i = _buckets[hash & (uint)(_buckets.Length - 1)]; i >= 0 && probes < MaxProbes; i = _contexts[i].Next, probes++)
        {
            ref Context candidate = ref _contexts[i];
            if (candidate.Hash == hash
                && candidate.ResourceLength == resourceLength
                && bytes.SequenceEqual(new ReadOnlySpan<byte>(candidate.Memory, candidate.Length)))
            {
                candidate.References++;
                return i;
            }
        }

        return Add(bytes, resourceLength, hash);
    }

    /// <summary>One more slice under the context.</summary>
    public void Retain(int context) => _contexts[context].References++;

    /// <summary>One slice less; the last forgets the context.</summary>
    public void Release(int context)
    {
        ref Context c = ref _contexts[context];
        if (--c.References > 0)
        {
            return;
        }

        if (c.Previous >= 0)
        {
            _contexts[c.Previous].Next = c.Next;
        }
        else
        {
            _buckets[c.Hash & (uint)(_buckets.Length - 1)] = c.Next;
        }

        if (c.Next >= 0)
        {
            _contexts[c.Next].Previous = c.Previous;
        }

        NativeMemory.Free(c.Memory);
        Bytes -= c.Length + _overhead;
        Live--;
        c = new Context { Next = _firstFree };
        _firstFree = context;
    }

    /// <summary>Conditions that the context's resource meets.</summary>
    public ReadOnlySpan<ulong> Conditions(int context) => _conditions.AsSpan(context * _words, _words);

    /// <summary>The fields of ResourceSpans but scope_spans.</summary>
    public ReadOnlySpan<byte> ResourceFields(int context) => new(_contexts[context].Memory, _contexts[context].ResourceLength);

    /// <summary>The fields of ScopeSpans but spans.</summary>
    public ReadOnlySpan<byte> ScopeFields(int context) =>
        new(_contexts[context].Memory + _contexts[context].ResourceLength, _contexts[context].Length - _contexts[context].ResourceLength);

    /// <summary>Frees every context, in use or not.</summary>
    public void Dispose()
    {
        for (int i = 0; i < _count; i++)
        {
            if (_contexts[i].References > 0)
            {
                NativeMemory.Free(_contexts[i].Memory);
                _contexts[i] = default;
            }
        }

        _count = 0;
        _firstFree = -1;
        Bytes = 0;
        Live = 0;
        Array.Fill(_buckets, -1);
    }

    private int Add(ReadOnlySpan<byte> bytes, int resourceLength, uint hash)
    {
        if (_firstFree < 0 && _count == _contexts.Length)
        {
            Grow();
        }

        int index = _firstFree;
        if (index >= 0)
        {
            _firstFree = _contexts[index].Next;
        }
        else
        {
            index = _count++;
        }

        byte* memory = (byte*)NativeMemory.Alloc((nuint)Math.Max(bytes.Length, 1));
        bytes.CopyTo(new Span<byte>(memory, bytes.Length));
        _contexts[index] = new Context
        {
            Memory = memory,
            Length = bytes.Length,
            ResourceLength = resourceLength,
            Hash = hash,
            References = 1,
        };
        Link(index);
        Bytes += bytes.Length + _overhead;
        Live++;

        Span<ulong> conditions = _conditions.AsSpan(index * _words, _words);
        conditions.Clear();
        WireReader reader = new(bytes[..resourceLength]);
        while (reader.TryReadTag(out uint tag))
        {
            if (tag == ((OtlpFields.ResourceSpans.Resource << 3) | 2))
            {
                if (!reader.TryReadBytes(out ReadOnlySpan<byte> resource))
                {
                    break;
                }

                program.ScanResource(resource, conditions);
            }
            else if (!reader.TrySkip(tag))
            {
                break;
            }
        }

        return index;
    }

    private void Grow()
    {
        Array.Resize(ref _contexts, _contexts.Length * 2);
        Array.Resize(ref _conditions, _contexts.Length * _words);
        _buckets = NewBuckets(_contexts.Length);
        for (int i = 0; i < _count; i++)
        {
            if (_contexts[i].References > 0)
            {
                Link(i);
            }
        }
    }

    private void Link(int context)
    {
        ref int bucket = ref _buckets[_contexts[context].Hash & (uint)(_buckets.Length - 1)];
        _contexts[context].Next = bucket;
        _contexts[context].Previous = -1;
        if (bucket >= 0)
        {
            _contexts[bucket].Previous = context;
        }

        bucket = context;
    }

    private static int[] NewBuckets(int count)
    {
        int[] buckets = new int[count];
        Array.Fill(buckets, -1);
        return buckets;
    }

    private struct Context
    {
        public byte* Memory;
        public int Length;
        public int ResourceLength;
        public uint Hash;
        public int References;

        /// <summary>Next in the bucket, or next free one; -1 for none.</summary>
        public int Next;

        /// <summary>The one before in the bucket; -1 for the first.</summary>
        public int Previous;
    }
}
