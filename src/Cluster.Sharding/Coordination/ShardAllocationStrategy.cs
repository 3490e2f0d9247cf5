using Cluster.Messages.Sharding;
using Cluster.Sharding.Membership;

namespace Cluster.Sharding.Coordination;

/// <summary>Where a shard should be.</summary>
/// <param name="Primary">Nobody when nobody can take it.</param>
/// <param name="Copies">On other members, in no order that matters.</param>
internal readonly record struct ShardTarget(MemberId Primary, IReadOnlyList<MemberId> Copies);

/// <summary>
/// Where all shards should be, given who is there and where they are: a pure function. What is right already stays; what is right everywhere
/// changes nothing.
/// </summary>
/// <remarks>
/// <list type="bullet">
/// <item>Primaries and copies are shared out by capacity, each member's share rounded up or down; the others are filled from what is too much.</item>
/// <item>A member that leaves, or holds no shards, gets nothing. If nobody else is there, everything stays.</item>
/// <item>A copy is never with its primary, nor two on one member; in another zone, where that is possible within the shares.</item>
/// <item>A primary that has to move goes to a member that has a copy already, if that one has room.</item>
/// <item>A stale copy is none here.</item>
/// </list>
/// </remarks>
internal static class ShardAllocationStrategy
{
    /// <summary>Computes where all shards should be.</summary>
    /// <param name="members">Everyone who is alive.</param>
    /// <param name="current">Where they are.</param>
    /// <param name="replicas">Copies wanted beside each primary; as many as there are other members to hold them, if those are fewer.</param>
    public static ShardTarget[] Compute(IReadOnlyList<Member> members, ShardAllocation current, int replicas)
    {
        Member[] hosts = [.. members
            .Where(member => member.HoldsShards && !member.Leaving)
            .OrderBy(member => member.Id.Node, StringComparer.Ordinal)];
        if (hosts.Length == 0)
        {
            return Stay(members, current);
        }

        double[] capacities = [.. hosts.Select(host => host.Capacity)];
        int[] zones = NumberZones(hosts);
        Dictionary<MemberId, int> places = [];
        for (int i = 0; i < hosts.Length; i++)
        {
            places.Add(hosts[i].Id, i);
        }

        int[] primaries = new int[current.ShardCount];
        int[][] copies = new int[current.ShardCount][];
        for (int i = 0; i < primaries.Length; i++)
        {
            primaries[i] = places.GetValueOrDefault(current[i].Primary, -1);
            copies[i] = [.. current[i].Replicas
                .Where(copy => !copy.IsStale && places.ContainsKey(copy.Member))
                .OrderByDescending(copy => copy.InSync)
                .Select(copy => places[copy.Member])];
        }

        PlacePrimaries(primaries, copies, capacities);
        int wanted = Math.Min(replicas, hosts.Length - 1);
        int[][] placed = PlaceCopies(primaries, copies, capacities, zones, wanted);
        ShardTarget[] targets = new ShardTarget[primaries.Length];
        for (int i = 0; i < targets.Length; i++)
        {
            targets[i] = new ShardTarget(hosts[primaries[i]].Id, [.. placed[i].Select(host => hosts[host].Id)]);
        }

        return targets;
    }

    /// <summary>
    /// Shares a number of things out by capacity, in whole numbers, none above its limit. Where rounding leaves a choice, whoever has more than its
    /// share already keeps it, as long as it is not a tenth too much.
    /// </summary>
    internal static int[] Share(int total, double[] capacities, int[] limits, int[] have)
    {
        int[] shares = new int[capacities.Length];
        bool[] full = new bool[capacities.Length];
        int rest = total;
        double capacity = capacities.Sum();
        for (bool again = true; again;)
        {
            again = false;
            for (int i = 0; i < shares.Length; i++)
            {
                if (!full[i] && rest * capacities[i] / capacity >= limits[i])
                {
                    full[i] = again = true;
                    shares[i] = limits[i];
                    rest -= limits[i];
                    capacity -= capacities[i];
                }
            }
        }

        int left = rest;
        double[] exact = new double[shares.Length];
        for (int i = 0; i < shares.Length; i++)
        {
            if (!full[i])
            {
                exact[i] = rest * capacities[i] / capacity;
                shares[i] = (int)(exact[i] + 1e-9);
                left -= shares[i];
            }
        }

        int[] order = [.. Enumerable.Range(0, shares.Length)
            .Where(i => !full[i])
            .OrderByDescending(i => have[i] > shares[i] && shares[i] + 1 <= 1.1 * exact[i])
            .ThenByDescending(i => Math.Round(exact[i] - shares[i], 6))
            .ThenByDescending(i => have[i] > shares[i])];
        for (int i = 0; i < order.Length && left > 0; i++, left--)
        {
            shares[order[i]]++;
        }

        return shares;
    }

