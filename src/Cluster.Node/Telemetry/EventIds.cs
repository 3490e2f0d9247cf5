namespace Cluster.Node.Telemetry;

/// <summary>
/// IDs of log events: one for each message, never reused, never changed; alerts are built on them. Ranges: 1000 node, 2000 gateway,
/// 3000 exporters, 4000 sharding, 5000 admin. Those of doors and exporters are listed beside them.
/// </summary>
public static class EventIds
{
    /// <summary>First of the node's own: life, configuration.</summary>
    public const int Node = 1000;

    /// <summary>First of the doors.</summary>
    public const int Gateway = 2000;

    /// <summary>First of the exporters.</summary>
    public const int Exporters = 3000;

    /// <summary>First of shards and trace actors.</summary>
    public const int Sharding = 4000;

    /// <summary>First of the admin endpoint.</summary>
    public const int Admin = 5000;

    /// <summary>The node starts.</summary>
    public const int NodeStarting = Node + 1;

    /// <summary>The node takes spans.</summary>
    public const int NodeReady = Node + 2;

    /// <summary>The node takes no more spans.</summary>
    public const int NodeDraining = Node + 3;

    /// <summary>The node has ended well.</summary>
    public const int NodeStopped = Node + 4;

    /// <summary>The configuration runs, but perhaps not as its writer thinks.</summary>
    public const int ConfigurationWarning = Node + 6;

    /// <summary>Who is in the cluster, or who coordinates, has changed.</summary>
    public const int ClusterMembersChanged = Node + 10;

    /// <summary>Shards of this node have come or gone.</summary>
    public const int ClusterShardsChanged = Node + 11;

    /// <summary>The node's lease may have ended, though it does not leave.</summary>
    public const int ClusterLeaseLost = Node + 12;

    /// <summary>The node has a lease again.</summary>
    public const int ClusterLeaseRegained = Node + 19;

    /// <summary>The cluster store did not answer.</summary>
    public const int ClusterStoreFailed = Node + 13;

    /// <summary>The cluster store answers again.</summary>
    public const int ClusterStoreAnswers = Node + 17;

    /// <summary>A bug in following or coordinating the cluster.</summary>
    public const int ClusterControlFaulted = Node + 18;

    /// <summary>A connection to or from a peer was made.</summary>
    public const int PeerConnected = Node + 14;

    /// <summary>A connection to or from a peer was lost.</summary>
    public const int PeerDisconnected = Node + 15;

    /// <summary>A peer cannot be reached or refuses; or a stranger was refused.</summary>
    public const int PeerProblem = Node + 16;

    /// <summary>The node did not take a request of the demo.</summary>
    public const int DemoRequestNotTaken = Node + 900;

    /// <summary>An admin request ended in an unexpected error.</summary>
    public const int AdminRequestFailed = Admin + 1;

    /// <summary>The shards did not answer an admin request in time.</summary>
    public const int AdminRequestTimedOut = Admin + 2;
}
