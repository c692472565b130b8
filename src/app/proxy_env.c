/* proxy_env.c - the proxy that the environment asks for; see config.h. */
#include "tws/app/config.h"
#include "tws/base/secret.h"
#include "tws/proto/proxy_url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *first_of(const char *a, const char *b)
{
    const char *v = getenv(a);

    if ((v == NULL || *v == '\0') && b != NULL)
        v = getenv(b);
    return v != NULL && *v != '\0' ? v : NULL;
}

/* Whether the entry [p, p + n) of NO_PROXY names the host or a domain above it. */
static bool names_host(const char *p, size_t n, const char *host)
{
    size_t len = strlen(host);

    if (n > 0 && p[0] == '*' && n == 1)
        return true;
    if (n > 0 && p[0] == '.') {
        p++;
        n--;
    }
    if (n == 0 || len < n || strncasecmp(host + len - n, p, n) != 0)
        return false;
    return len == n || host[len - n - 1] == '.';
}

/* "[::1]" and an IP network are entries too. */
static bool names_address(const char *p, size_t n, const struct tws_ip *ip)
{
    char text[64];
    struct tws_prefix prefix;

    if (n >= 2 && p[0] == '[' && p[n - 1] == ']') {
        p++;
        n -= 2;
    }
    if (n == 0 || n >= sizeof text)
        return false;
    memcpy(text, p, n);
    text[n] = '\0';
    return tws_prefix_parse(text, &prefix) == TWS_OK && tws_prefix_contains(&prefix, ip);
}

static bool is_listed(const char *list, const struct tws_hostport *server)
{
    struct tws_ip ip;
    bool is_ip = tws_ip_parse(server->host, &ip) == TWS_OK;

    while (*list != '\0') {
        size_t n = strcspn(list, ", \t");
        bool all = n == 1 && *list == '*';

        if (all || (is_ip ? names_address(list, n, &ip) : names_host(list, n, server->host)))
            return true;
        list += n;
        list += strspn(list, ", \t");
    }
    return false;
}

tws_err tws_proxy_from_env(bool tls, const struct tws_hostport *server, char **out)
{
    const char *proxy = tls ? first_of("https_proxy", "HTTPS_PROXY") : first_of("http_proxy", NULL);
    const char *no_proxy = first_of("no_proxy", "NO_PROXY");

    *out = NULL;
    if (proxy == NULL)
        proxy = first_of("all_proxy", "ALL_PROXY");
    if (proxy == NULL || (no_proxy != NULL && is_listed(no_proxy, server)))
        return TWS_OK;
    /* Without a scheme it is HTTP. */
    return asprintf(out, "%s%s", strstr(proxy, "://") != NULL ? "" : "http://", proxy) > 0
               ? TWS_OK
               : TWS_NOMEM;
}

const char *tws_proxy_check(const char *text)
{
    struct tws_proxy_url url;
    const char *why = NULL;

    if (tws_proxy_url_parse(text, &url, &why) == TWS_OK && url.kind == TWS_PROXY_HTTP &&
        !url.has_port)
        why = "the port is missing: expected http://[user:password@]host:port";
    tws_wipe(&url, sizeof url);
    return why;
}
