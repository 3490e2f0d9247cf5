using Cluster.Messages.Sharding;
using Cluster.Sharding.Coordination;
using Cluster.Sharding.Tests.Shards;
using Cluster.Testing;

namespace Cluster.Sharding.Tests.Replication;

/// <summary>
/// Goal: with messages lost, doubled and out of order, primaries that die or are cut off, copies that come and go, every span that was
/// acknowledged in time of a kept trace leaves, and traces are not split: the first span of each trace is only kept because of the second.
/// </summary>
public sealed class RandomFailureTests
{
    [Theory]
    [MemberData(nameof(Seeds))]
    public void AnyFailures_WhatWasAcknowledgedIsExported(int seed)
    {
        using Story story = new(seed);
        story.Run();
    }

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 20)];

    private sealed class Story(int seed) : IDisposable
    {
        private readonly Random _random = new(seed);
        private readonly HostNetwork _net = new();
        private readonly List<SentSpan> _spans = [];
        private readonly HashSet<string> _exported = [];
        private readonly List<HostNode> _cutOff = [];
        private HostNode _primary = null!;
        private List<ShardCopy> _copies = [];

        public void Run()
        {
            _primary = _net.A;
            _net.Allocate(_primary);
            _net.Disorder = _random;
            ulong trace = 1;
            for (int step = 0; step < 1500; step++)
            {
                bool calm = step % 500 > 350;
                int loss = calm ? 0 : _random.Next(4);
                _net.Arrivals = m => IsCutOff(m) || _random.Next(20) < loss ? 0 : _random.Next(20) == 0 ? 2 : 1;
                if (_random.Next(3) == 0 && step < 1300)
                {
                    _spans.Add(new SentSpan(trace, 1, _net.Now, _net.Frame(new TraceBuilder().Span(trace, 1, name: $"{trace}/1"))));
                    long second = _net.Now + _random.Next(3000);
                    _spans.Add(new SentSpan(trace, 2, second, _net.Frame(new TraceBuilder().Span(trace, 2, 1, name: $"{trace}/2").Error())));
                    trace++;
                }

                Route();
                if (_random.Next(4) == 0)
                {
                    Export();
                }

                Coordinate();
                if (!calm && _random.Next(60) == 0)
                {
                    FailOver(cutOff: _random.Next(2) == 0);
                }

                _net.Pass(10);
            }

            _net.Arrivals = m => IsCutOff(m) ? 0 : 1;
            for (int i = 0; i < 900; i++)
            {
                Route();
                Coordinate();
                Export();
                _net.Pass(10);
            }

            Check();
        }

        public void Dispose() => _net.Dispose();

        /// <summary>As a gateway does: again and again until it is taken, with the term of now.</summary>
        private void Route()
        {
            foreach (SentSpan span in _spans)
            {
                if (span.Acknowledged is not null || span.SendAt > _net.Now)
                {
                    continue;
                }

                if (span.Token != 0 && span.Owner!.Answer(span.Token) is { } answer)
                {
                    span.Acknowledged = answer == Refusal.None ? _net.Now : null;
                    span.Token = 0;
                }
                else if (span.Token != 0 && (span.Owner!.IsDown || span.Owner != _primary))
                {
                    span.Token = 0;
                }

                if (span.Acknowledged is null && span.Token == 0 && !_cutOff.Contains(_primary))
                {
                    span.Frame[8] = (byte)_net.Term;
                    (span.Owner, span.Token) = (_primary, _primary.Send(span.Frame));
                }
            }
        }

        private void Export()
        {
            foreach (HostNode node in _net.Nodes.Where(n => !n.IsDown))
            {
                foreach (string name in node.Kept().Names())
                {
                    _exported.Add(name);
                }

                if (_random.Next(2) == 0)
                {
                    node.Confirm();
                }
            }
        }

        /// <summary>The coordinator's rules, for one shard.</summary>
        private void Coordinate()
        {
            List<ShardCopy> copies = [.. _copies];
            foreach (ShardReport report in _primary.Host.Reports.Where(r => r.Term == _net.Term))
            {
                int at = copies.FindIndex(c => c.Member == report.Member && c.Since == report.Since);
                if (at >= 0 && report.State == CopyState.Suspect)
                {
                    copies.RemoveAt(at);
                }
                else if (at >= 0)
                {
                    copies[at] = copies[at] with { InSync = true };
                }
            }

            if (copies.Count < 2 && _random.Next(10) == 0)
            {
                HostNode spare = _net.Nodes.Find(n => !n.IsDown && n != _primary && !copies.Exists(c => c.Member == n.Id)) ?? _net.Add();
                copies.Add(new ShardCopy(spare.Id, _net.Version + 1, false));
            }

            if (!copies.SequenceEqual(_copies))
            {
                Publish(copies);
            }
        }

        private void FailOver(bool cutOff)
        {
            ShardCopy? next = _copies.Find(c => c.InSync && !_cutOff.Exists(n => n.Id == c.Member));
            if (next is null)
            {
                return;
            }

            HostNode old = _primary;
            if (cutOff)
            {
                _cutOff.Add(old);
                old.Host.SetAuthority(_net.Now + 50, _net.Now);
                _net.Pass(60);
            }
            else
            {
                _net.Kill(old);
            }

            _primary = _net.Nodes.Single(n => n.Id == next.Member);
            Publish([.. _copies.Where(c => c != next)]);
            if (cutOff)
            {
                // It goes on with what it knows for a while, then it is back, and reads the allocation before it has authority.
                _net.Pass(_random.Next(300));
                _cutOff.Remove(old);
                Publish(_copies);
                old.Host.SetAuthority(long.MaxValue, _net.Now);
            }
        }

        private void Publish(List<ShardCopy> copies)
        {
            _copies = copies;
            _net.Allocate(_primary, _net.Nodes.Where(n => !_cutOff.Contains(n)), fromNothing: false, [.. copies]);
        }

        private bool IsCutOff(Message message) => _cutOff.Exists(n => n.Id == message.From || n.Id == message.To);

        private string Describe() => string.Join(
            ", ",
            _primary.Primary.Streams.Select(s => $"{s.Member}: {s.IsGreeted}, {s.IsFromNothing}, {s.Acknowledged} of {_primary.Core.Log.LastIndex}")
                .Prepend($"{_spans.Count(s => s.Acknowledged is null)} not acknowledged, committed {_primary.Primary.Committed}"));

        private void Check()
        {
            Assert.True(_spans.TrueForAll(span => span.Acknowledged is not null), Describe());
            int kept = 0;
            foreach (SentSpan[] trace in _spans.Chunk(2))
            {
                if (trace[1].Acknowledged < trace[0].SendAt + 4900)
                {
                    kept++;
                    Assert.True(Array.TrueForAll(trace, s => _exported.Contains($"{s.Trace}/{s.Id}")), $"trace {trace[0].Trace} is not whole");
                }
            }

            Assert.True(kept > 200);
            Assert.All(_net.Nodes, node => Assert.Equal(0, node.Services.Statistics.Failures));
        }

        private sealed class SentSpan(ulong trace, int id, long sendAt, byte[] frame)
        {
            public ulong Trace => trace;

            public int Id => id;

            public long SendAt => sendAt;

            public byte[] Frame => frame;

            public HostNode? Owner { get; set; }

            public ulong Token { get; set; }

            public long? Acknowledged { get; set; }
        }
    }
}
