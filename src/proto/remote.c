/*
 * remote.c - see remote.h.
 *
 * The text is cut at its colons, each piece is given a class (host, ports, unix socket, descriptor,
 * a proxy's word), and the string of classes is looked up: that says which pieces are the local
 * spot. Both spots are then read as spots are anywhere else.
 */
#include "tws/proto/remote.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define LOOPBACK   "127.0.0.1:"
#define PIECES_MAX 6 /* one more than any form has */

static const char why_empty[] = "a part is empty: leave it out with its colon for loopback, or "
                                "write * for every address";
static const char why_form[] = "expected [R:][local-host:][local-port:]remote-host:remote-port"
                               "[/udp], such as 3000:example.com:80";
static const char why_no_port[] = "it has no port: write HOST:PORT, or LOCAL-PORT:HOST:PORT";
static const char why_two_ports[] = "HOST:PORT:PORT has two meanings: write PORT:HOST:PORT, or "
                                    "HOST:PORT:127.0.0.1:PORT";
static const char why_no_target[] = "it says where to listen and not where to connect to: add "
                                    ":HOST:PORT";
static const char why_no_listen[] = "it says where to connect to and not where to listen: put "
                                    "PORT: in front";
static const char why_word_host[] = "a proxy listens on a port: write HOST:PORT:socks, or "
                                    "PORT:socks";
static const char why_brackets[] = "the [ is not closed, or a ] is not before a colon: an IPv6 "
                                   "address is written [::1]:80";
static const char why_counts[] = "both sides need as many ports, as in 8000-8010:HOST:9000-9010";
static const char why_proto[] = "the protocol stands once, at the end: 53:1.1.1.1:53/udp";
static const char why_which_proto[] = "the protocol behind / is tcp or udp";
static const char why_port_0[] = "a port is a number from 1 to 65535";
static const char why_reverse_stdio[] = "stdio is on this side: it cannot be reversed with R:";
static const char why_reverse_fd[] = "fd: names a descriptor of this process: it cannot be "
                                     "reversed with R:";
static const char why_udp_stream[] = "stdio and unix: carry streams, not /udp";

/* One piece between colons; "unix:/path" and "fd:name" are one. */
struct piece {
    char class; /* Host, Ports, Unix, Fd, proxy's word (S) */
    const char *p;
    size_t n;
};

struct pieces {
    struct piece v[PIECES_MAX];
    char classes[PIECES_MAX + 1];
    size_t n;
};

static const struct {
    const char *name;
    enum tws_remote_kind kind;
    const char *listen;
} words[] = {{"socks", TWS_REMOTE_SOCKS, LOOPBACK "1080"},
             {"http", TWS_REMOTE_HTTP, LOOPBACK "8080"},
             {"proxy", TWS_REMOTE_PROXY, LOOPBACK "1080"}};

#define NWORDS (sizeof words / sizeof *words)

/* What each string of classes means: its first `nlocal` pieces are where to listen. */
static const struct shape {
    const char *classes;
    uint8_t nlocal;
    const char *why; /* NULL: it is a form */
} shapes[] = {
    {"P", 0, NULL},           {"HP", 0, NULL},
    {"S", 0, NULL},           {"PP", 1, NULL},
    {"PHP", 1, NULL},         {"PU", 1, NULL},
    {"PS", 1, NULL},          {"HPHP", 2, NULL},
    {"HPU", 2, NULL},         {"HPS", 2, NULL},
    {"UP", 1, NULL},          {"UHP", 1, NULL},
    {"UU", 1, NULL},          {"US", 1, NULL},
    {"FP", 1, NULL},          {"FHP", 1, NULL},
    {"FU", 1, NULL},          {"FS", 1, NULL},
    {"H", 0, why_no_port},    {"PH", 0, why_no_port},
    {"HPH", 0, why_no_port},  {"HPP", 0, why_two_ports},
    {"U", 0, why_no_listen},  {"F", 0, why_no_target},
    {"HS", 0, why_word_host},
};

/* ---- cutting ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "80", "8000-8010", each perhaps with a protocol behind it. */
static bool is_ports(const char *p, size_t n)
{
    size_t i = 0;

    while (i < n && (is_digit(p[i]) || (i > 0 && p[i] == '-')))
        i++;
    return i > 0 && (i == n || p[i] == '/');
}

static size_t find_word(const char *p, size_t n)
{
    size_t i = 0;

    while (i < NWORDS && (strlen(words[i].name) != n || memcmp(words[i].name, p, n) != 0))
        i++;
    return i;
}

static bool equals(const struct piece *x, const char *text)
{
    return x->n == strlen(text) && memcmp(x->p, text, x->n) == 0;
}

