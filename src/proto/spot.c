/* spot.c - see spot.h. */
#include "tws/proto/spot.h"

#include "tws/base/text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char why_form[] =
    "expected host:port, [IPv6]:port, unix:/path, or fd:NAME (only to listen)";
static const char why_host[] = "the host is neither an address nor a name (a name with other "
                               "characters than a-z, 0-9, - and . has an xn-- form)";
static const char why_brackets[] = "an IPv6 address stands in brackets, as in [::1]:80";
static const char why_port[] = "a port is a number from 1 to 65535";
static const char why_order[] = "the range begins with its higher port";
static const char why_long_range[] = "a range has at most 1024 ports";
static const char why_any[] = "a target needs a host: * is no address to connect to";
static const char why_path[] = "a unix socket's path begins with / (or @, abstract), has no "
                               "control characters and at most 107 bytes";
static const char why_fd[] = "the name behind fd: is one that the service manager gives "
                             "(FileDescriptorName=), without : and spaces";
static const char why_fd_target[] = "fd: and stdio name what this process holds: they stand where "
                                    "to listen, not where to connect to";

_Static_assert(TWS_SPOT_PORTS_MAX == 1024, "why_long_range says the number");

static bool is_printable(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text <= 0x20 || *text == 0x7f)
            return false;
    return true;
}

static tws_err parse_unix(const char *path, struct tws_spot *s, const char **why)
{
    size_t n = strlen(path);

    *why = why_path;
    if ((path[0] != '/' && path[0] != '@') || n < 2 || n > TWS_SPOT_PATH_MAX)
        return TWS_ABSENT;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)path[i] < 0x20 || path[i] == 0x7f)
            return TWS_ABSENT;
    s->type = TWS_SPOT_UNIX;
    memcpy(s->name, path, n + 1);
    return TWS_OK;
}

static tws_err parse_fd(const char *name, struct tws_spot *s, const char **why)
{
    size_t n = strlen(name);

    *why = why_fd;
    if (n == 0 || n > TWS_HOST_MAX || strchr(name, ':') != NULL || !is_printable(name))
        return TWS_ABSENT;
    s->type = TWS_SPOT_FD;
    memcpy(s->name, name, n + 1);
    return TWS_OK;
}

static bool parse_port(const char *text, size_t n, uint16_t *out)
{
    char digits[8] = "";
    uint64_t v = 0;

    if (n == 0 || n >= sizeof digits)
        return false;
    memcpy(digits, text, n);
    if (tws_text_u64(digits, 65535, &v) != TWS_OK)
        return false;
    *out = (uint16_t)v;
    return true;
}

/* "80" or "8000-8010". */
static tws_err parse_ports(const char *text, enum tws_spot_use use, struct tws_spot *s,
                           const char **why)
{
    const char *dash = strchr(text, '-');
    size_t n = dash != NULL ? (size_t)(dash - text) : strlen(text);

    *why = why_port;
    if (!parse_port(text, n, &s->port))
        return TWS_ABSENT;
    s->last = s->port;
    if (dash != NULL && !parse_port(dash + 1, strlen(dash + 1), &s->last))
        return TWS_ABSENT;
    if (s->port == 0 && (use != TWS_SPOT_LISTEN || dash != NULL))
        return TWS_ABSENT;
    *why = why_order;
    if (s->last < s->port)
        return TWS_ABSENT;
    *why = why_long_range;
    return s->last - s->port < TWS_SPOT_PORTS_MAX ? TWS_OK : TWS_ABSENT;
}

/* text[0..n) is the host. */
static tws_err parse_host(const char *text, size_t n, struct tws_spot *s, const char **why)
{
    char with_port[TWS_HOSTPORT_TEXT];
    struct tws_hostport hp;

    *why = why_host;
    if (n + sizeof ":1" > sizeof with_port)
        return TWS_ABSENT;
    memcpy(with_port, text, n);
    memcpy(with_port + n, ":1", sizeof ":1");
    if (tws_hostport_parse(with_port, &hp) != TWS_OK) {
        if (text[0] != '[' && memchr(text, ':', n) != NULL)
            *why = why_brackets;
        return TWS_ABSENT;
    }
    memcpy(s->name, hp.host, sizeof s->name);
    return TWS_OK;
}

