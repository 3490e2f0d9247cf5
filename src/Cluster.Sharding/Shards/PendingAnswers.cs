using Cluster.Messages.Sharding;
using Cluster.Sharding.Region;

namespace Cluster.Sharding.Shards;

/// <summary>
/// Who waits for the answers that a worker loop's shards still owe. Places are used again, tokens are not: each is taken once, so that nobody is
/// answered twice, whatever went wrong on the way. Used by one thread at a time.
/// </summary>
internal sealed class PendingAnswers
{
    private Entry[] _entries = new Entry[256];
    private int _used = 1;
    private int _firstFree;

    /// <summary>Answers owed.</summary>
    public int Count { get; private set; }

    /// <summary>A frame of this node's own gateway is waited for.</summary>
    /// <returns>Its token.</returns>
    public ulong Add(Delivery delivery, int frame, int attempt) =>
        Add(new Entry { Delivery = delivery, Generation = delivery.Generation, Frame = frame, Attempt = attempt });

    /// <summary>A frame of a peer's gateway is waited for.</summary>
    /// <returns>Its token.</returns>
    public ulong Add(MemberId peer, ulong id) => Add(new Entry { Peer = peer, Id = id });

    /// <summary>Takes an entry out.</summary>
    /// <param name="token">What <see cref="Add(Delivery, int, int)"/> gave; 0 is nobody's.</param>
    /// <param name="entry">Who waits.</param>
    /// <returns>False when it was taken before.</returns>
    public bool TryTake(ulong token, out Entry entry)
    {
        int number = (int)(uint)token;
        ref Entry place = ref _entries[number];
        entry = place;
        if (token == 0 || place.Use != (uint)(token >> 32))
        {
            return false;
        }

        // The next use of the place has another number: this token is over.
        place = new Entry { Frame = _firstFree, Use = place.Use + 1 };
        _firstFree = number;
        Count--;
        return true;
    }

    private ulong Add(in Entry entry)
    {
        int place = _firstFree;
        if (place != 0)
        {
            _firstFree = _entries[place].Frame;
        }
        else
        {
            if (_used == _entries.Length)
            {
                Array.Resize(ref _entries, _used * 2);
            }

            place = _used++;
        }

        uint use = _entries[place].Use;
        _entries[place] = entry with { Use = use };
        Count++;
        return (ulong)use << 32 | (uint)place;
    }

    /// <summary>One that waits: a delivery here, or a message of a peer.</summary>
    internal struct Entry
    {
        /// <summary>Null when a peer waits.</summary>
        public Delivery? Delivery;

        /// <summary>Which use of the delivery.</summary>
        public ushort Generation;

        /// <summary>The frame's index; in a free entry, the next free one.</summary>
        public int Frame;

        /// <summary>Which of its sends.</summary>
        public int Attempt;

        /// <summary>Who sent the message.</summary>
        public MemberId Peer;

        /// <summary>The message's number.</summary>
        public ulong Id;

        /// <summary>Counts the uses of the place.</summary>
        public uint Use;
    }
}
