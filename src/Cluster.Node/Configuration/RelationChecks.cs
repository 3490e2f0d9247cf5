using Cluster.Gateway.Receivers.Otlp;
using Cluster.Messages.Transport;
using Cluster.Node.Admin;
using Cluster.Node.Exporters;
using Cluster.Sampling.Configuration;

namespace Cluster.Node.Configuration;

/// <summary>What has to hold between blocks that are right by themselves.</summary>
internal static class RelationChecks
{
    /// <summary>
    /// The largest request that a node of a cluster takes. All of it may be spans of one shard; with what is noted of each span its frame may then be
    /// twice as large, and must still be one message to the shard's owner and its copies.
    /// </summary>
    private const int LargestRequestOfACluster = PeerPacketFormat.MaxMessageBytes / 2;

    /// <summary>Two listeners at one address, and an exporter that would send to this node's own doors.</summary>
    public static void CheckAddresses(IReadOnlyList<Listener> listeners, IEnumerable<ExporterBlock> exporters, ConfigurationErrors errors)
    {
        for (int i = 0; i < listeners.Count; i++)
        {
            Listener second = listeners[i];
            if (listeners.Take(i).FirstOrDefault(l => l.Address.Overlaps(second.Address)) is { } first)
            {
                errors.Error(
                    second.Path,
                    second.Line,
                    $"{second.Name} would listen on {second.Address}, which {first.Name} takes already ({first.Address})",
                    "give each a port of its own");
            }
        }

        foreach (ExporterBlock exporter in exporters)
        {
            if (exporter.Target is { } target && listeners.FirstOrDefault(l => l.Address.IsReachedBy(target)) is { } own)
            {
                exporter.Section.Error(
                    exporter.EndpointKey,
                    $"{target} is this node's own {own.Name} address: kept traces would come back for ever",
                    "name the back end's address");
            }
        }
    }

    /// <summary>A node without the role <c>gateway</c> has the doors of the file, so that one file fits all nodes, but keeps them closed.</summary>
    public static ReceiverBlock? CloseDoors(ReceiverBlock? receiver, ConfigurationErrors errors)
    {
        if (receiver is null)
        {
            return null;
        }

        errors.Warning(
            receiver.Section.Path,
            receiver.Section.Line,
            "its doors stay closed: cluster.node.roles has no gateway",
            "send spans to the nodes that have the role");
        return receiver with { Options = new OtlpReceiverOptions { Grpc = null, Http = null }, Listeners = [] };
    }

    /// <summary>A node that has neither doors nor an admin endpoint could not be asked whether it lives.</summary>
    public static void CheckRoles(ClusterOptions? cluster, AdminOptions admin, ConfigurationSection root)
    {
        if (cluster is { IsGateway: false } && admin.Endpoint is null)
        {
            root.Errors.Error(
                "admin.enabled",
                root.LineOf("admin"),
                "is false on a node without the role gateway, which has no other door",
                "leave the admin endpoint on");
        }
    }

    /// <summary>The queues of all exporters together should leave memory for the traces that wait for their decision.</summary>
    public static void CheckQueues(IReadOnlyList<ExporterBlock> exporters, long availableMemoryBytes, ConfigurationErrors errors)
    {
        long bytes = exporters.Sum(e => e.Options switch
        {
            SendingExporterOptions sending => sending.Queue.Bytes,
            FileExporterOptions file => file.Queue.Bytes,
            _ => 0,
        });
        if (bytes > availableMemoryBytes / 2)
        {
            errors.Warning(
                "exporters",
                exporters[0].Section.Line,
                $"the sending queues may hold {bytes >> 20} MiB, more than half of the memory there is ({availableMemoryBytes >> 20} MiB)",
                "lower sending_queue.queue_size");
        }
    }

    /// <summary>
    /// A request of the largest size that a door takes must fit into what all requests together may hold and, in a cluster, into a message between
    /// nodes.
    /// </summary>
    public static void CheckSizes(ReceiverBlock receiver, GatewayLimits limits, bool isCluster, ConfigurationErrors errors)
    {
        Check(receiver.Options.Grpc?.MaxMessageBytes, "grpc", "max_recv_msg_size_mib", $"{LargestRequestOfACluster >> 20}");
        Check(receiver.Options.Http?.MaxBodyBytes, "http", "max_request_body_size", $"{LargestRequestOfACluster >> 20}MiB");

        void Check(int? bytes, string protocol, string key, string largest)
        {
            string path = receiver.Section.PathOf($"protocols.{protocol}.{key}");
            int line = receiver.Section.LineOf("protocols");
            if (bytes > limits.InFlightBytes)
            {
                errors.Error(
                    path,
                    line,
                    $"{bytes} bytes are more than limits.in_flight_bytes ({limits.InFlightBytes})",
                    "raise limits.in_flight_bytes to several such requests");
            }

            if (isCluster && bytes > LargestRequestOfACluster)
            {
                errors.Error(
                    path,
                    line,
                    $"{bytes} bytes are more than nodes of a cluster can pass on to each other ({LargestRequestOfACluster})",
                    $"use {largest} or less: SDKs send far less at once");
            }
        }
    }
}
