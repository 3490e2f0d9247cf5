using Cluster.Node.Exporters;
using Cluster.Sampling.Configuration;

namespace Cluster.Node.Configuration;

/// <summary>Reads the exporters <c>otlp</c> and <c>otlphttp</c>.</summary>
internal static class OtlpExporterReader
{
    private static readonly TimeSpan LongestAttempt = TimeSpan.FromHours(1);

    /// <summary>Reads an <c>otlp</c> block.</summary>
    public static ExporterBlock ReadGrpc(
        string id, ConfigurationSection section, BatchOptions? batchProcessor, ConfigurationReading reading)
    {
        section.NoEffect(
            "connections are the client's own", "keepalive", "read_buffer_size", "write_buffer_size", "wait_for_ready", "balancer_name");
        section.NotSupported("put credentials into headers", "auth", "middlewares");
        section.NotSupported("use sending_queue.batch", "batcher");
        section.NotSupported("use the name in endpoint, with tls.server_name_override", "authority");
        TlsClientOptions tls = TlsReader.ReadClient(section, reading, out bool insecure);
        (Uri? endpoint, HostPort? target) = ReadGrpcEndpoint(section, insecure);
        OtlpGrpcExporterOptions options = new()
        {
            Id = id,
            Endpoint = endpoint ?? new Uri("http://localhost:4317"),
            Tls = tls,
            Timeout = ReadTimeout(section, TimeSpan.FromSeconds(5)),
            Headers = ReadHeaders(section, reading),
            Gzip = ReadCompression(section),
            Retry = QueueReader.ReadRetry(section, reading),
            Queue = QueueReader.Read(section, out BatchOptions? batch, reading),
            Batch = batch ?? batchProcessor ?? new BatchOptions(),
        };
        reading.Close(section);
        return new ExporterBlock(endpoint is null ? null : options, section, "endpoint", target);
    }

    /// <summary>Reads an <c>otlphttp</c> block.</summary>
    public static ExporterBlock ReadHttp(
        string id, ConfigurationSection section, BatchOptions? batchProcessor, ConfigurationReading reading)
    {
        section.NoEffect("this node sends traces only", "metrics_endpoint", "logs_endpoint", "profiles_endpoint");
        section.NoEffect(
            "connections are the client's own",
            "read_buffer_size", "write_buffer_size", "max_idle_conns", "max_idle_conns_per_host", "max_conns_per_host", "idle_conn_timeout",
            "disable_keep_alives", "http2_read_idle_timeout", "http2_ping_timeout", "force_attempt_http2", "cookies", "compression_params",
            "keepalive");
        section.NotSupported("put credentials into headers", "auth", "middlewares");
        section.NotSupported("use sending_queue.batch", "batcher");
        section.NotSupported("set HTTPS_PROXY in the environment", "proxy_url");
        TlsClientOptions tls = TlsReader.ReadClient(section, reading, out _);
        string key = section.NonEmpty("traces_endpoint") is null ? "endpoint" : "traces_endpoint";
        Uri? endpoint = ReadHttpEndpoint(section, key);
        section.Ignore("endpoint");
        OtlpHttpExporterOptions options = new()
        {
            Id = id,
            TracesEndpoint = endpoint ?? new Uri("http://localhost:4318/v1/traces"),
            Json = section.OneOf("encoding", "proto", "json") == "json",
            Tls = tls,
            Timeout = ReadTimeout(section, TimeSpan.FromSeconds(30)),
            Headers = ReadHeaders(section, reading),
            Gzip = ReadCompression(section),
            Retry = QueueReader.ReadRetry(section, reading),
            Queue = QueueReader.Read(section, out BatchOptions? batch, reading),
            Batch = batch ?? batchProcessor ?? new BatchOptions(),
        };
        reading.Close(section);
        HostPort? target = endpoint is null ? null : new HostPort(endpoint.Host.Trim('[', ']'), endpoint.Port);
        return new ExporterBlock(endpoint is null ? null : options, section, key, target);
    }

