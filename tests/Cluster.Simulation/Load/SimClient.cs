using Cluster.Messages.Sharding;
using Cluster.Simulation.Engine;
using Cluster.Simulation.Nodes;

namespace Cluster.Simulation.Load;

/// <summary>Sends the workload, and sends again, by any gateway, what was refused or not answered.</summary>
internal sealed class SimClient(SimWorld world)
{
    /// <summary>How long a client waits for an answer, milliseconds.</summary>
    private const long Patience = 4000;

    /// <summary>Requests without an answer that they are safe.</summary>
    public int Open { get; private set; }

    /// <summary>Attempts by what became of them.</summary>
    public Dictionary<Refusal, int> Answers { get; } = [];

    /// <summary>Attempts that nobody answered.</summary>
    public int Unanswered { get; private set; }

    /// <summary>Lets all requests be sent when it is time.</summary>
    public void Start()
    {
        Open = world.Workload.Requests.Count;
        foreach (ClientRequest request in world.Workload.Requests)
        {
            world.Scheduler.At(request.Time, () => Send(new Attempts(request)));
        }
    }

    private void Send(Attempts attempts)
    {
        int number = ++attempts.Count;
        ClientRequest request = attempts.Request;
        int gateway = number == 1 ? request.Gateway : world.Random.Below(world.Nodes.Count);
        foreach (SpanTruth span in request.Spans)
        {
            span.Trace.FirstSent = span.Trace.FirstSent < 0 ? world.Scheduler.Now : span.Trace.FirstSent;
        }

        if (world.Nodes[gateway].Process is { } process)
        {
            world.Log.Write($"client sends request {request.Number} to {process.Name}, attempt {number}: {string.Join(", ", request.Spans)}");
            process.Post(
                world.Random.Delay(500),
                () => process.Gateway.Accept(request.Body, Patience, refusal => Answered(process, attempts, number, refusal)));
        }

        // A gateway that is gone answers nothing; its connection is, too, mostly.
        bool refused = world.Nodes[gateway].Process is null;
        world.Scheduler.After(refused ? 1000 : (Patience + 500) * Scheduler.Millisecond, () =>
        {
            if (!attempts.IsSafe && attempts.Answered < number)
            {
                attempts.Answered = number;
                Unanswered++;
                Again(attempts);
            }
        });
    }

    private void Answered(SimProcess process, Attempts attempts, int number, Refusal refusal)
    {
        world.Log.Write($"{process.Name} answers request {attempts.Request.Number}: {refusal}");
        Answers[refusal] = Answers.GetValueOrDefault(refusal) + 1;
        if (refusal == Refusal.None)
        {
            // Said is said, whether the client hears it or not.
            world.Checks.Acknowledged(attempts.Request);
            if (!attempts.IsSafe)
            {
                attempts.IsSafe = true;
                Open--;
            }
        }
        else if (!attempts.IsSafe && attempts.Answered < number)
        {
            attempts.Answered = number;
            Again(attempts);
        }
    }

    private void Again(Attempts attempts) =>
        world.Scheduler.After(world.Random.Between(100, 1200) * Scheduler.Millisecond, () => Send(attempts));

    private sealed class Attempts(ClientRequest request)
    {
        public ClientRequest Request { get; } = request;

        public int Count { get; set; }

        public int Answered { get; set; }

        public bool IsSafe { get; set; }
    }
}