    /// <summary>Places copies, again from what was found, until nothing is better: then the next time finds nothing to move either.</summary>
    private static int[][] PlaceCopies(int[] primaries, int[][] copies, double[] capacities, int[] zones, int wanted)
    {
        const int MostPasses = 8;
        for (int pass = 0; pass < MostPasses; pass++)
        {
            int[][] placed = new CopyPlacement(primaries, copies, capacities, zones, wanted).Place();
            if (ReferenceEquals(placed, copies))
            {
                break;
            }

            copies = placed;
        }

        return copies;
    }

    private static ShardTarget[] Stay(IReadOnlyList<Member> members, ShardAllocation current)
    {
        HashSet<MemberId> alive = [.. members.Select(member => member.Id)];
        ShardTarget[] targets = new ShardTarget[current.ShardCount];
        for (int i = 0; i < targets.Length; i++)
        {
            ShardAssignment shard = current[i];
            targets[i] = new ShardTarget(
                alive.Contains(shard.Primary) ? shard.Primary : default,
                [.. shard.Replicas.Where(copy => !copy.IsStale && alive.Contains(copy.Member)).Select(copy => copy.Member)]);
        }

        return targets;
    }

    /// <summary>Numbers the zones. A member without one is in a zone of its own.</summary>
    private static int[] NumberZones(Member[] hosts)
    {
        Dictionary<string, int> numbers = [];
        int[] zones = new int[hosts.Length];
        for (int i = 0; i < zones.Length; i++)
        {
            if (hosts[i].Zone.Length == 0)
            {
                zones[i] = -1 - i;
            }
            else if (!numbers.TryGetValue(hosts[i].Zone, out zones[i]))
            {
                zones[i] = numbers.Count;
                numbers.Add(hosts[i].Zone, zones[i]);
            }
        }

        return zones;
    }

    /// <summary>Gives every shard a primary: -1 and what is too much are moved, to a member that has a copy, if one of them has room.</summary>
    private static void PlacePrimaries(int[] primaries, int[][] copies, double[] capacities)
    {
        int[] load = new int[capacities.Length];
        foreach (int primary in primaries)
        {
            if (primary >= 0)
            {
                load[primary]++;
            }
        }

        int[] room = Share(primaries.Length, capacities, [.. capacities.Select(_ => primaries.Length)], load);
        for (int i = 0; i < room.Length; i++)
        {
            room[i] -= load[i];
        }

        // Room below 0 is what has to go.
        for (int i = 0; i < primaries.Length; i++)
        {
            int from = primaries[i];
            if ((from < 0 || room[from] < 0) && FirstWithRoom(copies[i]) is >= 0 and int to)
            {
                Move(i, to);
            }
        }

        for (int i = primaries.Length - 1; i >= 0; i--)
        {
            int from = primaries[i];
            if (from < 0 || room[from] < 0)
            {
                Move(i, Array.IndexOf(room, room.Max()));
            }
        }

        int FirstWithRoom(int[] candidates)
        {
            foreach (int candidate in candidates)
            {
                if (room[candidate] > 0)
                {
                    return candidate;
                }
            }

            return -1;
        }

        void Move(int shard, int to)
        {
            if (primaries[shard] >= 0)
            {
                room[primaries[shard]]++;
            }

            room[to]--;
            primaries[shard] = to;
        }
    }
}
