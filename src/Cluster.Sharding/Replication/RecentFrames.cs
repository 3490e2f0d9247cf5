namespace Cluster.Sharding.Replication;

/// <summary>
/// Knows the frames that were delivered to a shard of late, by sender and sequence, and under which index they are in the log. What it forgets when
/// another takes its place, is recognised span by span. Used by one thread at a time.
/// </summary>
internal sealed class RecentFrames
{
    private const int Count = 1024;

    private Frame[] _frames = [];

    /// <summary>The log index of a frame; 0 when it is not known.</summary>
    public ulong Find(ulong sender, ulong sequence)
    {
        if (_frames.Length == 0)
        {
            return 0;
        }

        ref Frame frame = ref _frames[Place(sender, sequence)];
        return frame.Sender == sender && frame.Sequence == sequence ? frame.Index : 0;
    }

    /// <summary>Remembers a frame.</summary>
    public void Add(ulong sender, ulong sequence, ulong index)
    {
        if (_frames.Length == 0)
        {
            _frames = new Frame[Count];
        }

        _frames[Place(sender, sequence)] = new Frame(sender, sequence, index);
    }

    private static int Place(ulong sender, ulong sequence)
    {
        ulong x = (sender ^ sequence * 0x9E3779B97F4A7C15UL) * 0xBF58476D1CE4E5B9UL;
        return (int)(x >> 32) & (Count - 1);
    }

    private readonly record struct Frame(ulong Sender, ulong Sequence, ulong Index);
}
