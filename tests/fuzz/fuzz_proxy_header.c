/*
 * fuzz_proxy_header.c - properties of PROXY protocol headers, for any bytes at all:
 *   1. a part of a header is SHORT or already wrong, never another header;
 *   2. what is read lies within the input and within its bound;
 *   3. what is known, written again in either version, reads back the same.
 */
#include "fuzz.h"

#include "tws/proto/proxy_header.h"

#include <string.h>

static void check_back(const struct tws_proxy_header *h, struct tws_span written)
{
    struct tws_proxy_header back;
    size_t used = 0;

    REQUIRE(tws_proxy_header_read(written, &back, &used) == TWS_OK && used == written.n);
    REQUIRE(back.known && tws_ip_equal(&back.source, &h->source) &&
            tws_ip_equal(&back.destination, &h->destination));
    REQUIRE(back.source_port == h->source_port && back.destination_port == h->destination_port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tws_proxy_header h, part;
    uint8_t line[TWS_PROXY_V1_MAX], block[TWS_PROXY_V2_MAX];
    struct tws_writer v1 = tws_writer(line, sizeof line), v2 = tws_writer(block, sizeof block);
    size_t used = 0;
    tws_err err = tws_proxy_header_read((struct tws_span){data, size}, &h, &used);

    REQUIRE(err == TWS_OK || err == TWS_SHORT || err == TWS_E_PROTOCOL);
    if (err != TWS_OK)
        return 0;
    REQUIRE(used <= size && used <= TWS_PROXY_READ_MAX);
    for (size_t i = 0; i < used; i++)
        REQUIRE(tws_proxy_header_read((struct tws_span){data, i}, &part, &used) == TWS_SHORT);
    if (!h.known)
        return 0;
    tws_proxy_header_write_v1(&v1, &h);
    tws_proxy_header_write_v2(&v2, &h);
    REQUIRE(!v1.failed && !v2.failed);
    check_back(&h, (struct tws_span){line, v1.len});
    check_back(&h, (struct tws_span){block, v2.len});
    return 0;
}
