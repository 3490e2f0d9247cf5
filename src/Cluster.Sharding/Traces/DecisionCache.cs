using Cluster.Messages.Identity;
using Cluster.Messages.Transport;
using Cluster.Sampling.Decisions;

namespace Cluster.Sharding.Traces;

/// <summary>
/// What one shard remembers of its decisions: late spans follow them, and people can ask why. Two least-recently-used lists in one flat
/// table, one for sampled traces and one for the others, each of a fixed size; keyed by all 16 bytes of the trace ID. Used by one thread at a time.
/// </summary>
/// <remarks>
/// Invariants: an entry is in one slot and in the list of its kind; a list is never longer than its capacity; at least half of the slots are empty.
/// A slot has the trace's hash beside the entry's number, so that entries of other traces, which are seldom in a processor's cache, are not looked
/// at. The arrays grow to the capacities and stay: <c>decision_cache</c> bounds them, and the memory limits do not count them.
/// </remarks>
internal sealed class DecisionCache
{
    private const int VotesPerWord = DecisionRecord.VotesPerWord;

    private readonly TraceIdHasher _hasher;
    private readonly int _voteCount;
    private readonly int _voteWords;
    private readonly int _conditionWords;
    private RememberedDecision[] _entries = new RememberedDecision[64];
    private ulong[] _details;
    private ulong[] _slots = new ulong[2 * 64];
    private int _used = 1;
    private int _firstFree;
    private LruList _sampled;
    private LruList _others;

    /// <summary>An empty cache.</summary>
    /// <param name="hasher">Keys the hash table.</param>
    /// <param name="sampledCapacity">Sampled traces remembered; 0 or more.</param>
    /// <param name="otherCapacity">Not sampled or dropped traces remembered; 0 or more.</param>
    /// <param name="policyCount">Votes to remember for each.</param>
    /// <param name="conditionWords">Words of condition bits to remember for each.</param>
    public DecisionCache(TraceIdHasher hasher, long sampledCapacity, long otherCapacity, int policyCount, int conditionWords)
    {
        _hasher = hasher;
        _sampled.Capacity = sampledCapacity;
        _others.Capacity = otherCapacity;
        _voteCount = policyCount;
        _voteWords = DecisionRecord.VoteWords(policyCount);
        _conditionWords = conditionWords;
        _details = new ulong[_entries.Length * (_voteWords + conditionWords)];
    }

    /// <summary>Votes remembered with each decision.</summary>
    public int VoteCount => _voteCount;

    /// <summary>Words of condition bits remembered with each decision.</summary>
    public int ConditionWords => _conditionWords;

    /// <summary>Decisions remembered.</summary>
    public int Count => _sampled.Count + _others.Count;

    /// <summary>A remembered decision.</summary>
    public ref readonly RememberedDecision this[int entry] => ref _entries[entry];

    /// <summary>The most recently used entry of a list; 0 when it is empty.</summary>
    public int Newest(bool sampled) => sampled ? _sampled.Newest : _others.Newest;

    /// <summary>The entry used next most recently after <paramref name="entry"/>; 0 at the end.</summary>
    public int Next(int entry) => _entries[entry].Older;

    /// <summary>The least recently used entry of a list; 0 when it is empty.</summary>
    public int Oldest(bool sampled) => sampled ? _sampled.Oldest : _others.Oldest;

    /// <summary>The entry used least recently after <paramref name="entry"/>; 0 at the end.</summary>
    public int Newer(int entry) => _entries[entry].Newer;

    /// <summary>Finds a trace's decision; 0 when it is not remembered. Does not count as a use.</summary>
    public int Find(TraceId traceId)
    {
        uint hash = _hasher.Hash(traceId);
        uint mask = (uint)_slots.Length - 1;
        for (uint at = hash & mask; _slots[at] != 0; at = (at + 1) & mask)
        {
            if (HashIn(_slots[at]) == hash && _entries[EntryIn(_slots[at])].TraceId == traceId)
            {
                return EntryIn(_slots[at]);
            }
        }

        return 0;
    }

