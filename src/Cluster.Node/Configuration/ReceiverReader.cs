using Cluster.Gateway.Receivers.Otlp;
using Cluster.Sampling.Configuration;

namespace Cluster.Node.Configuration;

/// <summary>One address that the node listens on, and where the file says so.</summary>
/// <param name="Name">For people: <c>OTLP/gRPC</c>.</param>
/// <param name="Path">Path of the address.</param>
/// <param name="Line">Line of the address, 0 when it is a default or from the command line.</param>
/// <param name="Address">The address.</param>
internal sealed record Listener(string Name, string Path, int Line, HostPort Address);

/// <summary>A receiver and its addresses.</summary>
internal sealed record ReceiverBlock(OtlpReceiverOptions Options, IReadOnlyList<Listener> Listeners, ConfigurationSection Section);

/// <summary>Reads <c>receivers.otlp</c>.</summary>
internal static class ReceiverReader
{
    private const int LargestMebibytes = 1024;

    /// <summary>Reads one <c>otlp</c> block. Addresses given on the command line take the place of those in the file.</summary>
    public static ReceiverBlock Read(ConfigurationSection section, CommandLineOverrides given, ConfigurationReading reading)
    {
        List<Listener> listeners = [];
        OtlpGrpcOptions? grpc = null;
        OtlpHttpOptions? http = null;
        if (section.Section("protocols") is { } protocols)
        {
            grpc = protocols.Section("grpc") is { } g ? ReadGrpc(g, given.OtlpGrpc, listeners, reading) : null;
            http = protocols.Section("http") is { } h ? ReadHttp(h, given.OtlpHttp, listeners, reading) : null;
            reading.Close(protocols);
        }

        if (grpc is null && given.OtlpGrpc is not null)
        {
            grpc = new OtlpGrpcOptions { Endpoint = Listen("OTLP/gRPC", section, given.OtlpGrpc, "--otlp-grpc", "", listeners) };
        }

        if (http is null && given.OtlpHttp is not null)
        {
            http = new OtlpHttpOptions { Endpoint = Listen("OTLP/HTTP", section, given.OtlpHttp, "--otlp-http", "", listeners) };
        }

        if (grpc is null && http is null)
        {
            section.Error(
                "protocols", section.Has("protocols") ? "names no protocol" : "is missing", "write 'grpc:' or 'http:' under it, or both");
        }

        reading.Close(section);
        return new ReceiverBlock(new OtlpReceiverOptions { Grpc = grpc, Http = http }, listeners, section);
    }

    /// <summary>Reads an address to listen on and notes it; the default when it is wrong, which the errors then say.</summary>
    /// <param name="name">For people.</param>
    /// <param name="section">Where its key <c>endpoint</c> is.</param>
    /// <param name="given">From the command line; null for none.</param>
    /// <param name="option">The name of that option.</param>
    /// <param name="defaultValue">When neither has one.</param>
    /// <param name="listeners">Where it is noted.</param>
    public static string Listen(
        string name, ConfigurationSection section, string? given, string option, string defaultValue, List<Listener> listeners)
    {
        string text = section.NonEmpty("endpoint") ?? defaultValue;
        string path = section.PathOf("endpoint");
        int line = section.LineOf("endpoint");
        if (given is not null)
        {
            (text, path, line) = (given, option, 0);
        }

        if (!HostPort.TryParse(text, out HostPort address, out string problem))
        {
            section.Errors.Error(path, line, problem, "write an address to listen on as host:port, 0.0.0.0:4317 for example");
            return defaultValue;
        }

        listeners.Add(new Listener(name, path, line, address));
        return address.ToString();
    }

