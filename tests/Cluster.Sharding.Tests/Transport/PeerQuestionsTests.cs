using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sharding.Transport;
using Cluster.Testing;

namespace Cluster.Sharding.Tests.Transport;

public sealed class PeerQuestionsTests
{
    [Fact]
    public async Task AskAsync_AMemberThatKnows_GivesItsAnswer()
    {
        await using Pair pair = await Pair.CreateAsync();
        string large = new('ü', PeerAnswers.MaxAnswerBytes / 2);
        pair.Answers = (from, question) => Task.FromResult<string?>(question == "/large" ? large : $"{from.Node} asks {question}");
        Assert.Equal("a asks /api/shards?x=ü", await pair.Questions.AskAsync(pair.B.Id, "/api/shards?x=ü", default));
        Assert.Equal(large, await pair.Questions.AskAsync(pair.B.Id, "/large", default));
        string?[] answers = await Task.WhenAll(Enumerable.Range(0, 10).Select(i => pair.Questions.AskAsync(pair.B.Id, $"{i}", default)));
        Assert.Equal(Enumerable.Range(0, 10).Select(i => $"a asks {i}"), answers);
    }

    [Fact]
    public async Task AskAsync_NoAnswerForAnyReason_IsNull()
    {
        await using Pair pair = await Pair.CreateAsync();
        pair.Answers = (_, question) => question switch
        {
            "null" => Task.FromResult<string?>(null),
            "empty" => Task.FromResult<string?>(""),
            "throws" => throw new InvalidOperationException(),
            _ => Task.FromResult<string?>(new string('x', PeerAnswers.MaxAnswerBytes + 1)),
        };
        foreach (string question in new[] { "null", "empty", "throws", "too large" })
        {
            Assert.Null(await pair.Questions.AskAsync(pair.B.Id, question, default));
        }

        Assert.Null(await pair.Questions.AskAsync(new MemberId("nobody", 1), "?", default));
        Assert.Null(await pair.Questions.AskAsync(pair.B.Id, new string('x', PeerAnswers.MaxQuestionBytes + 1), default));
    }

    [Fact]
    public async Task AskAsync_NoAnswerInTime_IsNull()
    {
        ManualTimeProvider time = new();
        await using Pair pair = await Pair.CreateAsync(time);
        TaskCompletionSource asked = new();
        pair.Answers = async (_, _) =>
        {
            asked.SetResult();
            await new TaskCompletionSource<string?>().Task;
            return null;
        };
        Task<string?> answer = pair.Questions.AskAsync(pair.B.Id, "?", default);
        await asked.Task;
        time.Advance(PeerQuestions.Patience - TimeSpan.FromMilliseconds(1));
        Assert.False(answer.IsCompleted);
        time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Null(await answer);
    }

