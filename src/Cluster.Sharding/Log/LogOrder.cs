namespace Cluster.Sharding.Log;

/// <summary>
/// A shard log's live entries in order of their indices. Entries are added at the end and leave from anywhere; gaps between indices cost nothing.
/// Used by one thread at a time.
/// </summary>
/// <remarks>Invariants: indices rise from head to tail; the items at head and tail are live; no more than half of a full array is dead.</remarks>
internal sealed class LogOrder
{
    private const int Gone = -1;

    private Item[] _items = new Item[64];
    private int _head;
    private int _tail;
    private int _live;

    /// <summary>The lowest live index; 0 when there is none.</summary>
    public ulong First => _head < _tail ? _items[_head].Index : 0;

    /// <summary>Adds an entry behind all others.</summary>
    /// <param name="index">Higher than every one before.</param>
    /// <param name="entry">The entry's number, 0 or more.</param>
    public void Add(ulong index, int entry)
    {
        if (_tail == _items.Length)
        {
            MakeRoom();
        }

        _items[_tail++] = new Item(index, entry);
        _live++;
    }

    /// <summary>The entry of an index; -1 when it is not here.</summary>
    public int Find(ulong index)
    {
        int place = PlaceOf(index);
        return place < _tail && _items[place].Index == index ? _items[place].Entry : Gone;
    }

    /// <summary>The entry with the lowest index that is not below <paramref name="index"/>; -1 when there is none.</summary>
    public int FindFrom(ulong index)
    {
        for (int place = PlaceOf(index); place < _tail; place++)
        {
            if (_items[place].Entry != Gone)
            {
                return _items[place].Entry;
            }
        }

        return Gone;
    }

    /// <summary>Removes an entry that is here.</summary>
    public void Remove(ulong index)
    {
        _items[PlaceOf(index)].Entry = Gone;
        _live--;
        while (_head < _tail && _items[_head].Entry == Gone)
        {
            _head++;
        }

        // Indices that were taken back may come again: nothing dead may stand above them.
        while (_head < _tail && _items[_tail - 1].Entry == Gone)
        {
            _tail--;
        }

        if (_head == _tail)
        {
            _head = _tail = 0;
        }
    }

    private int PlaceOf(ulong index)
    {
        if (_head == _tail || index > _items[_tail - 1].Index)
        {
            return _tail;
        }

        // Indices mostly follow each other without gaps; where there were some, the item stands further ahead.
        int low = _head;
        int high = _tail - 1;
        ulong first = _items[low].Index;
        if (index <= first)
        {
            return low;
        }

        if (index - first < (ulong)(high - low))
        {
            high = low + (int)(index - first);
        }

        if (_items[high].Index == index)
        {
            return high;
        }

        while (low < high)
        {
            int middle = low + (high - low) / 2;
            if (_items[middle].Index < index)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low;
    }

    private void MakeRoom()
    {
        Item[] items = _live > _items.Length / 2 ? new Item[_items.Length * 2] : _items;
        int count = 0;
        for (int i = _head; i < _tail; i++)
        {
            if (_items[i].Entry != Gone)
            {
                items[count++] = _items[i];
            }
        }

        (_items, _head, _tail) = (items, 0, count);
    }

    private record struct Item(ulong Index, int Entry);
}
