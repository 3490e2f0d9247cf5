using System.Diagnostics;
using System.Globalization;
using System.Net;

namespace Cluster.EndToEnd.Tests.Harness;

/// <summary>
/// A host of its own on this machine: a network namespace with two networks, each a bridge that this machine has the first address of. One is for
/// nodes and their store, and can be cut like a switch's port: nobody is told, packets are just gone. The other is for clients and the back end.
/// Linux, as root.
/// </summary>
internal sealed class NetworkNamespace : IAsyncDisposable
{
    private static int s_count;

    private readonly string _name;
    private readonly string _subnet;

    private NetworkNamespace(string name, string subnet) => (_name, _subnet) = (name, subnet);

    /// <summary>This machine's address in the network that can be cut.</summary>
    public IPAddress NodesHere => IPAddress.Parse($"{_subnet}.1");

    /// <summary>The other host's address there.</summary>
    public IPAddress NodesThere => IPAddress.Parse($"{_subnet}.2");

    /// <summary>This machine's address in the network that stays.</summary>
    public IPAddress ClientsHere => IPAddress.Parse($"{_subnet}.129");

    /// <summary>The other host's address there.</summary>
    public IPAddress ClientsThere => IPAddress.Parse($"{_subnet}.130");

    /// <summary>Starts a command there.</summary>
    public IReadOnlyList<string> Launcher => ["ip", "netns", "exec", _name];

    /// <summary>Why there can be none on this machine; null when there can.</summary>
    public static async Task<string?> UnavailableAsync()
    {
        if (!OperatingSystem.IsLinux() || !Environment.IsPrivilegedProcess)
        {
            return "network namespaces need Linux and root";
        }

        if (!await SucceedsAsync("ip", "-V"))
        {
            await SucceedsAsync("apt-get", "-o", "DPkg::Lock::Timeout=120", "install", "-y", "--no-install-recommends", "iproute2");
        }

        string name = $"asprobe{Environment.ProcessId}";
        bool works = await SucceedsAsync("ip", "netns", "add", name);
        await SucceedsAsync("ip", "netns", "delete", name);
        return works ? null : "'ip netns add' does not work here: it takes iproute2, and a kernel and container that allow it";
    }

    /// <summary>A host with both networks.</summary>
    public static async Task<NetworkNamespace> CreateAsync()
    {
        int number = (Environment.ProcessId * 4) + Interlocked.Increment(ref s_count);
        NetworkNamespace host = new(
            $"as{number}", string.Create(CultureInfo.InvariantCulture, $"10.{200 + (number / 250 % 50)}.{1 + (number % 250)}"));
        try
        {
            await IpAsync("netns", "add", host._name);
            await IpAsync("-n", host._name, "link", "set", "lo", "up");
            await host.ConnectAsync("n", host.NodesHere, host.NodesThere);
            await host.ConnectAsync("c", host.ClientsHere, host.ClientsThere);
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>Nothing gets from one side of the nodes' network to the other, and nobody is told.</summary>
    public Task CutAsync() => IpAsync("link", "set", $"{_name}n0", "nomaster");

    /// <summary>The network is as it was.</summary>
    public Task MendAsync() => IpAsync("link", "set", $"{_name}n0", "master", $"{_name}nb");

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (string network in (string[])["n", "c"])
        {
            await SucceedsAsync("ip", "link", "delete", $"{_name}{network}0");
            await SucceedsAsync("ip", "link", "delete", $"{_name}{network}b");
        }

        await SucceedsAsync("ip", "netns", "delete", _name);
    }

    private async Task ConnectAsync(string network, IPAddress here, IPAddress there)
    {
        (string bridge, string port, string inside) = ($"{_name}{network}b", $"{_name}{network}0", $"{_name}{network}1");
        await IpAsync("link", "add", bridge, "type", "bridge");
        await IpAsync("address", "add", $"{here}/25", "dev", bridge);
        await IpAsync("link", "set", bridge, "up");
        await IpAsync("link", "add", port, "type", "veth", "peer", "name", inside, "netns", _name);
        await IpAsync("link", "set", port, "master", bridge, "up");
        await IpAsync("-n", _name, "address", "add", $"{there}/25", "dev", inside);
        await IpAsync("-n", _name, "link", "set", inside, "up");
    }

    private static async Task IpAsync(params string[] arguments)
    {
        (bool succeeded, string output) = await RunAsync("ip", arguments);
        Assert.True(succeeded, $"ip {string.Join(' ', arguments)}: {output}");
    }

    private static async Task<bool> SucceedsAsync(string program, params string[] arguments) => (await RunAsync(program, arguments)).Succeeded;

    private static async Task<(bool Succeeded, string Output)> RunAsync(string program, string[] arguments)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(program, arguments)
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            Task<string> output = process.StandardOutput.ReadToEndAsync();
            Task<string> errors = process.StandardError.ReadToEndAsync();
            await process.WaitForExitAsync().WaitAsync(Eventually.Deadline);
            return (process.ExitCode == 0, await output + await errors);
        }
        catch (System.ComponentModel.Win32Exception exception)
        {
            return (false, exception.Message);
        }
    }
}