/* The length of the piece that begins at `p`; SIZE_MAX: its brackets are wrong. */
static size_t piece_length(const char *p)
{
    if (*p != '[')
        return strcspn(p, ":");
    const char *close = strchr(p, ']');
    if (close == NULL || (close[1] != ':' && close[1] != '\0'))
        return SIZE_MAX;
    return (size_t)(close + 1 - p);
}

static char class_of(const struct piece *x, bool last)
{
    if (is_ports(x->p, x->n))
        return 'P';
    return last && find_word(x->p, x->n) < NWORDS ? 'S' : 'H';
}

/* One piece from *at on, which moves behind it and its colon; NULL behind the last. */
static tws_err cut_one(const char **at, struct piece *x, const char **why)
{
    size_t n = piece_length(*at);

    *why = n == 0 ? why_empty : why_brackets;
    if (n == 0 || n == SIZE_MAX)
        return TWS_ABSENT;
    *x = (struct piece){.p = *at, .n = n};
    const char *next = *at + n;
    if (*next == ':' && (equals(x, "unix") || equals(x, "fd"))) {
        x->class = equals(x, "unix") ? 'U' : 'F';
        next += 1 + strcspn(next + 1, ":");
        x->n = (size_t)(next - x->p);
    } else {
        x->class = class_of(x, *next == '\0');
    }
    *at = *next == ':' ? next + 1 : NULL;
    return TWS_OK;
}

static tws_err cut(const char *text, struct pieces *out, const char **why)
{
    *out = (struct pieces){.n = 0};
    while (text != NULL) {
        struct piece *x = &out->v[out->n];

        if (out->n == PIECES_MAX - 1) {
            *why = why_form;
            return TWS_ABSENT;
        }
        tws_err err = cut_one(&text, x, why);
        if (err != TWS_OK)
            return err;
        out->classes[out->n++] = x->class;
    }
    return TWS_OK;
}

static const struct shape *find_shape(const struct pieces *x, const char **why)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        if (strcmp(shapes[i].classes, x->classes) != 0)
            continue;
        *why = shapes[i].why;
        return shapes[i].why == NULL ? &shapes[i] : NULL;
    }
    *why = why_form;
    return NULL;
}

/* ---- reading ---- */

/* Takes "/udp" or "/tcp" off the end of the last piece. */
static tws_err take_protocol(struct pieces *x, struct tws_remote *r, const char **why)
{
    struct piece proto = {0};

    *why = why_proto;
    for (size_t i = 0; i < x->n; i++) {
        struct piece *v = &x->v[i];
        const char *slash = v->class == 'P' ? memchr(v->p, '/', v->n) : NULL;

        if (slash == NULL)
            continue;
        if (i + 1 != x->n)
            return TWS_ABSENT;
        proto = (struct piece){.p = slash + 1, .n = v->n - (size_t)(slash + 1 - v->p)};
        v->n = (size_t)(slash - v->p);
    }
    *why = why_which_proto;
    if (equals(&proto, "udp"))
        r->kind = TWS_REMOTE_UDP;
    return proto.p == NULL || r->kind == TWS_REMOTE_UDP || equals(&proto, "tcp") ? TWS_OK
                                                                                 : TWS_ABSENT;
}

/* The spot that pieces first..last-1 spell; ports alone are loopback's. */
static tws_err read_spot(const struct pieces *x, size_t first, size_t last, enum tws_spot_use use,
                         struct tws_spot *out, const char **why)
{
    const struct piece *a = &x->v[first], *z = &x->v[last - 1];
    const char *host = a->class == 'P' ? LOOPBACK : "";
    char text[TWS_SPOT_TEXT];
    size_t n = (size_t)(z->p + z->n - a->p);

    *why = why_form;
    if (strlen(host) + n >= sizeof text)
        return TWS_ABSENT;
    (void)snprintf(text, sizeof text, "%s%.*s", host, (int)n, a->p);
    return tws_spot_parse(text, use, out, why);
}

/* Where to listen when only the target is written. */
static tws_err default_listen(const struct pieces *x, struct tws_remote *r, const char **why)
{
    if (r->target.type == TWS_SPOT_NONE)
        return tws_spot_parse(words[find_word(x->v[0].p, x->v[0].n)].listen, TWS_SPOT_LISTEN,
                              &r->listen, why);
    r->listen = r->target;
    memcpy(r->listen.name, LOOPBACK, sizeof LOOPBACK);
    r->listen.name[sizeof LOOPBACK - 2] = '\0'; /* without its colon */
    return TWS_OK;
}

static tws_err read_target(const struct pieces *x, size_t nlocal, struct tws_remote *r,
                           const char **why)
{
    const struct piece *z = &x->v[x->n - 1];

    if (z->class != 'S')
        return read_spot(x, nlocal, x->n, TWS_SPOT_TARGET, &r->target, why);
    r->kind = words[find_word(z->p, z->n)].kind;
    return TWS_OK;
}

