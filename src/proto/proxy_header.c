/* proxy_header.c - see proxy_header.h. */
#include "tws/proto/proxy_header.h"

#include <stdio.h>

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
