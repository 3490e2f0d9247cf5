using System.Buffers.Binary;
using Cluster.Messages.Otlp;
using Cluster.Messages.Protobuf;
using Cluster.Sampling.Policies;

namespace Cluster.Sampling.Decisions;

/// <summary>
/// A policy set at work: reads each resource and span once as it arrives, and later decides from what was gathered.
/// Used by one thread at a time; allocates nothing on arrival or decision.
/// </summary>
public sealed class PolicyProgram
{
    private const uint Len = (uint)WireType.LengthDelimited;
    private const uint ResourceAttributes = (OtlpFields.Resource.Attributes << 3) | Len;
    private const uint SpanIdTag = (OtlpFields.Span.SpanId << 3) | Len;
    private const uint TraceStateTag = (OtlpFields.Span.TraceState << 3) | Len;
    private const uint ParentSpanIdTag = (OtlpFields.Span.ParentSpanId << 3) | Len;
    private const uint KindTag = (OtlpFields.Span.Kind << 3) | (uint)WireType.Varint;
    private const uint StartTag = (OtlpFields.Span.StartTimeUnixNano << 3) | (uint)WireType.Fixed64;
    private const uint EndTag = (OtlpFields.Span.EndTimeUnixNano << 3) | (uint)WireType.Fixed64;
    private const uint AttributesTag = (OtlpFields.Span.Attributes << 3) | Len;
    private const uint StatusTag = (OtlpFields.Span.Status << 3) | Len;
    private const uint FlagsTag = (OtlpFields.Span.Flags << 3) | (uint)WireType.Fixed32;
    private const uint StatusCodeTag = (OtlpFields.Status.Code << 3) | (uint)WireType.Varint;

    private readonly AttributeConditions _attributes;
    private readonly Conditions _conditions;

    internal PolicyProgram(PolicySet set)
    {
        Set = set;
        _conditions = set.Conditions;
        _attributes = new AttributeConditions(set.Conditions);
    }

    /// <summary>The set this program runs.</summary>
    public PolicySet Set { get; }

    /// <summary>
    /// Attribute values so far that an expression gave up on, because deciding on them took too much work: they count as no match.
    /// Read by the thread that uses the program.
    /// </summary>
    public long MatchesGivenUp => _attributes.GivenUp;

    /// <summary>Sets the bits of the conditions that the resource meets.</summary>
    /// <param name="resource">A well-formed <c>Resource</c> message; may be empty. Reading stops where it is not well-formed.</param>
    /// <param name="conditions">At least <see cref="PolicySet.ConditionWords"/> long; bits are only ever added.</param>
    public void ScanResource(ReadOnlySpan<byte> resource, Span<ulong> conditions)
    {
        if (!_attributes.Any)
        {
            return;
        }

        _attributes.Begin();
        WireReader reader = new(resource);
        while (reader.TryReadTag(out uint tag))
        {
            if (tag != ResourceAttributes)
            {
                if (!reader.TrySkip(tag))
                {
                    return;
                }
            }
            else if (reader.TryReadBytes(out ReadOnlySpan<byte> attribute))
            {
                _attributes.Scan(attribute, conditions, onResource: true);
            }
            else
            {
                return;
            }
        }
    }

