using Cluster.Messages.Sharding;

namespace Cluster.Sharding.Transport;

/// <summary>Answers questions that other nodes pass on from people. Thread-safe.</summary>
public interface IQuestionHandler
{
    /// <summary>Answers a question.</summary>
    /// <param name="from">The node that asks.</param>
    /// <param name="question">Its text.</param>
    /// <param name="cancellationToken">Nobody waits any more.</param>
    /// <returns>JSON; null when there is no answer.</returns>
    Task<string?> AnswerAsync(MemberId from, string question, CancellationToken cancellationToken);
}
