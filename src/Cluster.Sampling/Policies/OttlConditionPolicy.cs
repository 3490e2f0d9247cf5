namespace Cluster.Sampling.Policies;

/// <summary><c>ottl_condition</c>: refused by name, so that nobody takes it for a spelling mistake.</summary>
internal static class OttlConditionPolicy
{
    public static Policy? Read(PolicyConfiguration configuration)
    {
        configuration.Refuse(
            "ottl_condition is not supported yet",
            "express it with string_attribute, numeric_attribute, boolean_attribute, status_code or latency, joined by and, not and drop");
        return null;
    }
}
