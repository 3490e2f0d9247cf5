namespace Cluster.Simulation.Faults;

/// <summary>Something that the protocol must not do, done on purpose: checkers that do not notice are worth nothing.</summary>
public enum Mutation
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>A node believes in its lease for ever.</summary>
    SkipTheFence,

    /// <summary>A frame is acknowledged before any copy has it.</summary>
    AcknowledgeBeforeTheReplica,

    /// <summary>To shards and gateways all terms are the same.</summary>
    ForgetTheTerm,

    /// <summary>The coordinator makes a copy primary that is not in sync.</summary>
    PromoteALearner,

    /// <summary>Every learner is reported as caught up at once.</summary>
    CountALearnerTooEarly,

    /// <summary>Copies do not keep the decisions that they are sent.</summary>
    DropDecisions,

    /// <summary>Copies take every export for confirmed.</summary>
    ForgetWhatWasNotExported,

    /// <summary>The coordinator's transactions have no conditions.</summary>
    CommitWithoutConditions,

    /// <summary>A node that registers again keeps the shards that others got meanwhile.</summary>
    KeepShardsAfterLeaseEnd,

    /// <summary>The last copy in sync is taken off like any other, and drops what it has.</summary>
    DropTheLastCopy,
}
