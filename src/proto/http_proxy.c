/* http_proxy.c - see tws/proto/http_proxy.h. */
#include "tws/proto/http_proxy.h"

#include "tws/base/secret.h"
#include "tws/base/text.h"
#include "tws/proto/code.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define BAD_REQUEST     400u
#define NOT_IMPLEMENTED 501u
#define WRONG_VERSION   505u

#define LENGTH_MAX (UINT64_C(1) << 62)

/* ---- characters and words ---- */

static bool is_control(uint8_t c)
{
    return c < 0x20 || c == 0x7f;
}

static bool is_token_char(uint8_t c)
{
    return c > 0x20 && c < 0x7f && strchr("\"(),/:;<=>?@[\\]{}", c) == NULL;
}

static bool is_token(struct tws_span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_token_char(s.p[i]))
            return false;
    return s.n > 0;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* `word` is in lower case. */
static bool is_word(struct tws_span s, const char *word)
{
    if (s.n != strlen(word))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (lower(s.p[i]) != (uint8_t)word[i])
            return false;
    return true;
}

static bool is_same(struct tws_span a, struct tws_span b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

static struct tws_span trim(struct tws_span s)
{
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = (struct tws_span){s.p + 1, s.n - 1};
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

/* Cuts `*rest` at the first `c`: what is before it comes out. Without one, all of it, and false. */
static bool cut(struct tws_span *rest, uint8_t c, struct tws_span *out)
{
    const uint8_t *at = rest->n == 0 ? NULL : memchr(rest->p, c, rest->n);

    *out = *rest;
    if (at == NULL) {
        *rest = (struct tws_span){rest->p + rest->n, 0};
        return false;
    }
    out->n = (size_t)(at - rest->p);
    *rest = (struct tws_span){at + 1, rest->n - out->n - 1};
    return true;
}

/* ---- lines ---- */

/* Bytes of the head with its empty line; TWS_E_PROTOCOL as soon as it can be no head. */
static tws_err find_end(struct tws_span in, size_t *n)
{
    for (size_t i = 0; i < in.n; i++) {
        uint8_t c = in.p[i], before = i > 0 ? in.p[i - 1] : 0;

        if (is_control(c) && c != '\r' && c != '\n' && c != '\t')
            return TWS_E_PROTOCOL;
        if ((c == '\n') != (before == '\r')) /* a line end is both */
            return TWS_E_PROTOCOL;
        if (c == '\n' && (i < 2 || in.p[i - 2] == '\n')) {
            *n = i + 1;
            return i < 2 ? TWS_E_PROTOCOL : TWS_OK;
        }
    }
    return TWS_SHORT;
}

/* The next line without its end; false: there is none. */
static bool next_line(struct tws_span *rest, struct tws_span *line)
{
    if (rest->n == 0)
        return false;
    cut(rest, '\n', line);
    line->n--;
    return true;
}

struct field {
    struct tws_span name, value;
};

/* TWS_ABSENT: the last one was read. */
static tws_err next_field(struct tws_span *rest, struct field *f)
{
    struct tws_span line;

    if (!next_line(rest, &line))
        return TWS_ABSENT;
    /* A folded line begins with a space, which no token has. */
    if (!cut(&line, ':', &f->name) || !is_token(f->name))
        return TWS_E_PROTOCOL;
    f->value = trim(line);
    return TWS_OK;
}

/* ---- the request line ---- */

static bool is_visible(struct tws_span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= 0x20 || s.p[i] == 0x7f || s.p[i] == '#')
            return false;
    return true;
}

static bool has_port(struct tws_span authority)
{
    for (size_t i = authority.n; i-- > 0 && authority.p[i] != ']';)
        if (authority.p[i] == ':')
            return true;
    return false;
}

/* "host:port"; with a `port` of its own it may be left out, or empty. */
static bool read_authority(struct tws_span text, unsigned port, struct tws_target *out)
{
    char copy[TWS_HOSTPORT_TEXT + 8];
    struct tws_hostport hp;
    bool bare = !has_port(text), empty = !bare && text.p[text.n - 1] == ':';

    if (text.n > TWS_HOSTPORT_TEXT || (port == 0 && (bare || empty)))
        return false;
    if (bare || empty)
        snprintf(copy, sizeof copy, "%.*s:%u", (int)(text.n - empty), (const char *)text.p, port);
    else
        snprintf(copy, sizeof copy, "%.*s", (int)text.n, (const char *)text.p);
    if (tws_hostport_parse(copy, &hp) != TWS_OK || hp.port == 0 || hp.host[0] == '\0')
        return false;
    tws_target_from_hostport(&hp, out);
    return true;
}

/* "http://authority/path?query" */
static unsigned read_url(struct tws_span url, struct tws_http_request *r)
{
    struct tws_span scheme;
    size_t n = 0;

    if (!cut(&url, ':', &scheme) || url.n < 2 || memcmp(url.p, "//", 2) != 0)
        return BAD_REQUEST;
    if (!is_word(scheme, "http"))
        return is_token(scheme) ? NOT_IMPLEMENTED : BAD_REQUEST;
    url = (struct tws_span){url.p + 2, url.n - 2};
    while (n < url.n && url.p[n] != '/' && url.p[n] != '?')
        n++;
    r->authority = (struct tws_span){url.p, n};
    r->path = (struct tws_span){url.p + n, url.n - n};
    return n > 0 && read_authority(r->authority, 80, &r->target) ? 0 : BAD_REQUEST;
}

static unsigned read_version(struct tws_span text, uint8_t *minor)
{
    if (text.n != 8 || memcmp(text.p, "HTTP/", 5) != 0 || text.p[6] != '.')
        return BAD_REQUEST;
    if (text.p[5] != '1' || (text.p[7] != '0' && text.p[7] != '1'))
        return WRONG_VERSION;
    *minor = text.p[7] == '1';
    return 0;
}

static unsigned read_request_line(struct tws_span line, struct tws_http_request *r)
{
    struct tws_span where;

    if (!cut(&line, ' ', &r->method) || !is_token(r->method) || !cut(&line, ' ', &where) ||
        where.n == 0 || !is_visible(where))
        return BAD_REQUEST;
    unsigned status = read_version(line, &r->minor);
    if (status != 0)
        return status;
    r->connect = r->method.n == 7 && memcmp(r->method.p, "CONNECT", 7) == 0;
    if (!r->connect)
        return read_url(where, r);
    return read_authority(where, 0, &r->target) ? 0 : BAD_REQUEST;
}

/* ---- the fields ---- */

struct seen {
    unsigned lengths, codings, hosts, logins;
    uint64_t length;
};

static bool read_length(struct tws_span value, uint64_t *out)
{
    char text[24];

    if (value.n == 0 || value.n >= sizeof text)
        return false;
    snprintf(text, sizeof text, "%.*s", (int)value.n, (const char *)value.p);
    return tws_text_u64(text, LENGTH_MAX, out) == TWS_OK;
}

static struct tws_span read_login(struct tws_span value)
{
    struct tws_span scheme;

    cut(&value, ' ', &scheme);
    return is_word(scheme, "basic") ? trim(value) : (struct tws_span){value.p, 0};
}

/* What the request's framing, target or login hang on. */
static unsigned note_field(const struct field *f, struct tws_http_request *r, struct seen *s)
{
    if (is_word(f->name, "content-length")) {
        s->lengths++;
        return read_length(f->value, &s->length) ? 0 : BAD_REQUEST;
    }
    if (is_word(f->name, "transfer-encoding")) {
        s->codings++;
        return is_word(f->value, "chunked") ? 0 : NOT_IMPLEMENTED;
    }
    if (is_word(f->name, "proxy-authorization")) {
        s->logins++;
        r->login = read_login(f->value);
    }
    s->hosts += is_word(f->name, "host");
    return 0;
}

static unsigned judge(const struct seen *s, struct tws_http_request *r)
{
    if (s->lengths > 1 || s->codings > 1 || s->hosts > 1 || s->logins > 1 ||
        (s->lengths > 0 && s->codings > 0) || (s->codings > 0 && r->minor == 0))
        return BAD_REQUEST;
    if (r->connect) /* what follows is the tunnel's; nobody shall think it a body */
        return s->codings > 0 || s->length > 0 ? BAD_REQUEST : 0;
    r->body = s->codings > 0 ? tws_http_body_chunked() : tws_http_body_of_length(s->length);
    return 0;
}

static unsigned read_fields(struct tws_http_request *r)
{
    struct tws_span rest = r->fields;
    struct seen seen = {0};
    struct field f;
    unsigned status = 0;
    tws_err err;

    while (status == 0 && (err = next_field(&rest, &f)) != TWS_ABSENT)
        status = err == TWS_OK ? note_field(&f, r, &seen) : BAD_REQUEST;
    return status != 0 ? status : judge(&seen, r);
}

tws_err tws_http_request_read(struct tws_span in, struct tws_http_request *out, unsigned *status)
{
    struct tws_http_request r = {0};
    struct tws_span rest, line;
    tws_err err = find_end(in, &r.n);

    *status = BAD_REQUEST;
    if (err != TWS_OK)
        return err;
    rest = (struct tws_span){in.p, r.n - 2};
    next_line(&rest, &line);
    r.fields = rest;
    *status = read_request_line(line, &r);
    if (*status == 0)
        *status = read_fields(&r);
    if (*status != 0)
        return TWS_E_PROTOCOL;
    *out = r;
    return TWS_OK;
}

/* ---- rewriting ---- */

/* Fields that concern one connection (RFC 9110, 7.6.1), or the proxy, or that are written anew. */
static const char *const dropped[] = {
    "connection",          "proxy-connection",   "keep-alive",     "te", "upgrade", "host",
    "proxy-authorization", "proxy-authenticate", "http2-settings",
};

static bool is_dropped(struct tws_span name)
{
    for (size_t i = 0; i < sizeof dropped / sizeof *dropped; i++)
        if (is_word(name, dropped[i]))
            return true;
    return false;
}

static bool is_listed(struct tws_span list, struct tws_span name)
{
    struct tws_span item;

    while (list.n > 0) {
        cut(&list, ',', &item);
        if (is_same(trim(item), name))
            return true;
    }
    return false;
}

/* Whether a Connection field names it. The body's framing stays whoever names it. */
static bool is_hop_by_hop(const struct tws_http_request *r, struct tws_span name)
{
    struct tws_span rest = r->fields;
    struct field f;

    if (is_word(name, "content-length") || is_word(name, "transfer-encoding"))
        return false;
    while (next_field(&rest, &f) == TWS_OK)
        if (is_word(f.name, "connection") && is_listed(f.value, name))
            return true;
    return false;
}

static void write_text(struct tws_writer *w, const char *text)
{
    tws_write_bytes(w, text, strlen(text));
}

static void write_span(struct tws_writer *w, struct tws_span s)
{
    tws_write_bytes(w, s.p, s.n);
}

static void write_path(struct tws_writer *w, const struct tws_http_request *r)
{
    if (r->path.n == 0 && is_word(r->method, "options"))
        write_text(w, "*"); /* RFC 9112, 3.2.4 */
    else if (r->path.n == 0 || r->path.p[0] != '/')
        write_text(w, "/");
    write_span(w, r->path);
}

/* As it came, but for spaces at its end. */
static void write_field(struct tws_writer *w, const struct field *f)
{
    tws_write_bytes(w, f->name.p, (size_t)(f->value.p - f->name.p) + f->value.n);
    write_text(w, "\r\n");
}

void tws_http_rewrite(struct tws_writer *w, const struct tws_http_request *r)
{
    struct tws_span rest = r->fields;
    struct field f;

    write_span(w, r->method);
    write_text(w, " ");
    write_path(w, r);
    write_text(w, r->minor == 1 ? " HTTP/1.1\r\nHost: " : " HTTP/1.0\r\nHost: ");
    write_span(w, r->authority);
    write_text(w, "\r\n");
    while (next_field(&rest, &f) == TWS_OK)
        if (!is_dropped(f.name) && !is_hop_by_hop(r, f.name))
            write_field(w, &f);
    write_text(w, "Connection: close\r\n\r\n");
}

/* ---- logins ---- */

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The i-th of the bytes of "user:password", 0 behind them. */
static uint8_t login_byte(const char *user, size_t user_n, const char *password, size_t i)
{
    if (i < user_n)
        return (uint8_t)user[i];
    if (i == user_n)
        return ':';
    return i - user_n - 1 < strlen(password) ? (uint8_t)password[i - user_n - 1] : 0;
}

bool tws_http_login_is(struct tws_span login, const char *user, const char *password)
{
    size_t user_n = strlen(user), n = user_n + 1 + strlen(password);
    uint8_t differs = 0;

    if (login.n != (n + 2) / 3 * 4)
        return false;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t bits = (uint32_t)login_byte(user, user_n, password, i) << 16 |
                        (uint32_t)login_byte(user, user_n, password, i + 1) << 8 |
                        login_byte(user, user_n, password, i + 2);
        for (unsigned k = 0; k < 4; k++) {
            uint8_t want = i + k > n ? '=' : (uint8_t)base64_digits[bits >> (18 - 6 * k) & 63];
            differs |= login.p[i / 3 * 4 + k] ^ want;
        }
    }
    return differs == 0;
}

