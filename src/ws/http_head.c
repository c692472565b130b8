/* http_head.c - see http_head_priv.h. */
#include "http_head_priv.h"

#include <string.h>
#include <strings.h>

/* What the upgrade must have, one bit each. */
enum { UPGRADE = 1, CONNECTION = 2, PROTOCOL = 4, KEY = 8, VERSION = 16, SESSION = 32, ALL = 63 };

struct parse {
    struct tws_http_head *head;
    unsigned seen;
};

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct tws_span trim(struct tws_span s)
{
    while (s.n > 0 && is_space(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

static bool equal_nocase(struct tws_span s, const char *text)
{
    return s.n == strlen(text) && strncasecmp((const char *)s.p, text, s.n) == 0;
}

static bool equal(struct tws_span s, const char *text)
{
    return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

/* Takes the next element of a comma separated list off *s. */
static struct tws_span next_element(struct tws_span *s)
{
    const uint8_t *comma = s->n > 0 ? memchr(s->p, ',', s->n) : NULL;
    struct tws_span element = {s->p, comma != NULL ? (size_t)(comma - s->p) : s->n};
    size_t skip = element.n + (comma != NULL ? 1 : 0);

    s->p += skip;
    s->n -= skip;
    return trim(element);
}

static bool list_has(struct tws_span list, const char *text, bool nocase)
{
    while (list.n > 0) {
        struct tws_span e = next_element(&list);

        if (nocase ? equal_nocase(e, text) : equal(e, text))
            return true;
    }
    return false;
}

static struct tws_span last_element(struct tws_span list)
{
    struct tws_span e = {NULL, 0};

    while (list.n > 0)
        e = next_element(&list);
    return e;
}

static bool is_session(struct tws_span s)
{
    if (s.n != TWS_SESSION_TEXT)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return true;
}

static void take_field(struct parse *p, struct tws_span name, struct tws_span value)
{
    if (equal_nocase(name, "upgrade")) {
        p->seen |= equal_nocase(value, "websocket") ? UPGRADE : 0u;
    } else if (equal_nocase(name, "connection")) {
        p->seen |= list_has(value, "upgrade", true) ? CONNECTION : 0u;
    } else if (equal_nocase(name, "sec-websocket-protocol")) {
        p->seen |= list_has(value, TWS_SUBPROTOCOL, false) ? PROTOCOL : 0u;
    } else if (equal_nocase(name, "sec-websocket-key")) {
        p->seen |= value.n == 24 ? KEY : 0u;
    } else if (equal_nocase(name, "sec-websocket-version")) {
        p->seen |= equal(value, "13") ? VERSION : 0u;
    } else if (equal_nocase(name, TWS_SESSION_HEADER)) {
        if (is_session(value)) {
            p->seen |= SESSION;
            memcpy(p->head->session, value.p, value.n);
        }
    } else if (equal_nocase(name, "x-forwarded-for")) {
        p->head->forwarded_for = last_element(value);
    }
}

/* Takes a line off *in, without its CR LF (or bare LF); false: none is whole. */
static bool next_line(struct tws_span *in, struct tws_span *line)
{
    const uint8_t *lf = in->n > 0 ? memchr(in->p, '\n', in->n) : NULL;

    if (lf == NULL)
        return false;
    *line = (struct tws_span){in->p, (size_t)(lf - in->p)};
    in->n -= line->n + 1;
    in->p = lf + 1;
    if (line->n > 0 && line->p[line->n - 1] == '\r')
        line->n--;
    return true;
}

/* METHOD SP TARGET SP HTTP/1.x */
static bool parse_request_line(struct tws_span line, struct tws_http_head *out)
{
    const uint8_t *sp = memchr(line.p, ' ', line.n);

    if (sp == NULL || sp == line.p)
        return false;
    out->method = (struct tws_span){line.p, (size_t)(sp - line.p)};
    line.n -= out->method.n + 1;
    line.p = sp + 1;
    sp = line.n > 0 ? memchr(line.p, ' ', line.n) : NULL;
    if (sp == NULL || sp == line.p)
        return false;
    out->target = (struct tws_span){line.p, (size_t)(sp - line.p)};
    line.n -= out->target.n + 1;
    line.p = sp + 1;
    out->version11 = equal(line, "HTTP/1.1");
    for (size_t i = 0; i < out->target.n; i++)
        if (out->target.p[i] <= ' ' || out->target.p[i] == 127)
            return false;
    return out->version11 || equal(line, "HTTP/1.0");
}

static bool parse_field(struct tws_span line, struct parse *p)
{
    const uint8_t *colon = line.n > 0 ? memchr(line.p, ':', line.n) : NULL;
    struct tws_span name, value;

    if (colon == NULL || colon == line.p || is_space(line.p[0]))
        return false;
    name = (struct tws_span){line.p, (size_t)(colon - line.p)};
    value = (struct tws_span){colon + 1, line.n - name.n - 1};
    take_field(p, name, trim(value));
    return true;
}

/* An end of input: not whole, or too long to become it. */
static tws_err cut_short(struct tws_span in)
{
    return in.n >= TWS_HTTP_HEAD_MAX ? TWS_E_PROTOCOL : TWS_SHORT;
}

tws_err tws_http_head_parse(struct tws_span in, struct tws_http_head *out)
{
    struct tws_span rest = in, line;
    struct parse p = {.head = out};

    memset(out, 0, sizeof(*out));
    if (!next_line(&rest, &line))
        return cut_short(in);
    if (line.n == 0 || !parse_request_line(line, out))
        return TWS_E_PROTOCOL;
    for (;;) {
        if (!next_line(&rest, &line))
            return cut_short(in);
        if (line.n == 0)
            break;
        if (!parse_field(line, &p))
            return TWS_E_PROTOCOL;
    }
    out->size = in.n - rest.n;
    if (out->size > TWS_HTTP_HEAD_MAX)
        return TWS_E_PROTOCOL;
    out->upgrade = p.seen == ALL && out->version11 && equal(out->method, "GET");
    return TWS_OK;
}

struct tws_span tws_http_head_path(const struct tws_http_head *h)
{
    const uint8_t *query = memchr(h->target.p, '?', h->target.n);

    return (struct tws_span){h->target.p,
                             query != NULL ? (size_t)(query - h->target.p) : h->target.n};
}