static tws_err read_spots(struct pieces *x, const struct shape *shape, struct tws_remote *r,
                          const char **why)
{
    tws_err err = take_protocol(x, r, why);

    if (err == TWS_OK)
        err = read_target(x, shape->nlocal, r, why);
    if (err == TWS_OK && shape->nlocal == 0)
        err = default_listen(x, r, why);
    else if (err == TWS_OK)
        err = read_spot(x, 0, shape->nlocal, TWS_SPOT_LISTEN, &r->listen, why);
    return err;
}

/* What is wrong with the parts together, or NULL. */
static const char *judge(const struct tws_remote *r)
{
    bool inet = r->listen.type == TWS_SPOT_INET;

    if (r->reverse && r->listen.type == TWS_SPOT_STDIO)
        return why_reverse_stdio;
    if (r->reverse && r->listen.type == TWS_SPOT_FD)
        return why_reverse_fd;
    if (r->kind == TWS_REMOTE_UDP && !inet && r->listen.type != TWS_SPOT_FD)
        return why_udp_stream;
    if (inet && r->listen.port == 0 && !r->reverse)
        return why_port_0; /* nobody would learn which one it became */
    if (r->target.type != TWS_SPOT_NONE && tws_spot_count(&r->listen) != tws_spot_count(&r->target))
        return why_counts;
    return NULL;
}

/* Writes *out if `r` is sound as a whole. */
static tws_err finish(const struct tws_remote *r, struct tws_remote *out, const char **why)
{
    *why = judge(r);
    if (*why != NULL)
        return TWS_ABSENT;
    *out = *r;
    return TWS_OK;
}

tws_err tws_remote_parse_stdio(const char *text, struct tws_remote *out, const char **why)
{
    struct tws_remote r = {.listen = {.type = TWS_SPOT_STDIO}};
    const char *colon = strrchr(text, ':');
    size_t n = colon != NULL ? (size_t)(colon - text) : 0;
    bool bare = text[0] != '[' && memchr(text, ':', n) != NULL && strncmp(text, "unix:", 5) != 0;
    char spot[TWS_SPOT_TEXT];

    *why = why_form;
    if (strlen(text) + sizeof LOOPBACK > sizeof spot)
        return TWS_ABSENT;
    if (bare)
        (void)snprintf(spot, sizeof spot, "[%.*s]%s", (int)n, text, colon);
    else
        (void)snprintf(spot, sizeof spot, "%s%s", is_ports(text, strlen(text)) ? LOOPBACK : "",
                       text);
    *why = why_no_port;
    if (strchr(spot, ':') == NULL)
        return TWS_ABSENT;
    *why = why_udp_stream;
    if (strchr(colon != NULL ? colon : text, '/') != NULL && strncmp(text, "unix:", 5) != 0)
        return TWS_ABSENT;
    tws_err err = tws_spot_parse(spot, TWS_SPOT_TARGET, &r.target, why);
    return err == TWS_OK ? finish(&r, out, why) : err;
}

tws_err tws_remote_parse(const char *text, struct tws_remote *out, const char **why)
{
    struct tws_remote r = {.reverse = strncmp(text, "R:", 2) == 0};
    const struct shape *shape = NULL;
    struct pieces x;

    text += r.reverse ? 2 : 0;
    if (strncmp(text, "stdio:", 6) == 0) {
        *why = why_reverse_stdio;
        return r.reverse ? TWS_ABSENT : tws_remote_parse_stdio(text + 6, out, why);
    }
    if (cut(text, &x, why) != TWS_OK)
        return TWS_ABSENT;
    shape = find_shape(&x, why);
    if (shape == NULL)
        return TWS_ABSENT;
    tws_err err = read_spots(&x, shape, &r, why);
    return err == TWS_OK ? finish(&r, out, why) : err;
}

/* ---- writing ---- */

static const char *target_word(const struct tws_remote *r)
{
    for (size_t i = 0; i < NWORDS; i++)
        if (words[i].kind == r->kind)
            return words[i].name;
    return NULL;
}

void tws_remote_format(const struct tws_remote *r, char *out, size_t cap)
{
    char listen[TWS_SPOT_TEXT], target[TWS_SPOT_TEXT];

    assert(cap >= TWS_REMOTE_TEXT);
    tws_spot_format(&r->listen, listen, sizeof listen);
    if (r->target.type == TWS_SPOT_NONE)
        (void)snprintf(target, sizeof target, "%s", target_word(r));
    else
        tws_spot_format(&r->target, target, sizeof target);
    (void)snprintf(out, cap, "%s%s:%s%s", r->reverse ? "R:" : "", listen, target,
                   r->kind == TWS_REMOTE_UDP ? "/udp" : "");
}
