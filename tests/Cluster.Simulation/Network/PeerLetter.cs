using Cluster.Messages.Transport;

namespace Cluster.Simulation.Network;

/// <summary>A message between nodes on its way.</summary>
internal sealed record PeerLetter(PeerMessageHeader Header, byte[] Payload);
