using System.Collections.Concurrent;
using System.Text;
using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;

namespace Cluster.Sharding.Transport;

/// <summary>
/// Questions of people from node to node, and their answers: seldom, and never in the way of spans, so there may be few at once. An empty
/// answer on the wire says that there is none. Whoever handles packets passes <see cref="PeerMessageKind.Ask"/> and
/// <see cref="PeerMessageKind.Answer"/> on to <see cref="Receive"/>. Thread-safe.
/// </summary>
/// <param name="links">The connections.</param>
/// <param name="handler">Answers what other nodes ask.</param>
/// <param name="time">The clock.</param>
public sealed class PeerQuestions(PeerLinks links, IQuestionHandler handler, TimeProvider time)
{
    /// <summary>Questions of this node that are not answered yet; more are not asked.</summary>
    public const int MaxAsked = 64;

    /// <summary>Questions to this node that are being answered; more are not answered.</summary>
    public const int MaxAnswering = 16;

    /// <summary>After this long nobody waits for an answer.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<ulong, Question> _asked = new();
    private long _lastId;
    private int _asking;
    private int _answering;

    /// <summary>Asks another member.</summary>
    /// <returns>Null when it did not answer in time, or has no answer.</returns>
    public async Task<string?> AskAsync(MemberId member, string text, CancellationToken cancellationToken)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        if (bytes.Length > PeerAnswers.MaxQuestionBytes)
        {
            return null;
        }

        ulong id = (ulong)Interlocked.Increment(ref _lastId);
        Question question = new(member, new TaskCompletionSource<string?>(TaskCreationOptions.RunContinuationsAsynchronously));
        try
        {
            if (Interlocked.Increment(ref _asking) > MaxAsked)
            {
                return null;
            }

            _asked[id] = question;
            return links.Send(member, PeerMessageKind.Ask, shard: 0, id, bytes) == PeerSend.Queued
                ? await question.Answer.Task.WaitAsync(Patience, time, cancellationToken)
                : null;
        }
        catch (TimeoutException)
        {
            return null;
        }
        finally
        {
            _asked.TryRemove(id, out _);
            Interlocked.Decrement(ref _asking);
        }
    }

    /// <summary>Takes a question or an answer that a packet held; anything else is not looked at.</summary>
    public void Receive(MemberId from, in PeerMessageHeader header, ReadOnlySpan<byte> payload)
    {
        if (header.Kind == PeerMessageKind.Answer)
        {
            // Only who was asked may answer.
            if (_asked.TryGetValue(header.Id, out Question question) && question.Asked == from)
            {
                bool isAnswer = PeerAnswers.TryReadText(payload, PeerAnswers.MaxAnswerBytes, out string? text) && text.Length > 0;
                question.Answer.TrySetResult(isAnswer ? text : null);
            }
        }
        else if (header.Kind == PeerMessageKind.Ask)
        {
            ulong id = header.Id;
            bool isQuestion = PeerAnswers.TryReadText(payload, PeerAnswers.MaxQuestionBytes, out string? text);
            if (isQuestion && Interlocked.Increment(ref _answering) <= MaxAnswering)
            {
                _ = Task.Run(() => AnswerAsync(from, id, text!));
                return;
            }

            if (isQuestion)
            {
                Interlocked.Decrement(ref _answering);
            }

            links.Send(from, PeerMessageKind.Answer, shard: 0, id, []);
        }
    }

    private async Task AnswerAsync(MemberId from, ulong id, string text)
    {
        byte[] answer = [];
        try
        {
            using CancellationTokenSource patience = new(Patience, time);
            answer = Encoding.UTF8.GetBytes(await handler.AnswerAsync(from, text, patience.Token) ?? "");
        }
        catch (Exception)
        {
            // Whoever asked is told that there is no answer.
        }
        finally
        {
            Interlocked.Decrement(ref _answering);
        }

        if (answer.Length > PeerAnswers.MaxAnswerBytes
            || links.Send(from, PeerMessageKind.Answer, shard: 0, id, answer) == PeerSend.TooLarge)
        {
            links.Send(from, PeerMessageKind.Answer, shard: 0, id, []);
        }
    }

    private readonly record struct Question(MemberId Asked, TaskCompletionSource<string?> Answer);
}
