namespace Cluster.Gateway.Splitting;

/// <summary>
/// One request's groups, chained by shard, and its contexts' places in the frame that is being written. Reused from request to request; not thread-safe.
/// </summary>
internal sealed class ShardChains
{
    /// <summary>Arrays longer than this are given up after use.</summary>
    private const int KeptEntries = 64 * 1024;

    private int[] _first = [];
    private int[] _next = [];
    private int[] _place = [];
    private int[] _frame = [];
    private int _currentFrame;

    /// <summary>Chains the groups of <paramref name="request"/>.</summary>
    public void Chain(SplitRequest request, int shardCount)
    {
        if (_first.Length != shardCount)
        {
            _first = new int[shardCount];
        }

        Array.Fill(_first, -1);
        if (_next.Length < request.GroupCount || _next.Length > Math.Max(KeptEntries, request.Groups.Length))
        {
            _next = new int[request.Groups.Length];
        }

        if (_place.Length < request.ContextCount || _place.Length > Math.Max(KeptEntries, request.Contexts.Length))
        {
            _place = new int[request.Contexts.Length];
            _frame = new int[request.Contexts.Length];
        }

        // Backwards, so that each chain runs in order of arrival.
        for (int group = request.GroupCount - 1; group >= 0; group--)
        {
            ref int first = ref _first[request.Groups[group].TraceId.Shard(shardCount)];
            _next[group] = first;
            first = group;
        }
    }

    /// <summary>The first group of a shard; -1 when there is none.</summary>
    public int First(int shard) => _first[shard];

    /// <summary>The next group of the same shard; -1 at the last.</summary>
    public int Next(int group) => _next[group];

    /// <summary>Another frame begins: no context has a place in it.</summary>
    public void BeginFrame() => _currentFrame = unchecked(_currentFrame + 1);

    /// <summary>Gives a context a place in the frame, unless it has one.</summary>
    /// <returns>Whether it had none.</returns>
    public bool TryPlace(int context, int place)
    {
        if (_frame[context] == _currentFrame)
        {
            return false;
        }

        _frame[context] = _currentFrame;
        _place[context] = place;
        return true;
    }

    /// <summary>The place of a context in the frame.</summary>
    public int Place(int context) => _place[context];
}
