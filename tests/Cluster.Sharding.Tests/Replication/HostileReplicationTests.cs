using System.Runtime.InteropServices;
using Cluster.Messages.Sharding;
using Cluster.Messages.Transport;
using Cluster.Sharding.Tests.Shards;
using Cluster.Testing;

namespace Cluster.Sharding.Tests.Replication;

/// <summary>Goal: whatever a peer sends, a host neither fails nor takes what it should not, and counts it.</summary>
public sealed class HostileReplicationTests
{
    [Fact]
    public void Receive_DamagedAndMadeUpMessages_AreHarmless()
    {
        using HostNetwork net = ReplicatingTests.InSync();
        Random random = new(5);
        List<Message> seen = [];
        net.Arrivals = m =>
        {
            seen.Add(m);
            return 1;
        };
        for (ulong i = 1; i <= 30; i++)
        {
            net.A.Send(new TraceBuilder().Span(i, 1).Error().Span(i + 100, 1));
            net.Pass(100);
        }

        net.Pass(3000);
        net.A.Kept();
        net.A.Confirm();
        net.Pass(200);
        Assert.Equal(4, seen.Select(m => m.Item).Distinct().Count());
        long before = net.B.Services.Statistics.IgnoredReplication;
        for (int i = 0; i < 20_000; i++)
        {
            Message message = seen[random.Next(seen.Count)];
            byte[] payload = Damage([.. message.Payload], random);
            HostNode node = net.Nodes[random.Next(3)];
            PeerMessageHeader header = new()
            {
                Kind = random.Next(10) == 0 ? (PeerMessageKind)random.Next(10) : message.Kind,
                Shard = (ushort)(random.Next(20) == 0 ? random.Next(70_000) : 0),
                Id = random.Next(3) switch { 0 => message.Number, 1 => (ulong)random.NextInt64(), _ => message.Number + (ulong)random.Next(40) },
            };
            node.Host.Receive(random.Next(2) == 0 ? message.From : new MemberId("x", 1), header, payload, net.Now);
        }

        Assert.True(net.B.Services.Statistics.IgnoredReplication > before + 100);
        Assert.InRange(net.B.SlabBytes, 0, 8 << 20);
        net.Settle();
        net.Pass(100);
    }

    [Fact]
    public void Receive_TrimOfEverythingThereCouldBe_IsQuickAndFreesWhatIsThere()
    {
        using HostNetwork net = ReplicatingTests.InSync();
        net.A.Send(new TraceBuilder().Span(1, 1));
        net.Settle();
        ReplicationItemHeader item = new() { Term = 1, Kind = ReplicationItemKind.Trim, Since = 2 };
        byte[] payload = [.. ReplicationItem.Bytes(item), 1, 0, 0, 0, 0, 0, 0, 0, .. new byte[8], .. Enumerable.Repeat((byte)255, 8)];
        Give(net.B, net.A, net.A.Primary.Streams[0].Acknowledged + 3, payload, net.Now);
        Assert.Equal(0, net.B.Copy.Log.LiveEntries);
    }

    [Fact]
    public void Receive_IndexWithoutASuccessor_IsNotTaken()
    {
        using HostNetwork net = ReplicatingTests.InSync();
        byte[] frame = net.Frame(new TraceBuilder().Span(1, 1));
        ReplicationItemHeader item = new() { Term = 1, Kind = ReplicationItemKind.Frame, Since = 2, Index = ulong.MaxValue };
        for (ulong position = 1; position < 10; position++)
        {
            Give(net.B, net.A, position, [.. ReplicationItem.Bytes(item), .. frame], net.Now);
        }

        Assert.Equal(0, net.B.Copy.Log.LiveEntries);
    }

    [Fact]
    public void Receive_AnswersForWhatWasNeverSent_ChangeNothing()
    {
        using HostNetwork net = ReplicatingTests.InSync();
        net.Arrivals = _ => 0;
        ulong token = net.A.Send(new TraceBuilder().Span(1, 1));
        net.Settle();
        foreach (ulong position in (ulong[])[0, 1, 100, ulong.MaxValue])
        {
            foreach ((uint term, long since) in ((uint, long)[])[(1, 2), (2, 2), (1, 3)])
            {
                ReplicationAnswer answer = new() { Term = term, Since = since, LastIndex = ulong.MaxValue };
                PeerMessageHeader header = new() { Kind = PeerMessageKind.Replicated, Id = position };
                net.A.Host.Receive(net.B.Id, header, ReplicationItem.Bytes(answer), net.Now);
                net.A.Host.Receive(net.C.Id, header, ReplicationItem.Bytes(answer), net.Now);
            }
        }

        Assert.Null(net.A.Answer(token));
    }

    [Fact]
    public void Receive_DecisionsOfOtherPolicies_AreRememberedWithoutVotes()
    {
        using HostNetwork net = new();
        net.Allocate(net.A);
        net.Allocate(net.A, net.B.Learner(2));
        net.Settle();
        DecisionRecord record = new()
        {
            TraceId = TraceBuilder.TraceId(7),
            Index = 3,
            Policy = 12,
            Decision = 1,
            Reason = 1,
            VoteCount = 20,
            ConditionWords = 2,
        };
        ReplicationItemHeader item = new() { Term = 1, Kind = ReplicationItemKind.Decisions, Since = 2 };
        byte[] records = [.. MemoryMarshal.AsBytes(new ReadOnlySpan<DecisionRecord>(in record)), .. Enumerable.Repeat((byte)0x77, 32)];
        Give(net.B, net.A, 2, [.. ReplicationItem.Bytes(item), .. records], net.Now);

        int entry = net.B.Copy.Decisions.Find(TraceBuilder.TraceId(7));
        Assert.NotEqual(0, entry);
        Assert.Equal(-1, net.B.Copy.Decisions[entry].Policy);
        Assert.All(net.B.Copy.Decisions.Votes(entry), vote => Assert.Equal(0, (int)vote));
        Assert.All(net.B.Copy.Decisions.Conditions(entry).ToArray(), word => Assert.Equal(0UL, word));
    }

    private static void Give(HostNode to, HostNode from, ulong position, byte[] payload, long now) =>
        to.Host.Receive(from.Id, new PeerMessageHeader { Kind = PeerMessageKind.Replicate, Id = position }, payload, now);

    private static byte[] Damage(byte[] payload, Random random)
    {
        for (int changes = random.Next(4); changes > 0 && payload.Length > 0; changes--)
        {
            switch (random.Next(4))
            {
                case 0:
                    payload = payload[..random.Next(payload.Length)];
                    break;
                case 1:
                    payload[random.Next(payload.Length)] = (byte)(random.Next(2) * 255);
                    break;
                default:
                    payload[random.Next(Math.Min(payload.Length, 80))] ^= (byte)(1 << random.Next(8));
                    break;
            }
        }

        return payload;
    }
}
