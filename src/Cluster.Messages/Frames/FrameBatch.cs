namespace Cluster.Messages.Frames;

/// <summary>The frames of one request, one a shard, in one run of pooled memory.</summary>
public sealed class FrameBatch;
