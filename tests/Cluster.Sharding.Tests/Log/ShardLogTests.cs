using System.Text;
using Cluster.Sharding.Log;

namespace Cluster.Sharding.Tests.Log;

public sealed class ShardLogTests : IDisposable
{
    private readonly SlabPool _pool = new();
    private readonly SlabAllocator _slabs;
    private readonly ShardLog _log;

    public ShardLogTests()
    {
        _slabs = new SlabAllocator(_pool);
        _log = new ShardLog(_slabs);
    }

    public void Dispose()
    {
        _slabs.Dispose();
        Assert.Equal(0, _pool.BytesInUse);
        _pool.Dispose();
    }

    [Fact]
    public void Append_SlicesOfAnEntry_CanBeReadUntilTheLastIsReleased()
    {
        int entry = _log.Open(100);
        Assert.Equal(0, _log.Append(entry, "first"u8));
        Assert.Equal(5, _log.Append(entry, "second"u8));
        _log.Seal(entry);
        Assert.Equal("second", Encoding.ASCII.GetString(_log.Read(entry, 5, 6)));
        _log.Release(entry);
        Assert.Equal(1, _log.LiveEntries);
        _log.Release(entry);
        Assert.Equal(0, _log.LiveEntries);
    }

    [Fact]
    public void Append_MoreThanTheEntryHolds_Throws()
    {
        int entry = _log.Open(4);
        Assert.Throws<ArgumentException>(() => _log.Append(entry, "12345"u8));
        _log.Seal(entry);
        Assert.Equal(0, _log.LiveEntries);
    }

    [Fact]
    public void Seal_EntryOnlyPartlyFilled_GivesTheRestToTheNext()
    {
        for (int i = 0; i < 100; i++)
        {
            int entry = _log.Open(SlabPool.SlabSize / 2);
            _log.Append(entry, "few"u8);
            _log.Seal(entry);
        }

        Assert.Equal(SlabPool.SlabSize, _pool.BytesInUse);
    }

    [Fact]
    public void EverythingAtRandom_ReadsWhatWasWritten_AndHoldsNoMoreSlabsThanNeeded()
    {
        Random random = new(3);
        List<(int Entry, int Offset, byte[] Bytes)> slices = [];
        ShardLog log = _log;
        for (int step = 0; step < 4000; step++)
        {
            int entry = log.Open(300_000);
            for (int i = random.Next(4); i > 0; i--)
            {
                byte[] bytes = new byte[random.Next(100) == 0 ? 90_000 : random.Next(2000)];
                random.NextBytes(bytes);
                slices.Add((entry, log.Append(entry, bytes), bytes));
            }

            log.Seal(entry);
            while (slices.Count > 0 && (slices.Count > 500 || random.Next(3) == 0))
            {
                int at = random.Next(slices.Count);
                Assert.True(log.Read(slices[at].Entry, slices[at].Offset, slices[at].Bytes.Length).SequenceEqual(slices[at].Bytes));
                log.Release(slices[at].Entry);
                slices.RemoveAt(at);
            }

            if (step % 1000 == 999)
            {
                ShardLog other = new(_slabs);
                slices = [.. slices.Select(s => s with { Entry = other.Adopt(log, s.Entry) })];
                Assert.Equal(0, log.LiveEntries);
                log = other;
            }
        }

        Assert.Equal(slices.Select(s => s.Entry).Distinct().Count(), log.LiveEntries);
        foreach ((int entry, int offset, byte[] bytes) in slices)
        {
            Assert.True(log.Read(entry, offset, bytes.Length).SequenceEqual(bytes));
            log.Release(entry);
        }

        _slabs.Trim();
        Assert.Equal(0, _pool.BytesInUse);
    }

    [Fact]
    public void Trim_SlabInUse_IsKept()
    {
        int entry = _log.Open(10);
        _log.Append(entry, "kept"u8);
        _log.Seal(entry);
        _slabs.Trim();
        Assert.Equal("kept", Encoding.ASCII.GetString(_log.Read(entry, 0, 4)));
        _log.Release(entry);
        _slabs.Trim();
        Assert.Equal(0, _pool.BytesInUse);
        _slabs.Trim();
    }

    [Fact]
    public unsafe void Trim_AfterAFlood_GivesFreeSlabsBackAPartAtATimeButForAFew()
    {
        nint[] slabs = new nint[SlabPool.KeptFree + 160];
        for (int i = 0; i < slabs.Length; i++)
        {
            slabs[i] = (nint)_pool.Rent(1, out _);
        }

        foreach (nint slab in slabs)
        {
            _pool.Return((byte*)slab, SlabPool.SlabSize);
        }

        // Not before it is known that nobody needs them: through a whole window.
        for (int i = 1; i < 2 * SlabPool.TrimWindow; i++)
        {
            _pool.Trim();
            Assert.Equal(slabs.Length, _pool.Free);
        }

        _pool.Trim();
        Assert.Equal(SlabPool.KeptFree + 150, _pool.Free);
        for (int i = 0; i < 10; i++)
        {
            _pool.Trim();
        }

        Assert.InRange(_pool.Free, SlabPool.KeptFree, SlabPool.KeptFree + 80);
        for (int i = 0; i < 100; i++)
        {
            _pool.Trim();
        }

        Assert.Equal(SlabPool.KeptFree, _pool.Free);
    }

    [Fact]
    public unsafe void Trim_OfSlabsThatAreNeededNowAndThen_KeepsThem()
    {
        nint[] slabs = new nint[SlabPool.KeptFree + 160];
        for (int round = 0; round < 20; round++)
        {
            for (int i = 0; i < slabs.Length; i++)
            {
                slabs[i] = (nint)_pool.Rent(1, out _);
            }

            foreach (nint slab in slabs)
            {
                _pool.Return((byte*)slab, SlabPool.SlabSize);
            }

            for (int i = 0; i < SlabPool.TrimWindow; i++)
            {
                _pool.Trim();
                Assert.Equal(slabs.Length, _pool.Free);
            }
        }
    }

    [Fact]
    public unsafe void Rent_MoreThanASlab_IsExactlyThatLarge()
    {
        byte* memory = _pool.Rent(SlabPool.SlabSize + 1, out int capacity);
        Assert.Equal(SlabPool.SlabSize + 1, capacity);
        Assert.Equal(capacity, _pool.BytesInUse);
        _pool.Return(memory, capacity);
        Assert.Equal(0, _pool.BytesInUse);
    }

    [Fact]
    public async Task Rent_ManyThreads_NeverHandsOutASlabTwice()
    {
        await Parallel.ForEachAsync(Enumerable.Range(1, 200), (number, _) =>
        {
            Check((byte)number);
            return ValueTask.CompletedTask;
        });
        Assert.Equal(0, _pool.BytesInUse);

        unsafe void Check(byte number)
        {
            byte* memory = _pool.Rent(10, out int capacity);
            new Span<byte>(memory, 10_000).Fill(number);
            Thread.Yield();
            Assert.Equal(-1, new Span<byte>(memory, 10_000).IndexOfAnyExcept(number));
            _pool.Return(memory, capacity);
        }
    }
}
