/* proxy_url.c - see proxy_url.h. */
#include "tws/proto/proxy_url.h"

#include "tws/base/secret.h"
#include "tws/base/text.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    enum tws_proxy_kind kind;
    uint16_t port;
} schemes[] = {
    {"http", TWS_PROXY_HTTP, 80},
    {"socks5", TWS_PROXY_SOCKS5, 1080},
    {"socks5h", TWS_PROXY_SOCKS5H, 1080},
};

static const char *const form = "expected http://, socks5:// or socks5h://, then "
                                "[user:password@]host:port";
static const char *const no_tls = "no TLS is spoken to a proxy (https://): expected its http:// or "
                                  "socks5:// port; what goes through it is encrypted with wss://";

/* False: malformed, with a NUL, or too long. */
static bool take_login(const char *p, const char *end, char out[TWS_PROXY_LOGIN_MAX + 1])
{
    return tws_percent_decode(p, (size_t)(end - p), out, TWS_PROXY_LOGIN_MAX + 1) == TWS_OK;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_word(const char *p, size_t n, const char *word)
{
    for (size_t i = 0; i < n; i++)
        if (lower(p[i]) != word[i])
            return false;
    return word[n] == '\0';
}

/* What is behind the scheme, or NULL. */
static const char *take_scheme(const char *text, size_t *scheme)
{
    const char *end = strchr(text, ':');

    while (end != NULL && strncmp(end, "://", 3) != 0)
        end = strchr(end + 1, ':');
    *scheme = 0;
    if (end == NULL)
        return text;
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (!is_word(text, (size_t)(end - text), schemes[i].name))
            continue;
        *scheme = i;
        return end + 3;
    }
    return NULL;
}

/* A password often has a bare @ in it: the last one ends the login. */
static const char *find_at(const char *p, const char *end)
{
    while (end > p)
        if (*--end == '@')
            return end;
    return NULL;
}

static const char *parse_login(const char *p, const char *at, struct tws_proxy_url *out)
{
    const char *colon = memchr(p, ':', (size_t)(at - p));
    const char *end = colon != NULL ? colon : at;

    if (end == p)
        return "the user name is empty";
    if (!take_login(p, end, out->user) ||
        (colon != NULL && !take_login(colon + 1, at, out->password)))
        return "user or password is above 255 characters, or has a % that is not %XX";
    if (strchr(out->user, ':') != NULL && out->kind == TWS_PROXY_HTTP)
        return "the user name has a colon, which Basic authentication cannot carry";
    out->has_login = true;
    return NULL;
}

static const char *parse_address(const char *p, size_t n, uint16_t port, struct tws_proxy_url *out)
{
    char text[TWS_HOSTPORT_TEXT];

    if (n == 0 || n + 7 > sizeof text)
        return form;
    (void)snprintf(text, sizeof text, "%.*s", (int)n, p);
    out->has_port = tws_hostport_parse(text, &out->address) == TWS_OK;
    if (!out->has_port) {
        (void)snprintf(text, sizeof text, "%.*s:%u", (int)n, p, (unsigned)port);
        if (tws_hostport_parse(text, &out->address) != TWS_OK)
            return form;
    }
    return out->address.host[0] != '\0' && out->address.port != 0 ? NULL : form;
}

static const char *parse(const char *text, struct tws_proxy_url *out)
{
    size_t scheme = 0;
    const char *p = take_scheme(text, &scheme), *at = NULL, *end = NULL, *why = NULL;

    if (p == NULL)
        return strncmp(text, "https://", 8) == 0 ? no_tls : form;
    out->kind = schemes[scheme].kind;
    /* A slash in a password is written %2F: everything up to the first one is user and host. */
    end = p + strcspn(p, "/?#");
    if (strcmp(end, "") != 0 && strcmp(end, "/") != 0)
        return form;
    at = find_at(p, end);
    if (at != NULL) {
        why = parse_login(p, at, out);
        if (why != NULL)
            return why;
        p = at + 1;
    }
    return parse_address(p, (size_t)(end - p), schemes[scheme].port, out);
}

tws_err tws_proxy_url_parse(const char *text, struct tws_proxy_url *out, const char **why)
{
    memset(out, 0, sizeof *out);
    *why = parse(text, out);
    if (*why == NULL)
        return TWS_OK;
    tws_wipe(out, sizeof *out);
    return TWS_ABSENT;
}
