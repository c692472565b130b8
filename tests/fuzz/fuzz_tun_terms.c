/*
 * fuzz_tun_terms.c - properties of a TUN channel's terms, for any bytes at all: what is read has an
 * address, is written as a list that reads back the same, and never longer than announced.
 */
#include "fuzz.h"

#include "tws/proto/tun_terms.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t bytes[TWS_TUN_TERMS_MAX];
    struct tws_writer w = tws_writer(bytes, sizeof bytes);
    struct tws_tun_terms t, back;

    tws_err err = tws_tun_terms_read((struct tws_span){data, size}, &t);
    if (err != TWS_OK) {
        REQUIRE(err == TWS_E_PROTOCOL);
        return 0;
    }
    REQUIRE(t.address[TWS_TUN_V4].ip.family == 4 || t.address[TWS_TUN_V6].ip.family == 6);
    tws_tun_terms_write(&w, &t);
    REQUIRE(!w.failed && w.len <= size);
    REQUIRE(tws_tun_terms_read((struct tws_span){bytes, w.len}, &back) == TWS_OK);
    for (int i = 0; i < TWS_TUN_FAMILIES; i++)
        REQUIRE(tws_ip_equal(&t.address[i].ip, &back.address[i].ip) &&
                t.address[i].bits == back.address[i].bits);
    REQUIRE(t.mtu == back.mtu);
    return 0;
}