    /// <summary>Reads a span's facts and sets the bits of the conditions that it meets, in one pass over its bytes.</summary>
    /// <param name="span">A well-formed <c>Span</c> message. Reading stops where it is not well-formed.</param>
    /// <param name="conditions">At least <see cref="PolicySet.ConditionWords"/> long; bits are only ever added.</param>
    /// <param name="facts">IDs and times.</param>
    public void ScanSpan(ReadOnlySpan<byte> span, Span<ulong> conditions, out SpanFacts facts)
    {
        facts = default;
        SpanState state = default;
        ulong lengths = _attributes.KeyLengths;
        _attributes.Begin();
        int at = 0;
        while (at + 1 < span.Length)
        {
            // Nearly all fields are length-delimited with a tag and a length of one byte; most of the rest are the two times.
            uint tag = span[at];
            int length = span[at + 1];
            if ((tag & 0x87) == Len && length < 0x80 && length <= span.Length - at - 2)
            {
                ReadOnlySpan<byte> bytes = span.Slice(at + 2, length);
                at += 2 + length;
                if (tag == AttributesTag)
                {
                    if (lengths != 0 && !AttributeConditions.IsUnasked(bytes, lengths))
                    {
                        _attributes.Scan(bytes, conditions, onResource: false);
                    }
                }
                else if (tag is SpanIdTag or ParentSpanIdTag or StatusTag or TraceStateTag)
                {
                    ScanBytes(tag, bytes, ref facts, ref state);
                }
            }
            else if (tag is StartTag or EndTag && span.Length - at > sizeof(ulong))
            {
                ulong time = BinaryPrimitives.ReadUInt64LittleEndian(span[(at + 1)..]);
                facts.StartUnixNano = tag == StartTag ? time : facts.StartUnixNano;
                facts.EndUnixNano = tag == EndTag ? time : facts.EndUnixNano;
                at += 1 + sizeof(ulong);
            }
            else if (!TryScanField(span, conditions, ref at, ref facts, ref state))
            {
                break;
            }
        }

        SetSpanBits(state, conditions);
    }

    /// <summary>Decides. Rate budgets are drawn from only by the policy whose vote decides.</summary>
    /// <param name="evidence">What was gathered.</param>
    /// <param name="budgets">Where rate limits draw from.</param>
    /// <param name="nowMilliseconds">Monotonic time.</param>
    /// <param name="votes">One for each policy, written here.</param>
    /// <remarks>
    /// <c>drop</c> policies come first; the first that matches ends it. Then every policy without a budget votes, and the first of them in
    /// configured order that votes Sampled decides. Only when there is none are the policies with budgets asked for real, in order: the
    /// first that grants decides. The votes of all other budget policies say what they would have granted.
    /// </remarks>
    public Verdict Decide(in TraceEvidence evidence, IBudgets budgets, long nowMilliseconds, Span<Vote> votes)
    {
        ReadOnlySpan<Policy> policies = Set.Compiled;
        votes = votes[..policies.Length];
        votes.Clear();
        Purse paying = new(budgets, nowMilliseconds, takes: true);
        for (int i = 0; i < Set.DropCount; i++)
        {
            if (policies[i].Matches(evidence, paying))
            {
                votes[i] = Vote.Dropped;
                return new Verdict(Decision.Dropped, i);
            }

            votes[i] = Vote.NotSampled;
        }

        int decider = AskWithoutBudget(policies, evidence, paying, votes);
        int end = decider >= 0 && Set.StopsAtFirstMatch ? decider : policies.Length;
        for (int i = Set.DropCount; i < end; i++)
        {
            if (policies[i].DrawsBudget)
            {
                bool matches = policies[i].Matches(evidence, decider < 0 ? paying : paying.Looking);
                votes[i] = matches ? Vote.Sampled : Vote.NotSampled;
                if (matches && decider < 0)
                {
                    decider = i;
                    end = Set.StopsAtFirstMatch ? i : end;
                }
            }
        }

        if (decider >= 0 && Set.StopsAtFirstMatch)
        {
            votes[(decider + 1)..].Clear();
        }

        return decider >= 0 ? new Verdict(Decision.Sampled, decider) : new Verdict(Decision.NotSampled, -1);
    }

    /// <summary>Puts votes into words. Allocates: for the admin endpoint and the command line only.</summary>
    /// <param name="evidence">What was decided on.</param>
    /// <param name="votes">What <see cref="Decide"/> wrote.</param>
    public IReadOnlyList<PolicyVote> Explain(in TraceEvidence evidence, ReadOnlySpan<Vote> votes)
    {
        PolicyVote[] words = new PolicyVote[Set.Compiled.Length];
        for (int i = 0; i < words.Length; i++)
        {
            Policy policy = Set.Compiled[i];
            string reason = votes[i] == Vote.NotEvaluated
                ? "the decision was clear before its turn"
                : policy.Reason(evidence, votes[i] is Vote.Sampled or Vote.Dropped);
            words[i] = new PolicyVote(policy.Name, policy.Type, votes[i], reason);
        }

        return words;
    }