    /// <summary>As gRPC in the Collector reads it: TLS unless <c>tls.insecure</c>, which <c>https://</c> overrides.</summary>
    private static (Uri? Endpoint, HostPort? Target) ReadGrpcEndpoint(ConfigurationSection section, bool insecure)
    {
        const string Fix = "write host:port, tempo:4317 for example";
        string text = section.RequiredString("endpoint", Fix);
        if (text.Length == 0)
        {
            return (null, null);
        }

        bool https = text.StartsWith("https://", StringComparison.OrdinalIgnoreCase);
        bool http = text.StartsWith("http://", StringComparison.OrdinalIgnoreCase);
        string address = https ? text[8..] : http ? text[7..] : text;
        if (address.StartsWith("dns://", StringComparison.Ordinal))
        {
            // dns://authority/host:port; the authority names a resolver and is mostly empty.
            address = address[(address.IndexOf('/', 6) + 1)..];
        }

        address = https || http ? address.TrimEnd('/') : address;
        if (!HostPort.TryParse(address, out HostPort target, out string problem) || target.Port == 0 || target.Host.Length == 0)
        {
            section.Error("endpoint", problem.Length > 0 ? problem : $"'{text}' names no host or port to connect to", Fix);
            return (null, null);
        }

        if (https && insecure)
        {
            section.Warning("endpoint", "https:// overrides tls.insecure: TLS is used", "remove one of the two");
        }
        else if (http && !insecure)
        {
            section.Warning(
                "endpoint",
                "http:// does not switch TLS off, as in the Collector: TLS is used",
                "write tls: {insecure: true} for cleartext, or https://");
        }

        return (new Uri((insecure && !https ? "http://" : "https://") + target), target);
    }

    private static Uri? ReadHttpEndpoint(ConfigurationSection section, string key)
    {
        const string Fix = "write a URL, http://tempo:4318 for example";
        string text = section.RequiredString(key, Fix);
        if (text.Length == 0)
        {
            return null;
        }

        if (!Uri.TryCreate(text, UriKind.Absolute, out Uri? url) || url.Scheme is not ("http" or "https") || url.Host.Length == 0)
        {
            bool noScheme = HostPort.TryParse(text, out _, out _);
            section.Error(
                key,
                noScheme ? $"'{text}' has no scheme" : $"'{text}' is not a URL",
                noScheme ? $"write http://{text} or https://{text}" : Fix);
            return null;
        }

        return key == "traces_endpoint" ? url : new Uri(text.TrimEnd('/') + "/v1/traces");
    }

    private static TimeSpan ReadTimeout(ConfigurationSection section, TimeSpan defaultValue)
    {
        TimeSpan timeout = section.Duration("timeout", defaultValue);
        if (timeout == TimeSpan.Zero || timeout > LongestAttempt)
        {
            section.Warning(
                "timeout", "an attempt without a limit could wait for ever: 1h is the longest", "write a time, 10s for example");
            return LongestAttempt;
        }

        return timeout;
    }

    private static bool ReadCompression(ConfigurationSection section)
    {
        string compression = section.String("compression", "gzip")!;
        if (compression is not ("gzip" or "none" or ""))
        {
            section.Error("compression", $"'{compression}' is not supported", "use gzip or none");
        }

        return compression == "gzip";
    }

    /// <summary>A mapping of names to values, or, as newer Collectors write it, a list of <c>name</c> and <c>value</c>.</summary>
    private static Dictionary<string, string> ReadHeaders(ConfigurationSection section, ConfigurationReading reading)
    {
        Dictionary<string, string> headers = new(StringComparer.OrdinalIgnoreCase);
        if (section.IsList("headers"))
        {
            foreach (ConfigurationSection header in section.Sections("headers")!)
            {
                Add(header, "name", header.RequiredString("name", "name the header"), header.String("value"));
                reading.Close(header);
            }
        }
        else if (section.Section("headers") is { } map)
        {
            foreach (string name in map.Keys.ToArray())
            {
                Add(map, name, name, map.String(name));
            }
        }

        return headers;

        void Add(ConfigurationSection at, string key, string name, string? value)
        {
            bool goodName = name.Length > 0 && name.All(
                c => char.IsAsciiLetterOrDigit(c) || "!#$%&'*+-.^_`|~".Contains(c, StringComparison.Ordinal));
            if (!goodName && name.Length > 0)
            {
                at.Error(key, $"'{name}' is not a header name", "use letters, digits and hyphens");
            }
            else if (value is not null && value.Any(c => c is < ' ' and not '\t' or (char)127))
            {
                at.Error(key, "has a control character in its value", "remove line ends from it");
            }
            else if (goodName && !headers.TryAdd(name, value ?? ""))
            {
                at.Error(key, "is there twice", "keep one");
            }
        }
    }
}
