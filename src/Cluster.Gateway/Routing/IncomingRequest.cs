using System.Threading.Tasks.Sources;
using Cluster.Gateway.Receivers;
using Cluster.Gateway.Splitting;
using Cluster.Messages.Identity;

namespace Cluster.Gateway.Routing;

/// <summary>
/// One request at the router: what was found in it, and the answer that its door awaits. Used again and again; back in the pool when the answer was read.
/// <code>
///   free --split--> (malformed, or without spans: free)
///           +--Begin--> waiting --Answer or Fail--> answered --awaited--> free
/// </code>
/// Invariant: whoever took it out of the queue answers it, once.
/// </summary>
/// <param name="giveBack">Called when the answer was read.</param>
/// <param name="hasher">Keys the table of traces.</param>
internal sealed class IncomingRequest(Action<IncomingRequest> giveBack, TraceIdHasher hasher) : IValueTaskSource<IntakeOutcome>
{
    // The door goes on inside Answer: the router's thread has nothing else to do, and so no other one is woken for each request.
    private ManualResetValueTaskSourceCore<IntakeOutcome> _answer;

    /// <summary>What was found in it.</summary>
    public SplitRequest Split { get; } = new(hasher);

    /// <summary>It waits from now on.</summary>
    public ValueTask<IntakeOutcome> Begin()
    {
        _answer.Reset();
        return new(this, _answer.Version);
    }

    /// <summary>What became of it.</summary>
    public void Answer(IntakeOutcome outcome) => _answer.SetResult(outcome);

    /// <summary>Something went wrong that is a fault of this program.</summary>
    public void Fail(Exception fault) => _answer.SetException(fault);

    IntakeOutcome IValueTaskSource<IntakeOutcome>.GetResult(short token)
    {
        try
        {
            return _answer.GetResult(token);
        }
        finally
        {
            giveBack(this);
        }
    }

    ValueTaskSourceStatus IValueTaskSource<IntakeOutcome>.GetStatus(short token) => _answer.GetStatus(token);

    void IValueTaskSource<IntakeOutcome>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _answer.OnCompleted(continuation, state, token, flags);
}