    private int AskWithoutBudget(ReadOnlySpan<Policy> policies, in TraceEvidence evidence, in Purse purse, Span<Vote> votes)
    {
        int decider = -1;
        for (int i = Set.DropCount; i < policies.Length; i++)
        {
            if (!policies[i].DrawsBudget)
            {
                bool matches = policies[i].Matches(evidence, purse);
                votes[i] = matches ? Vote.Sampled : Vote.NotSampled;
                if (matches && decider < 0)
                {
                    decider = i;
                    if (Set.StopsAtFirstMatch)
                    {
                        break;
                    }
                }
            }
        }

        return decider;
    }

    /// <summary>Any field, of any length; false when it is not well-formed.</summary>
    private bool TryScanField(ReadOnlySpan<byte> span, Span<ulong> conditions, ref int at, ref SpanFacts facts, ref SpanState state)
    {
        WireReader reader = new(span[at..]);
        bool read = reader.TryReadTag(out uint tag);
        switch (tag)
        {
            case AttributesTag when _attributes.Any:
                read = reader.TryReadBytes(out ReadOnlySpan<byte> bytes);
                if (read)
                {
                    _attributes.Scan(bytes, conditions, onResource: false);
                }

                break;
            case SpanIdTag or ParentSpanIdTag or StatusTag or TraceStateTag:
                read = reader.TryReadBytes(out bytes);
                if (read)
                {
                    ScanBytes(tag, bytes, ref facts, ref state);
                }

                break;
            case KindTag:
                read = reader.TryReadVarint(out ulong kind);
                facts.Kind = (int)kind;
                break;
            case FlagsTag:
                read = reader.TryReadFixed32(out state.Flags);
                break;
            default:
                read = read && reader.TrySkip(tag);
                break;
        }

        at += reader.Position;
        return read;
    }

    private void ScanBytes(uint tag, ReadOnlySpan<byte> bytes, ref SpanFacts facts, ref SpanState state)
    {
        switch (tag)
        {
            case SpanIdTag:
                facts.SpanId = bytes.Length == sizeof(ulong) ? BinaryPrimitives.ReadUInt64BigEndian(bytes) : 0;
                break;
            case ParentSpanIdTag:
                facts.ParentSpanId = bytes.Length == sizeof(ulong) ? BinaryPrimitives.ReadUInt64BigEndian(bytes) : 0;
                break;
            case StatusTag:
                ReadStatus(bytes, ref state.Status);
                break;
            case TraceStateTag:
                state.TraceState = bytes;
                break;
            default:
                break;
        }
    }

    /// <summary>A status may come in several messages, which protobuf merges: the last code counts.</summary>
    private static void ReadStatus(ReadOnlySpan<byte> message, ref ulong code)
    {
        WireReader reader = new(message);
        while (reader.TryReadTag(out uint tag))
        {
            if (tag == StatusCodeTag ? !reader.TryReadVarint(out code) : !reader.TrySkip(tag))
            {
                return;
            }
        }
    }

    private void SetSpanBits(in SpanState state, Span<ulong> conditions)
    {
        uint status = (uint)state.Status;
        int[] statusBits = _conditions.StatusBits;
        if (status < (uint)statusBits.Length && statusBits[status] >= 0)
        {
            conditions.Set(statusBits[status]);
        }

        if ((state.Flags & 1) != 0 && _conditions.SampledFlagBit >= 0)
        {
            conditions.Set(_conditions.SampledFlagBit);
        }

        if (!state.TraceState.IsEmpty && _conditions.TraceStates.Count > 0)
        {
            TraceStateReader.Scan(state.TraceState, _conditions.TraceStates, conditions);
        }
    }

    /// <summary>What a span's scan remembers until its end, since the last occurrence of a field counts.</summary>
    private ref struct SpanState
    {
        public ulong Status;
        public uint Flags;
        public ReadOnlySpan<byte> TraceState;
    }
}
