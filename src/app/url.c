/* url.c - the server's URL (RFC 3986, RFC 6455 section 3); see config.h. */
#include "tws/app/config.h"
#include "tws/base/text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    bool tls;
} schemes[] = {{"wss://", true}, {"ws://", false}, {"https://", true}, {"http://", false}};

static const char *take_scheme(const char *text, bool *tls)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t n = strlen(schemes[i].name);

        if (strncasecmp(text, schemes[i].name, n) != 0)
            continue;
        *tls = schemes[i].tls;
        return text + n;
    }
    return NULL;
}

static bool has_port(const char *authority)
{
    const char *close = strrchr(authority, ']');

    return strchr(close != NULL ? close : authority, ':') != NULL;
}

/* "host", "host:port", "[v6]", "[v6]:port". */
static tws_err parse_authority(const char *authority, bool tls, struct tws_hostport *out)
{
    char text[TWS_HOSTPORT_TEXT + 8];
    const char *port = has_port(authority) ? "" : tls ? ":443" : ":80";

    if (tws_text_format(text, sizeof text, "%s%s", authority, port) != TWS_OK)
        return TWS_ABSENT;
    if (tws_hostport_parse(text, out) != TWS_OK || out->host[0] == '\0' || out->port == 0)
        return TWS_ABSENT;
    return TWS_OK;
}

static const char *check_path(const char *path)
{
    for (const char *c = path; *c != '\0'; c++) {
        if (*c == '#')
            return "has a fragment (#)";
        if (*c <= ' ' || *c >= 0x7f)
            return "has a character that must be written as %XX";
    }
    return NULL;
}

tws_err tws_url_parse(const char *text, struct tws_url *out, const char **why)
{
    const char *from = take_scheme(text, &out->tls), *path = NULL;
    char authority[TWS_HOSTPORT_TEXT] = "";
    size_t n = 0;

    *why = "expected wss://host[:port]/path";
    if (from == NULL)
        return TWS_ABSENT;
    n = strcspn(from, "/?#");
    path = from + n;
    if (n == 0 || n >= sizeof authority)
        return TWS_ABSENT;
    memcpy(authority, from, n);
    *why = "a user name or password in it is not used; keys are for that";
    if (strchr(authority, '@') != NULL)
        return TWS_ABSENT;
    *why = "the host or port is wrong, expected wss://host[:port]/path";
    if (parse_authority(authority, out->tls, &out->server) != TWS_OK)
        return TWS_ABSENT;
    *why = check_path(path);
    if (*why != NULL)
        return TWS_ABSENT;
    if (asprintf(&out->path, "%s%s", *path == '/' ? "" : "/", path) < 0)
        return TWS_NOMEM;
    return TWS_OK;
}