    /// <summary>Makes an entry the most recently used of its list.</summary>
    public void Touch(int entry)
    {
        ref LruList list = ref ListOf(_entries[entry].Decision);
        if (list.Newest != entry)
        {
            Unlink(ref list, entry);
            Link(ref list, entry);
        }
    }

    /// <summary>Remembers a decision about a trace that is not remembered, forgetting the least recently used of its kind if there are too many.</summary>
    public void Add(in RememberedDecision decision, ReadOnlySpan<Vote> votes, ReadOnlySpan<ulong> conditions)
    {
        int entry = Add(decision);
        if (entry == 0)
        {
            return;
        }

        Pack(votes, conditions, Details(entry));
    }

    /// <summary>Puts votes and conditions into as many words as <see cref="Details(int)"/> has.</summary>
    public void Pack(ReadOnlySpan<Vote> votes, ReadOnlySpan<ulong> conditions, Span<ulong> details)
    {
        details.Clear();
        for (int i = 0; i < votes.Length; i++)
        {
            details[i / VotesPerWord] |= (ulong)votes[i] << (i % VotesPerWord * 4);
        }

        conditions.CopyTo(details[_voteWords..]);
    }

    /// <summary>The same, with details that are packed already.</summary>
    public void Add(in RememberedDecision decision, ReadOnlySpan<ulong> details)
    {
        int entry = Add(decision);
        if (entry != 0)
        {
            Span<ulong> own = Details(entry);
            own.Clear();
            details.CopyTo(own);
        }
    }

    /// <summary>Remembers a decision, in place of one about the same trace.</summary>
    /// <param name="decision">The decision.</param>
    /// <param name="details">Words of votes and of conditions, as <see cref="Details(int)"/> has them; empty when they are not known.</param>
    public void Put(in RememberedDecision decision, ReadOnlySpan<ulong> details)
    {
        int known = Find(decision.TraceId);
        if (known != 0)
        {
            Forget(ref ListOf(_entries[known].Decision), known);
        }

        Add(decision, details);
    }

    /// <summary>The exporters are done with a sampled trace.</summary>
    public void MarkExported(TraceId traceId)
    {
        int entry = Find(traceId);
        if (entry != 0)
        {
            _entries[entry].Exported = true;
        }
    }

    /// <summary>Forgets the decisions whose verdicts have an index above <paramref name="index"/>: they were taken back.</summary>
    public void ForgetAfter(ulong index)
    {
        for (int entry = 1; entry < _used; entry++)
        {
            if (_entries[entry].Index > index)
            {
                Forget(ref ListOf(_entries[entry].Decision), entry);
            }
        }
    }

    /// <summary>Words of votes, <see cref="VotesPerWord"/> in each, then words of conditions.</summary>
    public Span<ulong> Details(int entry)
    {
        int words = _voteWords + _conditionWords;
        return _details.AsSpan(entry * words, words);
    }

    /// <summary>The votes that led to a decision, one a policy.</summary>
    public Vote[] Votes(int entry)
    {
        Vote[] votes = new Vote[_voteCount];
        for (int i = 0; i < votes.Length; i++)
        {
            votes[i] = (Vote)(Details(entry)[i / VotesPerWord] >> (i % VotesPerWord * 4) & 0xF);
        }

        return votes;
    }

    /// <summary>The condition bits that a decision was made from.</summary>
    public ReadOnlySpan<ulong> Conditions(int entry) => Details(entry)[_voteWords..];

    /// <returns>The new entry, its details not set; 0 when decisions of its kind are not remembered.</returns>
    private int Add(in RememberedDecision decision)
    {
        ref LruList list = ref ListOf(decision.Decision);
        if (list.Capacity == 0)
        {
            return 0;
        }

        if (list.Count >= list.Capacity)
        {
            Forget(ref list, list.Oldest);
        }

        int entry = Take();
        _entries[entry] = decision;
        Insert(_hasher.Hash(decision.TraceId), entry);
        Link(ref list, entry);
        return entry;
    }

