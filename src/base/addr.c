/*
 * addr.c - see addr.h.
 *
 * Parsing is strict: four decimal parts without leading zeros (some C libraries read those as
 * octal), ports and prefix lengths likewise. Prefixes inside ::ffff:0:0/96 are kept as IPv4, and
 * addresses are unmapped before they are judged, so each address has one form here.
 */
#include "tws/base/addr.h"

#include "tws/base/text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Decimal digits without leading zeros, at most `max`; NULL if there are none or it is greater. */
static const char *parse_decimal(const char *s, unsigned max, unsigned *out)
{
    unsigned v = 0;

    if (!is_digit(*s) || (s[0] == '0' && is_digit(s[1])))
        return NULL;
    for (; is_digit(*s); s++) {
        v = v * 10 + (unsigned)(*s - '0');
        if (v > max)
            return NULL;
    }
    *out = v;
    return s;
}

static bool parse_v4(const char *s, uint8_t *out)
{
    unsigned part;

    for (int i = 0; i < 4; i++) {
        if (i > 0 && *s++ != '.')
            return false;
        s = parse_decimal(s, 255, &part);
        if (s == NULL)
            return false;
        out[i] = (uint8_t)part;
    }
    return *s == '\0';
}

/* One to four hex digits into two bytes; NULL if there are none. */
static const char *parse_group(const char *s, uint8_t *out)
{
    unsigned v = 0;
    int n = 0;

    for (; n < 4 && tws_hex_digit((unsigned char)*s) >= 0; n++, s++)
        v = v << 4 | (unsigned)tws_hex_digit((unsigned char)*s);
    out[0] = (uint8_t)(v >> 8);
    out[1] = (uint8_t)v;
    return n > 0 ? s : NULL;
}

/* Opens the "::" that stood at byte `gap` of `n`; it must stand for at least one group. */
static bool spread(uint8_t *b, size_t n, int gap)
{
    if (gap < 0)
        return n == 16;
    if (n > 14)
        return false;
    size_t tail = n - (size_t)gap;
    memmove(b + 16 - tail, b + gap, tail);
    memset(b + gap, 0, 16 - n);
    return true;
}

static bool parse_v6(const char *s, uint8_t *b)
{
    size_t n = 0;
    int gap = -1;

    if (s[0] == ':') {
        if (s[1] != ':')
            return false;
        gap = 0;
        s += 2;
    }
    while (*s != '\0') {
        if (n <= 12 && parse_v4(s, b + n)) {
            n += 4;
            break;
        }
        if (n == 16 || (s = parse_group(s, b + n)) == NULL)
            return false;
        n += 2;
        if (*s == '\0')
            break;
        if (*s++ != ':' || *s == '\0')
            return false;
        if (*s == ':') {
            if (gap >= 0)
                return false;
            gap = (int)n;
            s++;
        }
    }
    return spread(b, n, gap);
}

tws_err tws_ip_parse(const char *text, struct tws_ip *out)
{
    struct tws_ip ip = {0};

    if (parse_v4(text, ip.bytes)) {
        ip.family = 4;
    } else {
        ip = (struct tws_ip){.family = 6};
        if (!parse_v6(text, ip.bytes))
            return TWS_ABSENT;
    }
    *out = ip;
    return TWS_OK;
}

/* Where the longest run of at least two zero groups starts and ends (RFC 5952, 4.2); 8, 8: none. */
static void longest_zeros(const uint8_t *b, int *from, int *to)
{
    *from = *to = 8;
    int best = 1;

    for (int i = 0; i < 8; i++) {
        int end = i;
        while (end < 8 && b[2 * end] == 0 && b[2 * end + 1] == 0)
            end++;
        if (end - i > best) {
            best = end - i;
            *from = i;
            *to = end;
        }
    }
}

