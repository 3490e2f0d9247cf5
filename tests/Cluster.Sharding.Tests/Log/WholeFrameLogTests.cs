using Cluster.Sharding.Log;

namespace Cluster.Sharding.Tests.Log;

/// <summary>The log of a shard in a cluster: entries with indices.</summary>
public sealed class WholeFrameLogTests : IDisposable
{
    private readonly SlabPool _pool = new();
    private readonly SlabAllocator _slabs;
    private readonly ShardLog _log;

    public WholeFrameLogTests()
    {
        _slabs = new SlabAllocator(_pool);
        _log = new ShardLog(_slabs);
    }

    public void Dispose()
    {
        _log.TruncateAfter(0);
        _slabs.Trim();
        Assert.Equal(0, _pool.BytesInUse);
        _slabs.Dispose();
        _pool.Dispose();
    }

    [Fact]
    public void Add_Entry_IsFoundByItsIndexUntilItIsReleased()
    {
        _log.Ended = [];
        int first = _log.Add(1, LogEntryKind.Frame, "first"u8, 10);
        int second = _log.Add(5, LogEntryKind.Verdicts, "second"u8, -20);
        _log.Retain(first);
        Assert.Equal(second, _log.Find(5));
        Assert.Equal(second, _log.FindFrom(2));
        Assert.Equal(-1, _log.Find(2));
        Assert.Equal(-1, _log.FindFrom(6));
        Assert.Equal(new LogPlace(5, -20, LogEntryKind.Verdicts), _log.Place(second));
        Assert.True(_log.Bytes(second).SequenceEqual("second"u8));
        Assert.Equal((1UL, 5UL), (_log.FirstIndex, _log.LastIndex));

        _log.Release(first);
        Assert.Equal(first, _log.Find(1));
        _log.Release(first);
        Assert.Equal(-1, _log.Find(1));
        Assert.Equal([1UL], _log.Ended);
        Assert.Equal((5UL, 5UL), (_log.FirstIndex, _log.LastIndex));
        Assert.Throws<ArgumentOutOfRangeException>(() => _log.Add(5, LogEntryKind.Frame, "again"u8, 0));
    }

    [Fact]
    public void TruncateAfter_TakesBackTheTail_AndItsIndicesMayComeAgain()
    {
        for (ulong index = 1; index <= 10; index++)
        {
            _log.Retain(_log.Add(index, LogEntryKind.Frame, "x"u8, 0));
        }

        _log.TruncateAfter(10);
        Assert.Equal(10, _log.LiveEntries);
        _log.TruncateAfter(4);
        Assert.Equal(4, _log.LiveEntries);
        Assert.Equal(4UL, _log.LastIndex);
        Assert.Equal(_log.Add(5, LogEntryKind.Frame, "y"u8, 0), _log.Find(5));
    }

    [Fact]
    public void EverythingAtRandom_FindsWhatADictionaryFinds()
    {
        Random random = new(4);
        SortedDictionary<ulong, byte[]> known = [];
        ulong next = 1;
        for (int step = 0; step < 20_000; step++)
        {
            switch (random.Next(9))
            {
                case < 5:
                    next += (ulong)(random.Next(10) == 0 ? random.Next(1_000_000) : 0);
                    byte[] bytes = [.. BitConverter.GetBytes(next), .. new byte[random.Next(100)]];
                    known.Add(next, bytes);
                    _log.Add(next++, LogEntryKind.Frame, bytes, 0);
                    break;
                case < 8 when known.Count > 0:
                    ulong index = random.Next(3) > 0 ? known.First().Key : known.ElementAt(random.Next(known.Count)).Key;
                    _log.Release(_log.Find(index));
                    known.Remove(index);
                    break;
                case 8 when random.Next(200) == 0 && known.Count > 0:
                    ulong last = known.ElementAt(random.Next(known.Count)).Key;
                    _log.TruncateAfter(last);
                    foreach (ulong gone in known.Keys.Where(i => i > last).ToList())
                    {
                        known.Remove(gone);
                    }

                    next = last + 1;
                    break;
            }
        }

        Assert.Equal(known.Count, _log.LiveEntries);
        Assert.Equal(known.Keys.FirstOrDefault(), _log.FirstIndex);
        ulong at = 0;
        foreach ((ulong index, byte[] bytes) in known)
        {
            int entry = _log.FindFrom(at);
            Assert.Equal(entry, _log.Find(index));
            Assert.Equal(index, _log.Place(entry).Index);
            Assert.True(_log.Bytes(entry).SequenceEqual(bytes));
            at = index + 1;
        }

        Assert.Equal(-1, _log.FindFrom(at));
    }
}