    private static OtlpGrpcOptions ReadGrpc(
        ConfigurationSection grpc, string? given, List<Listener> listeners, ConfigurationReading reading)
    {
        ReadTransport(grpc);
        grpc.NoEffect("buffers and keep-alive are the server's own", "read_buffer_size", "write_buffer_size", "keepalive");
        grpc.NoEffect("no processor here reads request metadata", "include_metadata");
        grpc.NotSupported("authenticate clients with tls.client_ca_file, or in a proxy before this node", "auth", "middlewares");
        OtlpGrpcOptions defaults = new();
        long mebibytes = grpc.Int64("max_recv_msg_size_mib", 0, 0, LargestMebibytes);
        long streams = grpc.Int64("max_concurrent_streams", 0, 0, int.MaxValue);
        OtlpGrpcOptions options = new()
        {
            Endpoint = Listen("OTLP/gRPC", grpc, given, "--otlp-grpc", defaults.Endpoint, listeners),
            MaxMessageBytes = mebibytes == 0 ? defaults.MaxMessageBytes : (int)(mebibytes << 20),
            MaxConcurrentStreams = streams == 0 ? defaults.MaxConcurrentStreams : (int)streams,
            Tls = TlsReader.ReadServer(grpc, reading),
        };
        reading.Close(grpc);
        return options;
    }

    private static OtlpHttpOptions ReadHttp(
        ConfigurationSection http, string? given, List<Listener> listeners, ConfigurationReading reading)
    {
        ReadTransport(http);
        http.NoEffect("this node takes traces only", "metrics_url_path", "logs_url_path", "profiles_url_path");
        http.NoEffect("no processor here reads request metadata", "include_metadata");
        http.NoEffect("limits.body_timeout bounds a request", "read_timeout", "read_header_timeout", "write_timeout", "idle_timeout");
        http.NoEffect("gzip and deflate are always understood", "compression_algorithms");
        http.NoEffect("connections are always kept alive", "keep_alives_enabled");
        http.NotSupported("authenticate clients with tls.client_ca_file, or in a proxy before this node", "auth", "middlewares");
        http.NotSupported("set them in a proxy before this node", "response_headers");
        OtlpHttpOptions defaults = new();
        string path = http.NonEmpty("traces_url_path") ?? defaults.TracesPath;
        long body = http.ByteSize("max_request_body_size", 0);
        if (body > (long)LargestMebibytes << 20)
        {
            http.Error("max_request_body_size", $"{body} is out of range", $"use {LargestMebibytes}MiB or less");
            body = 0;
        }

        OtlpHttpOptions options = new()
        {
            Endpoint = Listen("OTLP/HTTP", http, given, "--otlp-http", defaults.Endpoint, listeners),
            TracesPath = path.StartsWith('/') ? path : "/" + path,
            MaxBodyBytes = body == 0 ? defaults.MaxBodyBytes : (int)body,
            Tls = TlsReader.ReadServer(http, reading),
            Cors = ReadCors(http, reading),
        };
        reading.Close(http);
        return options;
    }

    private static void ReadTransport(ConfigurationSection section)
    {
        string transport = section.String("transport", "tcp")!;
        if (transport is not ("tcp" or "tcp4" or "tcp6"))
        {
            section.Error("transport", $"'{transport}' is not supported", "use tcp");
        }
    }

    private static CorsOptions? ReadCors(ConfigurationSection http, ConfigurationReading reading)
    {
        if (http.Section("cors") is not { } cors)
        {
            return null;
        }

        cors.NoEffect("no response header here is of use to a page", "exposed_headers");
        CorsOptions options = new()
        {
            AllowedOrigins = cors.Strings("allowed_origins") ?? [],
            AllowedHeaders = cors.Strings("allowed_headers") ?? [],
            MaxAgeSeconds = (int)cors.Int64("max_age", 0, 0, int.MaxValue),
        };
        reading.Close(cors);
        if (options.AllowedOrigins.Count == 0 && options.AllowedHeaders.Count > 0)
        {
            cors.Warning("allowed_headers", "has no effect without allowed_origins", "list the origins of your pages");
        }

        return options.AllowedOrigins.Count == 0 ? null : options;
    }
}
