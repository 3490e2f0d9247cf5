namespace Cluster.Sharding.Coordination;

/// <summary>
/// Places the copies of all shards for <see cref="ShardAllocationStrategy"/>: shards and members form a bipartite graph, each shard wants so many
/// members, each member takes its share. What is there is kept first; the rest is placed directly, or along a chain of copies that make room
/// for one another (an augmenting path). Used once.
/// </summary>
/// <remarks>Members and shards are numbers here. All work is in a fixed order: the same input gives the same placement.</remarks>
internal sealed class CopyPlacement
{
    private readonly int[] _primaries;
    private readonly int[][] _existing;
    private readonly int[] _zones;
    private readonly int _wanted;
    private readonly int[] _shares;
    private readonly List<int>[] _placed;
    private readonly List<int>[] _shardsOn;

    /// <summary>Copies on the second of the first's shards: spread, so that a member's load spreads when it dies.</summary>
    private readonly int[,] _pairs;

    /// <summary>Nothing placed yet.</summary>
    /// <param name="primaries">Of each shard: its primary.</param>
    /// <param name="existing">Of each shard: who has a copy, the better ones first.</param>
    /// <param name="capacities">Of each member.</param>
    /// <param name="zones">Of each member.</param>
    /// <param name="wanted">Copies of each shard; fewer than there are members.</param>
    public CopyPlacement(int[] primaries, int[][] existing, double[] capacities, int[] zones, int wanted)
    {
        _primaries = primaries;
        _existing = existing;
        _zones = zones;
        _wanted = wanted;
        _placed = new List<int>[primaries.Length];
        _shardsOn = new List<int>[capacities.Length];
        _pairs = new int[capacities.Length, capacities.Length];
        int[] limits = new int[capacities.Length];
        int[] have = new int[capacities.Length];
        Array.Fill(limits, primaries.Length);
        for (int i = 0; i < _shardsOn.Length; i++)
        {
            _shardsOn[i] = [];
        }

        for (int i = 0; i < primaries.Length; i++)
        {
            _placed[i] = new(wanted);
            limits[primaries[i]]--;
            foreach (int copy in existing[i])
            {
                have[copy] += copy == primaries[i] ? 0 : 1;
            }
        }

        _shares = ShardAllocationStrategy.Share(primaries.Length * wanted, capacities, limits, have);
    }

    /// <summary>Places all copies.</summary>
    /// <returns>Of each shard: who has a copy. The existing ones, the same array, when that is as good.</returns>
    public int[][] Place()
    {
        Keep(inOtherZones: true);
        Fill(inOtherZones: true);
        Keep(inOtherZones: false);
        Fill(inOtherZones: false);
        for (int i = 0; i < _placed.Length; i++)
        {
            while (_placed[i].Count < _wanted)
            {
                // No placement keeps the shares exactly.
                Add(i, Roomiest(i));
            }
        }

        return IsAsGood() ? _existing : [.. _placed.Select(copies => copies.ToArray())];
    }

    /// <summary>Keeps the copies that may stay, as far as the members' shares go.</summary>
    private void Keep(bool inOtherZones)
    {
        for (int i = 0; i < _placed.Length; i++)
        {
            foreach (int host in _existing[i])
            {
                if (_placed[i].Count < _wanted && HasRoom(host) && Fits(i, host, -1, inOtherZones))
                {
                    Add(i, host);
                }
            }
        }
    }

    /// <summary>Places what is missing, as far as the members' shares go.</summary>
    private void Fill(bool inOtherZones)
    {
        // Members from which no chain leads to room: none will later, since nothing leads in or out of them either.
        bool[] closed = new bool[_shardsOn.Length];
        for (int i = 0; i < _placed.Length; i++)
        {
            while (_placed[i].Count < _wanted)
            {
                int host = Best(i, inOtherZones);
                if (host >= 0)
                {
                    Add(i, host);
                }
                else if (!Augment(i, inOtherZones, closed))
                {
                    break;
                }
            }
        }
    }

