using Cluster.Gateway.Receivers.Otlp;
using Cluster.Node.Exporters;
using Cluster.Sampling.Configuration;

namespace Cluster.Node.Configuration;

/// <summary>Reads <c>tls</c> blocks.</summary>
internal static class TlsReader
{
    private const string NotAFile = "write it to a file, and name the file";

    /// <summary>TLS of a door; null when there is no block.</summary>
    public static TlsServerOptions? ReadServer(ConfigurationSection parent, ConfigurationReading reading)
    {
        if (parent.Section("tls") is not { } tls || !tls.Keys.Any())
        {
            return null;
        }

        tls.NotSupported(NotAFile, "cert_pem", "key_pem", "ca_pem");
        tls.NoEffect("certificates are read once, at the start", "reload_interval", "client_ca_file_reload");
        tls.NoEffect(
            "it is about clients of other servers; client_ca_file says whom this door trusts", "ca_file", "include_system_ca_certs_pool");
        ReadCommon(tls);
        TlsServerOptions options = new()
        {
            CertFile = tls.RequiredString("cert_file", "name the PEM file of the certificate, or remove 'tls' for cleartext"),
            KeyFile = tls.RequiredString("key_file", "name the PEM file of the private key, or remove 'tls' for cleartext"),
            ClientCaFile = tls.NonEmpty("client_ca_file"),
        };
        reading.RequireFile(tls, "cert_file", options.CertFile);
        reading.RequireFile(tls, "key_file", options.KeyFile);
        reading.RequireFile(tls, "client_ca_file", options.ClientCaFile);
        reading.Close(tls);
        return options;
    }

    /// <summary>TLS of an exporter.</summary>
    /// <param name="parent">The exporter's block.</param>
    /// <param name="reading">The reading.</param>
    /// <param name="insecure">What <c>tls.insecure</c> says.</param>
    public static TlsClientOptions ReadClient(ConfigurationSection parent, ConfigurationReading reading, out bool insecure)
    {
        insecure = false;
        if (parent.Section("tls") is not { } tls)
        {
            return new TlsClientOptions();
        }

        insecure = tls.Bool("insecure", false);
        tls.NotSupported(NotAFile, "cert_pem", "key_pem", "ca_pem");
        tls.NoEffect("certificates are read once, at the start", "reload_interval");
        tls.NotSupported("put the system's authorities into ca_file too", "include_system_ca_certs_pool");
        ReadCommon(tls);
        TlsClientOptions options = new()
        {
            CaFile = tls.NonEmpty("ca_file"),
            CertFile = tls.NonEmpty("cert_file"),
            KeyFile = tls.NonEmpty("key_file"),
            InsecureSkipVerify = tls.Bool("insecure_skip_verify", false),
            ServerName = tls.NonEmpty("server_name_override"),
        };
        CheckClientCertificate(tls, options.CertFile, options.KeyFile);
        reading.RequireFile(tls, "ca_file", options.CaFile);
        reading.RequireFile(tls, "cert_file", options.CertFile);
        reading.RequireFile(tls, "key_file", options.KeyFile);
        reading.Close(tls);
        return options;
    }

    /// <summary>TLS of a store's <c>https</c> endpoints.</summary>
    public static (string? CaFile, string? CertFile, string? KeyFile) ReadStore(ConfigurationSection parent, ConfigurationReading reading)
    {
        if (parent.Section("tls") is not { } tls)
        {
            return default;
        }

        tls.NotSupported(NotAFile, "cert_pem", "key_pem", "ca_pem");
        tls.NotSupported("the scheme of an endpoint says whether TLS is used", "insecure");
        tls.NotSupported("name the authority in ca_file, and endpoints as their certificates do", "insecure_skip_verify", "server_name_override");
        tls.NotSupported("put the system's authorities into ca_file too", "include_system_ca_certs_pool");
        tls.NoEffect("certificates are read once, at the start", "reload_interval");
        ReadCommon(tls);
        (string? CaFile, string? CertFile, string? KeyFile) files =
            (tls.NonEmpty("ca_file"), tls.NonEmpty("cert_file"), tls.NonEmpty("key_file"));
        CheckClientCertificate(tls, files.CertFile, files.KeyFile);
        reading.RequireFile(tls, "ca_file", files.CaFile);
        reading.RequireFile(tls, "cert_file", files.CertFile);
        reading.RequireFile(tls, "key_file", files.KeyFile);
        reading.Close(tls);
        return files;
    }

    /// <summary>Mutual TLS between nodes; null when there is no block.</summary>
    public static PeerTlsOptions? ReadPeer(ConfigurationSection parent, ConfigurationReading reading)
    {
        if (parent.Section("tls") is not { } tls || !tls.Keys.Any())
        {
            return null;
        }

        tls.NotSupported(NotAFile, "cert_pem", "key_pem", "ca_pem");
        tls.NoEffect("certificates are read once, at the start", "reload_interval");
        ReadCommon(tls);
        PeerTlsOptions options = new()
        {
            CertFile = tls.RequiredString("cert_file", "name the PEM file of this node's certificate, or remove 'tls' for clear text"),
            KeyFile = tls.RequiredString("key_file", "name the PEM file of its private key, or remove 'tls' for clear text"),
            CaFile = tls.RequiredString("ca_file", "name the PEM file of the authority that signs all nodes' certificates"),
        };
        reading.RequireFile(tls, "cert_file", options.CertFile);
        reading.RequireFile(tls, "key_file", options.KeyFile);
        reading.RequireFile(tls, "ca_file", options.CaFile);
        reading.Close(tls);
        return options;
    }

    private static void CheckClientCertificate(ConfigurationSection tls, string? certFile, string? keyFile)
    {
        if (certFile is null != keyFile is null)
        {
            (string missing, string there) = certFile is null ? ("cert_file", "key_file") : ("key_file", "cert_file");
            tls.Error(missing, $"is missing, while {there} is there", "a client certificate needs both");
        }
    }

    private static void ReadCommon(ConfigurationSection tls)
    {
        switch (tls.String("min_version"))
        {
            case null or "" or "1.2":
                break;
            case "1.0" or "1.1":
                tls.Warning("min_version", "has no effect here", "TLS 1.2 and 1.3 are spoken, nothing older");
                break;
            case var version:
                tls.Error("min_version", $"'{version}' is not supported", "leave it out: TLS 1.2 and 1.3 are spoken");
                break;
        }

        tls.NotSupported(
            "leave it out: TLS 1.2 and 1.3 are spoken, with the system's cipher suites",
            "max_version",
            "cipher_suites",
            "curve_preferences",
            "tpm");
    }
}
