namespace Cluster.Node.Admin;

/// <summary>
/// Answers, a few questions to the shards at a time and each with a time limit, whatever goes wrong. Requests and peers each have one of their own:
/// nodes that wait for each other's answers must not take each other's turns. Thread-safe.
/// </summary>
internal sealed class AdminAnswers(TimeProvider time, ILogger logger) : IDisposable
{
    private const int MostQuestions = 4;

    private readonly SemaphoreSlim _turns = new(MostQuestions, MostQuestions);

    /// <summary>One answer.</summary>
    /// <exception cref="OperationCanceledException">Whoever asked is gone.</exception>
    public async Task<AdminReply> AnswerAsync(
        AdminRoute route, IQueryCollection query, string parameter, CancellationToken cancellationToken)
    {
        using CancellationTokenSource late = new(route.Timeout, time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        bool turn = false;
        try
        {
            if (route.AsksShards)
            {
                await _turns.WaitAsync(either.Token);
                turn = true;
            }

            return await route.Answer(query, parameter, either.Token);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (OperationCanceledException) when (late.IsCancellationRequested)
        {
            logger.RequestTimedOut(route.Template, route.Timeout.TotalSeconds);
            return AdminReply.NoAnswer($"The shards did not answer within {route.Timeout.TotalSeconds} seconds; try again.");
        }
#pragma warning disable CA1031 // Whatever one answer runs into must not end the node or the connection.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            logger.RequestFailed(route.Template, exception);
            return AdminReply.Problem(
                StatusCodes.Status500InternalServerError, "Internal error", "The answer could not be made; the node's log says why.");
        }
        finally
        {
            if (turn)
            {
                _turns.Release();
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _turns.Dispose();
}