static void format_v6(const uint8_t *b, char *out, size_t cap)
{
    size_t n = 0;
    int from, to;

    if (memcmp(b, mapped, sizeof mapped) == 0) { /* RFC 5952, 5 */
        (void)snprintf(out, cap, "::ffff:%u.%u.%u.%u", b[12], b[13], b[14], b[15]);
        return;
    }
    longest_zeros(b, &from, &to);
    for (int i = 0; i < 8; i++) {
        if (i == from) {
            n += (size_t)snprintf(out + n, cap - n, "::");
            i = to - 1;
            continue;
        }
        const char *colon = i == 0 || i == to ? "" : ":";
        n += (size_t)snprintf(out + n, cap - n, "%s%x", colon,
                              (unsigned)(b[2 * i] << 8 | b[2 * i + 1]));
    }
}

void tws_ip_format(const struct tws_ip *ip, char *out, size_t cap)
{
    const uint8_t *b = ip->bytes;

    assert(cap >= TWS_IP_TEXT);
    if (ip->family == 4)
        (void)snprintf(out, cap, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
    else if (ip->family == 6)
        format_v6(b, out, cap);
    else
        (void)snprintf(out, cap, "none");
}

bool tws_ip_equal(const struct tws_ip *a, const struct tws_ip *b)
{
    if (a->family != b->family)
        return false;
    return memcmp(a->bytes, b->bytes, a->family == 4 ? 4 : 16) == 0;
}

struct tws_ip tws_ip_unmap(struct tws_ip ip)
{
    if (ip.family != 6 || memcmp(ip.bytes, mapped, sizeof mapped) != 0)
        return ip;
    struct tws_ip v4 = {.family = 4};
    memcpy(v4.bytes, ip.bytes + 12, 4);
    return v4;
}

/* The reserved ranges, as what a rule would say about them. */
struct range {
    uint8_t bits;
    uint8_t v4[4]; /* family 4 when bits6 is 0 */
    uint8_t bits6, v6[16];
};

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

static bool in_range(const struct tws_ip *ip, const struct range *r)
{
    struct tws_ip a = tws_ip_unmap(*ip);

    if (a.family == 4)
        return same_bits(a.bytes, r->v4, r->bits);
    return a.family == 6 && same_bits(a.bytes, r->v6, r->bits6);
}

bool tws_ip_is_loopback(const struct tws_ip *ip)
{
    static const struct range r = {8, {127}, 128, {[15] = 1}};
    return in_range(ip, &r);
}

bool tws_ip_is_link_local(const struct tws_ip *ip)
{
    static const struct range r = {16, {169, 254}, 10, {0xfe, 0x80}};
    return in_range(ip, &r);
}

bool tws_ip_is_multicast(const struct tws_ip *ip)
{
    static const struct range r = {4, {224}, 8, {0xff}};
    static const struct range broadcast = {32, {255, 255, 255, 255}, 8, {0xff}};
    return in_range(ip, &r) || in_range(ip, &broadcast);
}

bool tws_ip_is_unspecified(const struct tws_ip *ip)
{
    static const struct range r = {8, {0}, 128, {0}};
    return in_range(ip, &r);
}

static bool host_bits_clear(const uint8_t *b, size_t n, unsigned bits)
{
    for (unsigned i = bits; i < n * 8; i++)
        if (b[i / 8] >> (7 - i % 8) & 1)
            return false;
    return true;
}

tws_err tws_prefix_parse(const char *text, struct tws_prefix *out)
{
    char ip[TWS_IP_TEXT];
    const char *slash = strchr(text, '/');
    size_t n = slash != NULL ? (size_t)(slash - text) : strlen(text);
    struct tws_prefix p;

    if (n >= sizeof ip)
        return TWS_ABSENT;
    memcpy(ip, text, n);
    ip[n] = '\0';
    if (tws_ip_parse(ip, &p.ip) != TWS_OK)
        return TWS_ABSENT;

    size_t len = p.ip.family == 4 ? 4 : 16;
    unsigned bits = (unsigned)len * 8;
    if (slash != NULL) {
        const char *end = parse_decimal(slash + 1, bits, &bits);
        if (end == NULL || *end != '\0')
            return TWS_ABSENT;
    }
    if (!host_bits_clear(p.ip.bytes, len, bits))
        return TWS_ABSENT;
    struct tws_ip v4 = tws_ip_unmap(p.ip);
    if (v4.family != p.ip.family && bits >= 96) {
        p.ip = v4;
        bits -= 96;
    }
    p.bits = (uint8_t)bits;
    *out = p;
    return TWS_OK;
}

bool tws_prefix_equal(const struct tws_prefix *a, const struct tws_prefix *b)
{
    return a->bits == b->bits && tws_ip_equal(&a->ip, &b->ip);
}

/* The address with its host bits all 0, or all 1. */
static struct tws_ip end_of(const struct tws_prefix *p, bool last)
{
    struct tws_ip ip = p->ip;
    unsigned bits = ip.family == 4 ? 32 : 128;

    for (unsigned i = p->bits; i < bits; i++) {
        uint8_t bit = (uint8_t)(0x80u >> i % 8);
        if (last)
            ip.bytes[i / 8] |= bit;
        else
            ip.bytes[i / 8] &= (uint8_t)~bit;
    }
    return ip;
}

struct tws_ip tws_prefix_first(const struct tws_prefix *p)
{
    return end_of(p, false);
}

struct tws_ip tws_prefix_last(const struct tws_prefix *p)
{
    return end_of(p, true);
}

bool tws_prefix_contains(const struct tws_prefix *p, const struct tws_ip *ip)
{
    struct tws_ip a = tws_ip_unmap(*ip);

    return a.family != 0 && a.family == p->ip.family && same_bits(a.bytes, p->ip.bytes, p->bits);
}

bool tws_prefix_covers(const struct tws_prefix *p, const struct tws_prefix *q)
{
    return p->bits <= q->bits && p->ip.family == q->ip.family && tws_prefix_contains(p, &q->ip);
}

void tws_prefix_format(const struct tws_prefix *p, char *out, size_t cap)
{
    char ip[TWS_IP_TEXT];

    assert(cap >= TWS_PREFIX_TEXT);
    tws_ip_format(&p->ip, ip, sizeof ip);
    (void)snprintf(out, cap, "%s/%u", ip, p->bits);
}

/* Letters, digits, '-', '.' and '_': what a resolver takes and no rule can misread. */
static bool is_host_char(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.' || c == '_';
}

bool tws_host_is_plain(const char *host)
{
    size_t n = 0;

    while (is_host_char(host[n]))
        n++;
    return n > 0 && host[n] == '\0';
}

/* The host of text[0..n) into out->host; false if it is not one. */
static bool parse_host(const char *text, size_t n, struct tws_hostport *out)
{
    struct tws_ip ip;

    if (n == 1 && text[0] == '*')
        n = 0;
    bool bracketed = n >= 2 && text[0] == '[' && text[n - 1] == ']';
    if (bracketed) {
        text++;
        n -= 2;
    }
    if (n > TWS_HOST_MAX)
        return false;
    for (size_t i = 0; i < n && !bracketed; i++)
        if (!is_host_char(text[i]))
            return false;
    memcpy(out->host, text, n);
    out->host[n] = '\0';
    return !bracketed || (tws_ip_parse(out->host, &ip) == TWS_OK && ip.family == 6);
}

tws_err tws_hostport_parse(const char *text, struct tws_hostport *out)
{
    struct tws_hostport hp;
    unsigned port;
    const char *colon = strrchr(text, ':');

    if (colon == NULL)
        return TWS_ABSENT;
    const char *end = parse_decimal(colon + 1, 65535, &port);
    if (end == NULL || *end != '\0' || !parse_host(text, (size_t)(colon - text), &hp))
        return TWS_ABSENT;
    hp.port = (uint16_t)port;
    *out = hp;
    return TWS_OK;
}

void tws_hostport_format(const struct tws_hostport *hp, char *out, size_t cap)
{
    const char *host = hp->host[0] != '\0' ? hp->host : "*";
    bool v6 = strchr(host, ':') != NULL;

    assert(cap >= TWS_HOSTPORT_TEXT);
    (void)snprintf(out, cap, v6 ? "[%s]:%u" : "%s:%u", host, hp->port);
}