    [Fact]
    public async Task AskAsync_Cancelled_Throws()
    {
        await using Pair pair = await Pair.CreateAsync();
        pair.Answers = (_, _) => new TaskCompletionSource<string?>().Task;
        using CancellationTokenSource stop = new();
        Task<string?> answer = pair.Questions.AskAsync(pair.B.Id, "?", stop.Token);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => answer);
    }

    [Fact]
    public async Task AskAsync_MoreThanMayBeAnswered_AreToldSoAtOnce()
    {
        await using Pair pair = await Pair.CreateAsync(new ManualTimeProvider());
        TaskCompletionSource<string?> late = new();
        pair.Answers = (_, _) => late.Task;
        Task<string?>[] asked = [.. Enumerable.Range(0, PeerQuestions.MaxAnswering + 3).Select(_ => pair.Questions.AskAsync(pair.B.Id, "?", default))];
        for (int i = 0; i < 3; i++)
        {
            Task<string?> first = await Task.WhenAny(asked);
            Assert.Null(await first);
            asked = [.. asked.Where(task => task != first)];
        }

        late.SetResult("now");
        Assert.Equal(Enumerable.Repeat("now", PeerQuestions.MaxAnswering), await Task.WhenAll(asked));
        pair.Answers = (_, _) => Task.FromResult<string?>("again");
        Assert.Equal("again", await pair.Questions.AskAsync(pair.B.Id, "?", default));
    }

    [Fact]
    public async Task AskAsync_MoreThanMayBeAsked_AreNotAsked()
    {
        ManualTimeProvider time = new();
        await using Pair pair = await Pair.CreateAsync(time);
        pair.IsDeaf = true;
        Task<string?>[] asked = [.. Enumerable.Range(0, PeerQuestions.MaxAsked).Select(_ => pair.Questions.AskAsync(pair.B.Id, "?", default))];
        Assert.Null(await pair.Questions.AskAsync(pair.B.Id, "?", default));
        Assert.All(asked, task => Assert.False(task.IsCompleted));
        time.Advance(PeerQuestions.Patience);
        Assert.All(await Task.WhenAll(asked), Assert.Null);
    }

    [Fact]
    public async Task Receive_AnswerOfSomebodyElse_IsIgnored()
    {
        await using Pair pair = await Pair.CreateAsync(new ManualTimeProvider());
        pair.IsDeaf = true;
        Task<string?> answer = pair.Questions.AskAsync(pair.B.Id, "?", default);
        PeerMessageHeader header = new() { Kind = PeerMessageKind.Answer, Id = 1 };
        pair.Questions.Receive(new MemberId("c", 1), header, "wrong"u8);
        pair.Questions.Receive(pair.B.Id, header with { Id = 2 }, "wrong"u8);
        pair.Questions.Receive(pair.B.Id, header with { Kind = PeerMessageKind.Delivered }, "wrong"u8);
        Assert.False(answer.IsCompleted);
        pair.Questions.Receive(pair.B.Id, header, "right"u8);
        Assert.Equal("right", await answer);
    }

    [Fact]
    public async Task Receive_BytesThatAreNoText_AreNoAnswer()
    {
        await using Pair pair = await Pair.CreateAsync(new ManualTimeProvider());
        pair.IsDeaf = true;
        Task<string?> answer = pair.Questions.AskAsync(pair.B.Id, "?", default);
        pair.Questions.Receive(pair.B.Id, new PeerMessageHeader { Kind = PeerMessageKind.Answer, Id = 1 }, [0xFF]);
        Assert.Null(await answer);
    }

    /// <summary>Node a asks, node b answers.</summary>
    private sealed class Pair : IQuestionHandler, IAsyncDisposable
    {
        private readonly PeerQuestions _ofB;

        private Pair(TimeProvider? time)
        {
            // The links' own clock goes by itself: what the tests are about is the patience of those who ask.
            A = new TestNode("a");
            B = new TestNode("b");
            Questions = new PeerQuestions(A.Links, this, time ?? TimeProvider.System);
            _ofB = new PeerQuestions(B.Links, this, time ?? TimeProvider.System);
            A.Takes = (from, packet) => Pass(Questions, from, packet);
            B.Takes = (from, packet) =>
            {
                if (!IsDeaf)
                {
                    Pass(_ofB, from, packet);
                }
            };
        }

        public TestNode A { get; }

        public TestNode B { get; }

        public PeerQuestions Questions { get; }

        public Func<MemberId, string, Task<string?>> Answers { get; set; } = (_, _) => Task.FromResult<string?>(null);

        public bool IsDeaf { get; set; }

        public static async Task<Pair> CreateAsync(TimeProvider? time = null)
        {
            Pair pair = new(time);
            await TestNode.ConnectAsync(pair.A, pair.B);
            return pair;
        }

        public Task<string?> AnswerAsync(MemberId from, string question, CancellationToken cancellationToken) => Answers(from, question);

        public async ValueTask DisposeAsync()
        {
            await A.DisposeAsync();
            await B.DisposeAsync();
        }

        private static void Pass(PeerQuestions questions, MemberId from, PeerPacket packet)
        {
            PeerPacketReader reader = packet.Read();
            while (reader.TryRead(out PeerMessageHeader header, out ReadOnlySpan<byte> payload))
            {
                questions.Receive(from, header, payload);
            }
        }
    }
}