    /// <summary>Finds the shortest chain of copies that can each move on, the last to a member with room, and moves them.</summary>
    private bool Augment(int shard, bool inOtherZones, bool[] closed)
    {
        int hosts = _shardsOn.Length;
        bool[] seen = (bool[])closed.Clone();
        int[] from = new int[hosts];
        int[] moved = new int[hosts];
        Queue<int> queue = new();
        for (int host = 0; host < hosts; host++)
        {
            if (!seen[host] && Fits(shard, host, -1, inOtherZones))
            {
                Reach(host, shard, -1);
            }
        }

        while (queue.TryDequeue(out int host))
        {
            if (HasRoom(host))
            {
                for (int to = host; to >= 0; to = from[to])
                {
                    if (from[to] >= 0)
                    {
                        Remove(moved[to], from[to]);
                    }

                    Add(moved[to], to);
                }

                return true;
            }

            foreach (int other in _shardsOn[host])
            {
                for (int to = 0; to < hosts; to++)
                {
                    if (!seen[to] && Fits(other, to, host, inOtherZones))
                    {
                        Reach(to, other, host);
                    }
                }
            }
        }

        Array.Copy(seen, closed, hosts);
        return false;

        void Reach(int host, int what, int by)
        {
            seen[host] = true;
            from[host] = by;
            moved[host] = what;
            queue.Enqueue(host);
        }
    }

    /// <summary>Whether what is there is as good as what was found; then nothing is to be moved.</summary>
    private bool IsAsGood()
    {
        int[] load = new int[_shardsOn.Length];
        int before = 0;
        int after = 0;
        int excess = 0;
        for (int i = 0; i < _placed.Length; i++)
        {
            if (_existing[i].Length != _wanted || _existing[i].Contains(_primaries[i]))
            {
                return false;
            }

            foreach (int host in _existing[i])
            {
                load[host]++;
            }

            before += SameZone(i, _existing[i]);
            after += SameZone(i, _placed[i]);
        }

        for (int host = 0; host < load.Length; host++)
        {
            excess += Math.Abs(load[host] - _shares[host]) - Math.Abs(_shardsOn[host].Count - _shares[host]);
        }

        return before <= after && excess <= 0;
    }

    /// <summary>Copies of a shard in a zone where it is already.</summary>
    private int SameZone(int shard, IReadOnlyList<int> copies)
    {
        int count = 0;
        for (int i = 0; i < copies.Count; i++)
        {
            bool same = _zones[copies[i]] == _zones[_primaries[shard]];
            for (int j = 0; j < i; j++)
            {
                same |= _zones[copies[i]] == _zones[copies[j]];
            }

            count += same ? 1 : 0;
        }

        return count;
    }

    private bool HasRoom(int host) => RoomOf(host) > 0;

    /// <summary>Whether a shard may have a copy on a member, if it had none on <paramref name="instead"/>.</summary>
    private bool Fits(int shard, int host, int instead, bool inOtherZones)
    {
        if (host == _primaries[shard] || (inOtherZones && _zones[host] == _zones[_primaries[shard]]))
        {
            return false;
        }

        foreach (int copy in _placed[shard])
        {
            if (copy == host || (inOtherZones && copy != instead && _zones[copy] == _zones[host]))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// The member with room that a shard may have a copy on: the one with fewest copies of the same primary, for its share, then the one with most
    /// room; -1 for none.
    /// </summary>
    private int Best(int shard, bool inOtherZones)
    {
        int best = -1;
        for (int host = 0; host < _shardsOn.Length; host++)
        {
            if (HasRoom(host) && Fits(shard, host, -1, inOtherZones) && (best < 0 || IsBetter(host, best)))
            {
                best = host;
            }
        }

        return best;

        bool IsBetter(int host, int other)
        {
            // Compared across: shares are above 0 where there is room.
            long pairs = (long)_pairs[_primaries[shard], host] * _shares[other];
            long others = (long)_pairs[_primaries[shard], other] * _shares[host];
            return pairs < others || (pairs == others && RoomOf(host) > RoomOf(other));
        }
    }

    /// <summary>The member with most room, if only below 0, that a shard may have a copy on.</summary>
    private int Roomiest(int shard)
    {
        int best = -1;
        for (int host = 0; host < _shardsOn.Length; host++)
        {
            if (Fits(shard, host, -1, inOtherZones: false) && (best < 0 || RoomOf(host) > RoomOf(best)))
            {
                best = host;
            }
        }

        return best;
    }

    private int RoomOf(int host) => _shares[host] - _shardsOn[host].Count;

    private void Add(int shard, int host)
    {
        _placed[shard].Add(host);
        _shardsOn[host].Add(shard);
        _pairs[_primaries[shard], host]++;
    }

    private void Remove(int shard, int host)
    {
        _placed[shard].Remove(host);
        _shardsOn[host].Remove(shard);
        _pairs[_primaries[shard], host]--;
    }
}
