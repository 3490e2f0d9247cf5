using Cluster.Messages.Frames;
using Cluster.Sharding.Log;
using Cluster.Sharding.Replication;
using Cluster.Sharding.Shards;
using Cluster.Sharding.Traces;
using Cluster.Simulation.Load;

namespace Cluster.Simulation.Checks;

/// <summary>Looks into the memory of a node.</summary>
internal static class HostProbe
{
    /// <summary>
    /// Whether each span of a frame is in the log of its shard, in this or another frame, or its trace is decided, so that it need not be there any
    /// more.
    /// </summary>
    /// <param name="host">Whose memory.</param>
    /// <param name="frame">The frame.</param>
    /// <param name="find">Finds a frame by sender and sequence.</param>
    public static bool Holds(ShardHostCore host, FrameNote frame, Func<ulong, ulong, FrameNote> find)
    {
        (ShardLog? log, DecisionCache? decisions) =
            host.Primary(frame.Shard) is { } primary ? (primary.Core.Log, primary.Core.Remembered)
            : host.Copy(frame.Shard) is { } copy ? (copy.Log, copy.Decisions)
            : default;
        if (log is null)
        {
            return false;
        }

        HashSet<SpanTruth> missing = [.. frame.Spans.Where(span => decisions!.Find(span.Trace.Id) == 0)];
        for (int entry = missing.Count == 0 ? -1 : log.FindFrom(0); entry >= 0;)
        {
            LogPlace place = log.Place(entry);
            if (place.Kind == LogEntryKind.Frame && FrameReader.TryOpen(log.Bytes(entry), out FrameReader found))
            {
                missing.ExceptWith(find(found.Header.Sender, found.Header.Sequence).Spans);
            }

            entry = log.FindFrom(place.Index + 1);
        }

        return missing.Count == 0;
    }

    /// <summary>Log entries that are still needed, in all shards.</summary>
    public static int LogEntries(ShardHostCore host, int shards)
    {
        int entries = 0;
        for (int shard = 0; shard < shards; shard++)
        {
            entries += host.Primary(shard)?.Core.Log.LiveEntries ?? 0;
            entries += host.Copy(shard)?.Log.LiveEntries ?? 0;
        }

        return entries;
    }
}
