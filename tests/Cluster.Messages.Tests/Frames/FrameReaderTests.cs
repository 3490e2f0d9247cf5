using System.Runtime.InteropServices;
using Cluster.Messages.Frames;

namespace Cluster.Messages.Tests.Frames;

public sealed class FrameReaderTests
{
    /// <summary>Two contexts of 8 bytes, three slices of 10 bytes with 2 spans each.</summary>
    private static readonly byte[] Whole = Frame();

    [Fact]
    public void TryOpen_WholeFrame_GivesItsParts()
    {
        Assert.True(FrameReader.TryOpen([.. Whole, 1, 2, 3], out FrameReader frame));
        Assert.Equal(Whole.Length, frame.Header.Length);
        Assert.Equal(3, frame.Slices.Length);
        Assert.Equal(new byte[] { 22, 23, 24, 25, 26, 27, 28, 29, 30, 31 }, frame.Spans(frame.Slices[1]).ToArray());
        Assert.Equal([4, 5, 6, 7, 8, 9, 10, 11], frame.Context(frame.Contexts[1]).ToArray().Select(b => b - 0));
        Assert.Equal(7ul, (ulong)frame.Slices[2].TraceId.High);
    }

    [Fact]
    public void TryOpen_AnyPrefix_IsNoFrame()
    {
        for (int length = 0; length < Whole.Length; length++)
        {
            Assert.False(FrameReader.TryOpen(Whole.AsSpan(0, length), out _));
        }
    }

    public static TheoryData<string, int, int> Wrong()
    {
        int slice = FrameHeader.Size;
        int context = slice + 3 * FrameSlice.Size;
        int body = context + 2 * FrameContext.Size;
        TheoryData<string, int, int> wrong = [];
        int[] extremes = [-1, int.MinValue, int.MaxValue, int.MaxValue - 39];
        void Add(string field, int at, params int[] values)
        {
            foreach (int value in values)
            {
                wrong.Add(field, at, value);
            }
        }

        Add("Length", 4, [0, 39, Whole.Length - 1, Whole.Length + 1, .. extremes]);
        // Some of them with products whose lower 32 bits would fit.
        Add("SliceCount", 12, [4, 5, 1 << 27, (1 << 27) + 3, 1 << 30, .. extremes]);
        Add("ContextCount", 16, [0, 1, 1 << 28, (1 << 28) + 2, .. extremes]);
        Add("SpanCount", 20, [0, 5, 7, .. extremes]);
        Add("Context", slice + 16, [2, .. extremes]);
        Add("Offset", slice + 20, [0, body - 1, Whole.Length - 9, .. extremes]);
        Add("Slice length", slice + 24, [23, Whole.Length, .. extremes]);
        Add("Slice spans", slice + 28, [0, 1, 3, .. extremes]);
        Add("Context offset", context, [0, body - 1, Whole.Length - 7, .. extremes]);
        Add("Resource length", context + 4, [Whole.Length, .. extremes]);
        Add("Scope length", context + 8, [Whole.Length, .. extremes]);
        return wrong;
    }

    [Theory]
    [MemberData(nameof(Wrong))]
    public void TryOpen_WrongNumber_IsNoFrame(string field, int at, int value)
    {
        byte[] frame = [.. Whole];
        BitConverter.TryWriteBytes(frame.AsSpan(at), value);
        Assert.False(FrameReader.TryOpen(frame, out _), field);
    }

    [Fact]
    public void TryOpen_LengthsThatCancelOut_IsNoFrame()
    {
        int context = FrameHeader.Size + 3 * FrameSlice.Size;
        byte[] frame = [.. Whole];
        BitConverter.TryWriteBytes(frame.AsSpan(context + 4), -100);
        BitConverter.TryWriteBytes(frame.AsSpan(context + 8), 108);
        Assert.False(FrameReader.TryOpen(frame, out _));
    }

    [Fact]
    public void TryOpen_OtherVersion_IsNoFrame()
    {
        byte[] frame = [.. Whole];
        frame[0] = 2;
        Assert.False(FrameReader.TryOpen(frame, out _));
    }

    [Fact]
    public void TryOpen_DamagedFrames_NeverLeadOutside()
    {
        Random random = new(6);
        int opened = 0;
        for (int i = 0; i < 100_000; i++)
        {
            byte[] bytes = Mutation.Of(Whole, random);
            if (!FrameReader.TryOpen(bytes, out FrameReader frame))
            {
                continue;
            }

            opened++;
            long length = 0;
            foreach (ref readonly FrameSlice slice in frame.Slices)
            {
                length += frame.Spans(slice).Length;
                length += frame.Context(frame.Contexts[slice.Context]).Length > bytes.Length ? bytes.Length : 0;
            }

            Assert.True(length <= bytes.Length);
        }

        Assert.True(opened > 1000);
    }

    private static byte[] Frame()
    {
        int tables = FrameHeader.Size + 3 * FrameSlice.Size + 2 * FrameContext.Size;
        byte[] frame = new byte[tables + 12 + 30];
        for (int i = 0; i < 42; i++)
        {
            frame[tables + i] = (byte)i;
        }

        MemoryMarshal.Write(frame, new FrameHeader
        {
            Version = FrameFormat.Version,
            Shard = 3,
            Length = frame.Length,
            SliceCount = 3,
            ContextCount = 2,
            SpanCount = 6,
        });
        for (int i = 0; i < 3; i++)
        {
            MemoryMarshal.Write(frame.AsSpan(FrameHeader.Size + i * FrameSlice.Size), new FrameSlice
            {
                TraceIdHigh = 7,
                TraceIdLow = (ulong)i,
                Context = i % 2,
                Offset = tables + 12 + i * 10,
                Length = 10,
                SpanCount = 2,
            });
        }

        for (int i = 0; i < 2; i++)
        {
            // Contexts may share bytes.
            MemoryMarshal.Write(frame.AsSpan(FrameHeader.Size + 3 * FrameSlice.Size + i * FrameContext.Size), new FrameContext
            {
                Offset = tables + i * 4,
                ResourceLength = 5,
                ScopeLength = 3,
            });
        }

        return frame;
    }
}
