namespace Cluster.Sharding.Traces;

/// <summary>
/// A hashed timing wheel (Varghese and Lauck, 1987) over the records of one table: which traces are due, in steps of 10 ms. The chains run
/// through the records, so a pending timer costs eight bytes. Due times further away than one turn of about 20 s
/// are passed over once a turn. Used by one thread at a time.
/// </summary>
/// <remarks>
/// States: between two slots, or inside one, with a cursor at what is to be looked at next; it stays inside while nobody asks for more.
/// Invariants: what is on the wheel is chained in the slot of its deadline, so a deadline changes only off the wheel; no deadline lies in a
/// step that was passed. Time that goes back changes nothing.
/// </remarks>
internal sealed class TimingWheel(TraceTable traces)
{
    /// <summary>Milliseconds of a step.</summary>
    public const int StepMilliseconds = 10;

    private const int Slots = 2048;

    private readonly int[] _slots = new int[Slots];
    private long _step;
    private int _cursor;
    private bool _isInSlot;

    /// <summary>Sets the time before which nothing is due.</summary>
    public void Start(long now) => _step = now / StepMilliseconds;

    /// <summary>Adds a trace under its deadline, which is due in the step after it has passed. One that has passed already is raised to now.</summary>
    public void Add(int trace)
    {
        ref TraceRecord record = ref traces[trace];
        long earliest = _isInSlot ? _step + 1 : _step;
        if (record.Deadline / StepMilliseconds < earliest)
        {
            record.Deadline = earliest * StepMilliseconds;
        }

        ref int slot = ref _slots[SlotOf(record.Deadline)];
        record.PreviousDue = 0;
        record.NextDue = slot;
        if (slot != 0)
        {
            traces[slot].PreviousDue = trace;
        }

        slot = trace;
    }

    /// <summary>Removes a trace; its deadline must be the one it was added under.</summary>
    public void Remove(int trace)
    {
        ref TraceRecord record = ref traces[trace];
        if (_cursor == trace)
        {
            _cursor = record.NextDue;
        }

        if (record.PreviousDue != 0)
        {
            traces[record.PreviousDue].NextDue = record.NextDue;
        }
        else
        {
            _slots[SlotOf(record.Deadline)] = record.NextDue;
        }

        if (record.NextDue != 0)
        {
            traces[record.NextDue].PreviousDue = record.PreviousDue;
        }
    }

    /// <summary>A trace whose deadline is not after <paramref name="now"/>, which the caller removes; 0 when there is none (left). Call again for the next.</summary>
    public int NextDue(long now)
    {
        long target = now / StepMilliseconds;
        if (target - _step > Slots)
        {
            // A longer jump than a turn looks at each slot once.
            _step = target - Slots;
            _isInSlot = false;
        }

        while (_step < target)
        {
            if (!_isInSlot)
            {
                _cursor = _slots[_step & (Slots - 1)];
                _isInSlot = true;
            }

            while (_cursor != 0)
            {
                int trace = _cursor;
                _cursor = traces[trace].NextDue;
                if (traces[trace].Deadline <= now)
                {
                    return trace;
                }
            }

            _isInSlot = false;
            _step++;
        }

        return 0;
    }

    private static int SlotOf(long deadline) => (int)(deadline / StepMilliseconds & (Slots - 1));
}
