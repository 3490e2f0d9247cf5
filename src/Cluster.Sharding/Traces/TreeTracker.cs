using Cluster.Messages.Identity;
using Cluster.Sampling.Decisions;

namespace Cluster.Sharding.Traces;

/// <summary>
/// Knows which traces have their whole tree: every span's parent was received. Only there when <c>completion.settle</c> is on, since it costs
/// two more sets a trace. Used by one thread at a time.
/// </summary>
/// <remarks>Invariant: of a pending trace, an ID is missing exactly while it was named as a parent and its span was not received.</remarks>
internal sealed class TreeTracker(SpanIdSets sets, TraceIdHasher hasher)
{
    private SpanIdSet[] _received = new SpanIdSet[64];
    private SpanIdSet[] _missing = new SpanIdSet[64];

    /// <summary>A span was received, for the first time.</summary>
    public void Receive(int trace, in SpanFacts span)
    {
        MakeRoom(trace);
        ulong id = Hash(span.SpanId);
        sets.Add(ref _received[trace], id);
        SpanIdSets.Remove(ref _missing[trace], id);
        if (span.ParentSpanId != 0)
        {
            ulong parent = Hash(span.ParentSpanId);
            if (!SpanIdSets.Contains(_received[trace], parent))
            {
                sets.Add(ref _missing[trace], parent);
            }
        }
    }

    /// <summary>Whether no parent is missing.</summary>
    public bool IsClosed(int trace) => trace < _missing.Length && _missing[trace].Count == 0;

    /// <summary>The trace was decided.</summary>
    public void Forget(int trace)
    {
        if (trace < _received.Length)
        {
            sets.Free(ref _received[trace]);
            sets.Free(ref _missing[trace]);
        }
    }

    /// <summary>Takes a trace over from a tracker that is given up, under the number it now has.</summary>
    public void Adopt(TreeTracker other, int from, int to)
    {
        if (from < other._received.Length)
        {
            MakeRoom(to);
            (_received[to], _missing[to]) = (other._received[from], other._missing[from]);
            (other._received[from], other._missing[from]) = (default, default);
        }
    }

    private void MakeRoom(int trace)
    {
        if (trace >= _received.Length)
        {
            int length = Math.Max(_received.Length * 2, trace + 1);
            Array.Resize(ref _received, length);
            Array.Resize(ref _missing, length);
        }
    }

    private ulong Hash(ulong spanId) => Math.Max(hasher.Hash64(spanId, 0), 1);
}