    private ref LruList ListOf(Decision decision)
    {
        if (decision == Decision.Sampled)
        {
            return ref _sampled;
        }

        return ref _others;
    }

    private int Take()
    {
        int entry = _firstFree;
        if (entry != 0)
        {
            _firstFree = _entries[entry].Older;
            return entry;
        }

        if (_used == _entries.Length)
        {
            Array.Resize(ref _entries, _entries.Length * 2);
            Array.Resize(ref _details, _entries.Length * (_voteWords + _conditionWords));
            ulong[] slots = _slots;
            _slots = new ulong[2 * _entries.Length];
            foreach (ulong slot in slots)
            {
                if (slot != 0)
                {
                    Insert(HashIn(slot), EntryIn(slot));
                }
            }
        }

        return _used++;
    }

    private void Forget(ref LruList list, int entry)
    {
        Remove(_hasher.Hash(_entries[entry].TraceId), entry);
        Unlink(ref list, entry);
        _entries[entry] = new RememberedDecision { Older = _firstFree };
        _firstFree = entry;
    }

    private static uint HashIn(ulong slot) => (uint)(slot >> 32);

    private static int EntryIn(ulong slot) => (int)(uint)slot;

    private void Insert(uint hash, int entry)
    {
        uint mask = (uint)_slots.Length - 1;
        uint at = hash & mask;
        while (_slots[at] != 0)
        {
            at = (at + 1) & mask;
        }

        _slots[at] = (ulong)hash << 32 | (uint)entry;
    }

    /// <summary>Empties an entry's slot, and moves those after it that would not be found any more.</summary>
    private void Remove(uint hash, int entry)
    {
        uint mask = (uint)_slots.Length - 1;
        uint hole = hash & mask;
        while (EntryIn(_slots[hole]) != entry)
        {
            hole = (hole + 1) & mask;
        }

        for (uint at = (hole + 1) & mask; _slots[at] != 0; at = (at + 1) & mask)
        {
            uint fromHome = (at - HashIn(_slots[at])) & mask;
            if (fromHome >= ((at - hole) & mask))
            {
                _slots[hole] = _slots[at];
                hole = at;
            }
        }

        _slots[hole] = 0;
    }

    private void Link(ref LruList list, int entry)
    {
        _entries[entry].Older = list.Newest;
        _entries[entry].Newer = 0;
        if (list.Newest != 0)
        {
            _entries[list.Newest].Newer = entry;
        }
        else
        {
            list.Oldest = entry;
        }

        list.Newest = entry;
        list.Count++;
    }

    private void Unlink(ref LruList list, int entry)
    {
        ref RememberedDecision e = ref _entries[entry];
        if (e.Newer != 0)
        {
            _entries[e.Newer].Older = e.Older;
        }
        else
        {
            list.Newest = e.Older;
        }

        if (e.Older != 0)
        {
            _entries[e.Older].Newer = e.Newer;
        }
        else
        {
            list.Oldest = e.Newer;
        }

        list.Count--;
    }

    private struct LruList
    {
        public long Capacity;
        public int Count;
        public int Newest;
        public int Oldest;
    }
}

/// <summary>One remembered decision.</summary>
internal struct RememberedDecision
{
    public TraceId TraceId;

    /// <summary>When, monotonic milliseconds.</summary>
    public long DecidedAt;

    /// <summary>Latest end minus earliest start.</summary>
    public long DurationNanoseconds;

    public long Bytes;
    public int SpanCount;

    /// <summary>Index of the deciding policy; -1 for none.</summary>
    public short Policy;
    public Decision Decision;
    public CompletionReason Reason;

    /// <summary>Whether the exporters are done with it; only known in a cluster.</summary>
    public bool Exported;

    /// <summary>Index of the verdict in the shard's log; 0 on a node alone.</summary>
    public ulong Index;
    public int Newer;

    /// <summary>The entry used less recently; in a free entry, the next free one.</summary>
    public int Older;
}
