namespace Cluster.Testing;

internal static class Placeholder;
