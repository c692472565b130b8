/* proxy_header.c - see proxy_header.h. */
#include "tws/proto/proxy_header.h"

#include "tws/base/text.h"

#include <stdio.h>
#include <string.h>

#define VERSION_2 0x20
#define LOCAL     0x00
#define PROXIED   0x01
#define OVER_TCP4 0x11
#define OVER_TCP6 0x21

static const uint8_t signature[12] = "\r\n\r\n\0\r\nQUIT\n";

static bool is_address(const struct tws_target *t)
{
    return t->type == TWS_TARGET_IPV4 || t->type == TWS_TARGET_IPV6;
}

void tws_proxy_header_make(const struct tws_target *source, const struct tws_target *destination,
                           struct tws_proxy_header *out)
{
    *out = (struct tws_proxy_header){.known = is_address(source)};
    if (!out->known)
        return;
    out->source = tws_ip_unmap(source->ip);
    out->source_port = source->port;
    out->destination_port = destination->port;
    if (is_address(destination))
        out->destination = tws_ip_unmap(destination->ip);
    if (out->destination.family != out->source.family)
        out->destination = (struct tws_ip){.family = out->source.family};
}

void tws_proxy_header_write_v1(struct tws_writer *w, const struct tws_proxy_header *h)
{
    static const char unknown[] = "PROXY UNKNOWN\r\n";
    char line[TWS_PROXY_V1_MAX + 1], from[TWS_IP_TEXT], to[TWS_IP_TEXT];

    if (!h->known) {
        tws_write_bytes(w, unknown, sizeof unknown - 1);
        return;
    }
    tws_ip_format(&h->source, from, sizeof from);
    tws_ip_format(&h->destination, to, sizeof to);
    int n =
        snprintf(line, sizeof line, "PROXY TCP%c %s %s %u %u\r\n",
                 h->source.family == 4 ? '4' : '6', from, to, h->source_port, h->destination_port);
    tws_write_bytes(w, line, (size_t)n);
}

void tws_proxy_header_write_v2(struct tws_writer *w, const struct tws_proxy_header *h)
{
    size_t address = h->source.family == 4 ? 4 : 16;

    tws_write_bytes(w, signature, sizeof signature);
    tws_write_u8(w, VERSION_2 | (h->known ? PROXIED : LOCAL));
    if (!h->known) {
        tws_write_zeros(w, 3);
        return;
    }
    tws_write_u8(w, address == 4 ? OVER_TCP4 : OVER_TCP6);
    tws_write_u16(w, (uint16_t)(2 * address + 4));
    tws_write_bytes(w, h->source.bytes, address);
    tws_write_bytes(w, h->destination.bytes, address);
    tws_write_u16(w, h->source_port);
    tws_write_u16(w, h->destination_port);
}

/* ---- reading ---- */

#define V2_HEAD 16 /* signature, version and command, family, length */

enum { FAMILY_UNSPECIFIED, FAMILY_IPV4, FAMILY_IPV6, FAMILY_UNIX };
enum { OVER_UNSPECIFIED, OVER_STREAM, OVER_DATAGRAM };

/* Whether `in` begins with `word`, as far as it goes. */
static bool may_begin(struct tws_span in, const void *word, size_t n)
{
    return in.n == 0 || memcmp(in.p, word, in.n < n ? in.n : n) == 0;
}

static void unmap(struct tws_proxy_header *h)
{
    struct tws_ip source = tws_ip_unmap(h->source), destination = tws_ip_unmap(h->destination);

    if (source.family != destination.family)
        return; /* both are of one family */
    h->source = source;
    h->destination = destination;
}

/* The next word of the line, with a NUL behind it; "" if there is none, or none that fits. */
static void next_word(char **at, const char **word)
{
    char *end = strchr(*at, ' ');

    *word = *at;
    if (end == NULL) {
        *at += strlen(*at);
        return;
    }
    *end = '\0';
    *at = end + 1;
}

static bool read_address(const char *word, uint8_t family, struct tws_ip *out)
{
    return tws_ip_parse(word, out) == TWS_OK && out->family == family;
}

static bool read_port(const char *word, uint16_t *out)
{
    uint64_t v = 0;

    if (tws_text_u64(word, UINT16_MAX, &v) != TWS_OK)
        return false;
    *out = (uint16_t)v;
    return true;
}