/* ---- answers ---- */

static const char *status_text(unsigned status)
{
    switch (status) {
    case 400:
        return "Bad Request";
    case 403:
        return "Forbidden";
    case 407:
        return "Proxy Authentication Required";
    case 408:
        return "Request Timeout";
    case 431:
        return "Request Header Fields Too Large";
    case 501:
        return "Not Implemented";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Internal Server Error";
    }
}

void tws_http_write_answer(struct tws_writer *w, unsigned status, const char *reason)
{
    char text[TWS_HTTP_ANSWER_MAX];
    int n = snprintf(text, sizeof text,
                     "HTTP/1.1 %u %s\r\n%sContent-Type: text/plain\r\nContent-Length: %zu\r\n"
                     "Connection: close\r\n\r\n%s\n",
                     status, status_text(status),
                     status == 407 ? "Proxy-Authenticate: Basic realm=\"tws\"\r\n" : "",
                     strlen(reason) + 1, reason);

    assert(n > 0 && (size_t)n < sizeof text);
    tws_write_bytes(w, text, (size_t)n);
}

void tws_http_write_connected(struct tws_writer *w)
{
    write_text(w, "HTTP/1.1 200 Connection established\r\n\r\n");
}

unsigned tws_http_status_of(uint16_t code)
{
    switch (code) {
    case TWS_CODE_FORBIDDEN:
        return 403;
    case TWS_CODE_TIMEOUT:
        return 504;
    case TWS_CODE_RESOURCES:
    case TWS_CODE_SHUTDOWN:
    case TWS_CODE_SERVER_RESTARTED:
    case TWS_CODE_REVOKED:
        return 503;
    default:
        return 502;
    }
}
