/*
 * fuzz_addr.c - properties of texts that name addresses, numbers and bytes, for any text at all:
 *   1. an address, or host and port, that is read is shown as a text that reads back the same;
 *   2. a prefix contains its own address, and only addresses of its family;
 *   3. hex and base64url have exactly one text for each value;
 *   4. a number that is read is within its limit.
 */
#include "fuzz.h"

#include "tws/base/addr.h"
#include "tws/base/text.h"

#include <string.h>

static void check_ip(const char *text)
{
    char shown[TWS_IP_TEXT], again[TWS_IP_TEXT];
    struct tws_ip ip, back;

    if (tws_ip_parse(text, &ip) != TWS_OK)
        return;
    tws_ip_format(&ip, shown, sizeof shown);
    REQUIRE(tws_ip_parse(shown, &back) == TWS_OK && tws_ip_equal(&ip, &back));
    tws_ip_format(&back, again, sizeof again);
    REQUIRE(strcmp(shown, again) == 0);
    struct tws_ip v4 = tws_ip_unmap(ip);
    REQUIRE(tws_ip_is_loopback(&v4) == tws_ip_is_loopback(&ip));
    REQUIRE(tws_ip_is_link_local(&v4) + tws_ip_is_multicast(&v4) + tws_ip_is_unspecified(&v4) +
                tws_ip_is_loopback(&v4) <=
            1);
}

static void check_prefix(const char *text)
{
    struct tws_prefix p;

    if (tws_prefix_parse(text, &p) != TWS_OK)
        return;
    REQUIRE(p.bits <= (p.ip.family == 4 ? 32 : 128));
    struct tws_ip other = p.ip;
    other.family = p.ip.family == 4 ? 6 : 4;
    /* ::/n with n < 96 is IPv6 and holds ::ffff:0:0/96 on paper; those are IPv4 to us */
    if (tws_ip_unmap(p.ip).family == p.ip.family)
        REQUIRE(tws_prefix_contains(&p, &p.ip));
    if (tws_ip_unmap(other).family == other.family)
        REQUIRE(!tws_prefix_contains(&p, &other));
}

static void check_hostport(const char *text)
{
    char shown[TWS_HOSTPORT_TEXT];
    struct tws_hostport hp, back;

    if (tws_hostport_parse(text, &hp) != TWS_OK)
        return;
    tws_hostport_format(&hp, shown, sizeof shown);
    REQUIRE(tws_hostport_parse(shown, &back) == TWS_OK);
    REQUIRE(back.port == hp.port && strcmp(back.host, hp.host) == 0);
}

static void check_numbers(const char *text)
{
    static const char *const words[] = {"listen", "remote", "retry_timeout"};
    uint64_t v = 0;

    REQUIRE(tws_text_u64(text, 65535, &v) != TWS_OK || v <= 65535);
    REQUIRE(tws_text_duration_ms(text, 86400000, &v) != TWS_OK || v <= 86400000);
    REQUIRE(tws_text_size(text, UINT64_C(1) << 40, &v) != TWS_OK || v <= UINT64_C(1) << 40);
    (void)tws_text_nearest(text, words, 3);
}

static void check_encodings(const char *text, const uint8_t *data, size_t size)
{
    static char shown[8192];
    static uint8_t bytes[2048];
    size_t n = strlen(text) * 3 / 4;

    if (tws_base64url_decode(text, bytes, n) == TWS_OK) {
        REQUIRE(tws_base64url_encode(bytes, n, shown, sizeof shown) == TWS_OK);
        REQUIRE(strcmp(shown, text) == 0);
    }
    REQUIRE(tws_base64url_encode(data, size, shown, sizeof shown) == TWS_OK);
    REQUIRE(tws_base64url_decode(shown, bytes, size) == TWS_OK && memcmp(bytes, data, size) == 0);
    REQUIRE(tws_hex_encode(data, size, shown, sizeof shown) == TWS_OK);
    REQUIRE(tws_hex_decode(shown, bytes, size) == TWS_OK && memcmp(bytes, data, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[1025];

    if (size >= sizeof text)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    check_ip(text);
    check_prefix(text);
    check_hostport(text);
    check_numbers(text);
    check_encodings(text, data, size);
    return 0;
}