static tws_err parse_inet(const char *text, enum tws_spot_use use, struct tws_spot *s,
                          const char **why)
{
    const char *colon = strrchr(text, ':');
    tws_err err = TWS_ABSENT;

    *why = why_form;
    if (colon == NULL)
        return TWS_ABSENT;
    s->type = TWS_SPOT_INET;
    err = parse_host(text, (size_t)(colon - text), s, why);
    if (err == TWS_OK)
        err = parse_ports(colon + 1, use, s, why);
    if (err != TWS_OK)
        return err;
    *why = why_any;
    return use == TWS_SPOT_TARGET && s->name[0] == '\0' ? TWS_ABSENT : TWS_OK;
}

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

tws_err tws_spot_parse(const char *text, enum tws_spot_use use, struct tws_spot *out,
                       const char **why)
{
    struct tws_spot s = {0};
    tws_err err = TWS_OK;

    if (has_prefix(text, "unix:"))
        err = parse_unix(text + 5, &s, why);
    else if (has_prefix(text, "fd:"))
        err = parse_fd(text + 3, &s, why);
    else if (strcmp(text, "stdio") == 0)
        s.type = TWS_SPOT_STDIO;
    else
        err = parse_inet(text, use, &s, why);
    if (err != TWS_OK)
        return err;
    if (use == TWS_SPOT_TARGET && (s.type == TWS_SPOT_FD || s.type == TWS_SPOT_STDIO)) {
        *why = why_fd_target;
        return TWS_ABSENT;
    }
    *out = s;
    return TWS_OK;
}

void tws_spot_format(const struct tws_spot *s, char *out, size_t cap)
{
    struct tws_hostport hp;

    assert(cap >= TWS_SPOT_TEXT);
    switch (s->type) {
    case TWS_SPOT_INET:
        tws_spot_hostport(s, 0, &hp);
        tws_hostport_format(&hp, out, cap);
        if (s->last != s->port)
            (void)snprintf(out + strlen(out), cap - strlen(out), "-%u", (unsigned)s->last);
        break;
    case TWS_SPOT_UNIX:
        (void)snprintf(out, cap, "unix:%s", s->name);
        break;
    case TWS_SPOT_FD:
        (void)snprintf(out, cap, "fd:%s", s->name);
        break;
    default:
        (void)snprintf(out, cap, "%s", s->type == TWS_SPOT_STDIO ? "stdio" : "none");
    }
}

unsigned tws_spot_count(const struct tws_spot *s)
{
    return s->type == TWS_SPOT_INET ? s->last - s->port + 1u : 1;
}

void tws_spot_hostport(const struct tws_spot *s, unsigned i, struct tws_hostport *out)
{
    *out = (struct tws_hostport){.port = (uint16_t)(s->port + i)};
    memcpy(out->host, s->name, sizeof out->host);
}

struct tws_spot tws_spot_of(const struct tws_hostport *hp)
{
    struct tws_spot s = {.type = TWS_SPOT_INET, .port = hp->port, .last = hp->port};

    memcpy(s.name, hp->host, sizeof s.name);
    return s;
}

/* Without regard to case, which names do not know; paths are told apart by the caller. */
static bool same_host(const char *a, const char *b)
{
    for (; *a != '\0' && *b != '\0'; a++, b++) {
        char x = *a >= 'A' && *a <= 'Z' ? (char)(*a + 32) : *a;
        char y = *b >= 'A' && *b <= 'Z' ? (char)(*b + 32) : *b;
        if (x != y)
            return false;
    }
    return *a == *b;
}

bool tws_spot_overlaps(const struct tws_spot *a, const struct tws_spot *b)
{
    if (a->type != b->type || a->type == TWS_SPOT_NONE)
        return false;
    if (a->type != TWS_SPOT_INET)
        return strcmp(a->name, b->name) == 0;
    return a->port != 0 && same_host(a->name, b->name) && a->port <= b->last && b->port <= a->last;
}
