using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Cluster.Gateway.Receivers.Otlp;

/// <summary>
/// Cross-origin requests of SDKs in browsers (<see href="https://fetch.spec.whatwg.org/#http-cors-protocol"/>). A browser that is not
/// told that its origin is welcome keeps the answer from the page, or does not even send the request. Immutable.
/// </summary>
internal sealed class CorsPolicy(CorsOptions options)
{
    private static readonly string[] AlwaysAllowed = ["accept", "accept-language", "content-type", "content-language"];

    private readonly string[] _headers = options.AllowedHeaders.Count > 0 ? [.. options.AllowedHeaders] : ["x-requested-with"];

    /// <summary>Adds what a browser must know to the answer. True when the request was a preflight and is answered with that.</summary>
    public bool Apply(HttpContext context)
    {
        IHeaderDictionary request = context.Request.Headers;
        IHeaderDictionary response = context.Response.Headers;
        bool preflight = HttpMethods.IsOptions(context.Request.Method) && request.AccessControlRequestMethod.Count > 0;
        response.Vary = preflight ? "Origin, Access-Control-Request-Method, Access-Control-Request-Headers" : "Origin";
        if (preflight)
        {
            context.Response.StatusCode = StatusCodes.Status204NoContent;
        }

        if (request.Origin is not [{ Length: > 0 } origin] || !IsAllowed(origin))
        {
            return preflight;
        }

        if (!preflight)
        {
            Welcome(response, origin);
            response.AccessControlExposeHeaders = HeaderNames.RetryAfter;
        }
        else if (request.AccessControlRequestMethod == HttpMethods.Post && AreAllowed(request.AccessControlRequestHeaders))
        {
            Welcome(response, origin);
            response.AccessControlAllowMethods = HttpMethods.Post;
            if (request.AccessControlRequestHeaders.Count > 0)
            {
                response.AccessControlAllowHeaders = request.AccessControlRequestHeaders;
            }

            if (options.MaxAgeSeconds > 0)
            {
                response.AccessControlMaxAge = options.MaxAgeSeconds.ToString(CultureInfo.InvariantCulture);
            }
        }

        return preflight;
    }

    /// <summary>
    /// Whether <paramref name="text"/> is what <paramref name="pattern"/> says, <c>*</c> being any run of characters, in either case.
    /// </summary>
    internal static bool Matches(ReadOnlySpan<char> pattern, ReadOnlySpan<char> text)
    {
        int star = -1;
        int mark = 0;
        int p = 0;
        int t = 0;
        while (t < text.Length)
        {
            if (p < pattern.Length && pattern[p] == '*')
            {
                (star, mark) = (p++, t);
            }
            else if (p < pattern.Length && char.ToLowerInvariant(pattern[p]) == char.ToLowerInvariant(text[t]))
            {
                p++;
                t++;
            }
            else if (star >= 0)
            {
                // Let the last star take one character more.
                (p, t) = (star + 1, ++mark);
            }
            else
            {
                return false;
            }
        }

        return pattern[p..].TrimStart('*').IsEmpty;
    }

    // Beacons, which browsers send when a page closes, carry credentials: with those an origin must be named, a star is not enough.
    private static void Welcome(IHeaderDictionary response, string origin)
    {
        response.AccessControlAllowOrigin = origin;
        response.AccessControlAllowCredentials = "true";
    }

    private bool IsAllowed(string origin)
    {
        foreach (string pattern in options.AllowedOrigins)
        {
            if (Matches(pattern, origin))
            {
                return true;
            }
        }

        return false;
    }

    private bool AreAllowed(StringValues names)
    {
        foreach (string? line in names)
        {
            foreach (string name in (line ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            {
                if (!AlwaysAllowed.Contains(name, StringComparer.OrdinalIgnoreCase)
                    && !_headers.Contains(name, StringComparer.OrdinalIgnoreCase) && !_headers.Contains("*"))
                {
                    return false;
                }
            }
        }

        return true;
    }
}