/* The line behind "PROXY ", which is cut up. */
static tws_err read_line(char *at, struct tws_proxy_header *h)
{
    const char *family, *from, *to, *from_port, *to_port;

    next_word(&at, &family);
    if (strcmp(family, "UNKNOWN") == 0)
        return TWS_OK; /* whatever follows it */
    if (strcmp(family, "TCP4") != 0 && strcmp(family, "TCP6") != 0)
        return TWS_E_PROTOCOL;
    next_word(&at, &from);
    next_word(&at, &to);
    next_word(&at, &from_port);
    to_port = at; /* with a space behind it, it is no number */
    uint8_t ip = (uint8_t)(family[3] - '0');
    if (!read_address(from, ip, &h->source) || !read_address(to, ip, &h->destination) ||
        !read_port(from_port, &h->source_port) || !read_port(to_port, &h->destination_port))
        return TWS_E_PROTOCOL;
    h->known = true;
    return TWS_OK;
}

static tws_err read_v1(struct tws_span in, struct tws_proxy_header *h, size_t *used)
{
    static const char begin[] = "PROXY ";
    char line[TWS_PROXY_V1_MAX + 1];
    size_t n = in.n < TWS_PROXY_V1_MAX ? in.n : TWS_PROXY_V1_MAX;

    if (!may_begin(in, begin, sizeof begin - 1))
        return TWS_E_PROTOCOL;
    const uint8_t *end = in.n == 0 ? NULL : memchr(in.p, '\n', n);
    if (end == NULL)
        return n == TWS_PROXY_V1_MAX ? TWS_E_PROTOCOL : TWS_SHORT;
    n = (size_t)(end - in.p);
    if (n < sizeof begin || in.p[n - 1] != '\r' || memchr(in.p, '\0', n) != NULL)
        return TWS_E_PROTOCOL;
    memcpy(line, in.p, n - 1);
    line[n - 1] = '\0';
    *used = n + 1;
    return read_line(line + sizeof begin - 1, h);
}

static void read_ends(struct tws_reader *r, uint8_t family, struct tws_proxy_header *h)
{
    size_t n = family == 4 ? 4 : 16;

    h->source.family = h->destination.family = family;
    tws_read_bytes(r, h->source.bytes, n);
    tws_read_bytes(r, h->destination.bytes, n);
    h->source_port = tws_read_u16(r);
    h->destination_port = tws_read_u16(r);
    h->known = true;
}

/* What the bytes behind the head say. */
static tws_err read_v2_body(uint8_t command, uint8_t kind, struct tws_reader *r,
                            struct tws_proxy_header *h)
{
    uint8_t family = kind >> 4, over = kind & 15;

    if ((command & 0xf0) != VERSION_2 || (command & 15) > PROXIED || family > FAMILY_UNIX ||
        over > OVER_DATAGRAM)
        return TWS_E_PROTOCOL;
    if ((command & 15) == LOCAL || over != OVER_STREAM)
        return TWS_OK;
    if (family == FAMILY_IPV4 || family == FAMILY_IPV6)
        read_ends(r, family == FAMILY_IPV4 ? 4 : 6, h);
    return r->failed ? TWS_E_PROTOCOL : TWS_OK;
}

static tws_err read_v2(struct tws_span in, struct tws_proxy_header *h, size_t *used)
{
    size_t n;

    if (in.n < V2_HEAD)
        return TWS_SHORT;
    n = tws_get16(in.p + 14);
    if (n > TWS_PROXY_READ_MAX - V2_HEAD)
        return TWS_E_PROTOCOL;
    if (in.n - V2_HEAD < n)
        return TWS_SHORT;
    struct tws_reader r = tws_reader((struct tws_span){in.p + V2_HEAD, n});
    *used = V2_HEAD + n;
    return read_v2_body(in.p[12], in.p[13], &r, h);
}

tws_err tws_proxy_header_read(struct tws_span in, struct tws_proxy_header *out, size_t *used)
{
    struct tws_proxy_header h = {0};
    tws_err err =
        may_begin(in, signature, sizeof signature) ? read_v2(in, &h, used) : read_v1(in, &h, used);

    if (err != TWS_OK)
        return err;
    if (h.known)
        unmap(&h);
    *out = h;
    return TWS_OK;
}
