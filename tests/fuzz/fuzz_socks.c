/*
 * fuzz_socks.c - properties of the SOCKS readers, for any bytes at all:
 *   1. a part of a message is SHORT or already wrong, never another message;
 *   2. a target that is asked for can be written into OPEN, and is no unix path;
 *   3. a datagram's header, written again by its parts, leads to the same target;
 *   4. a reply, whatever bound address it is to carry, is one that SOCKS has a form for.
 */
#include "fuzz.h"

#include "tws/proto/socks.h"

#include <string.h>

enum message { METHODS, LOGIN, REQUEST_5, REQUEST_4, MESSAGES };

static tws_err read_message(enum message m, struct tws_reader *r, struct tws_socks_request *q)
{
    struct tws_socks_methods methods;
    struct tws_socks_login login;
    enum tws_socks_reply reply;

    switch (m) {
    case METHODS:
        return tws_socks5_read_methods(r, &methods);
    case LOGIN:
        return tws_socks5_read_login(r, &login);
    case REQUEST_5:
        return tws_socks5_read_request(r, q, &reply);
    case REQUEST_4:
    case MESSAGES:
    default:
        return tws_socks4_read_request(r, q);
    }
}

static void check_message(enum message m, struct tws_span in)
{
    struct tws_reader r = tws_reader(in);
    struct tws_socks_request q = {0}, part;
    tws_err err = read_message(m, &r, &q);

    REQUIRE(err == TWS_OK || err == TWS_SHORT || err == TWS_E_PROTOCOL);
    if (err != TWS_OK)
        return;
    size_t used = in.n - r.left;
    for (size_t n = 0; n < used; n++) {
        r = tws_reader((struct tws_span){in.p, n});
        REQUIRE(read_message(m, &r, &part) == TWS_SHORT);
    }
    if (m == REQUEST_5 || m == REQUEST_4) {
        uint8_t buf[TWS_TARGET_MAX];
        struct tws_writer w = tws_writer(buf, sizeof buf);
        REQUIRE(q.target.type != TWS_TARGET_UNIX);
        tws_target_write(&w, &q.target);
        REQUIRE(!w.failed);
    }
}

static void check_datagram(struct tws_span in)
{
    struct tws_target t, back;
    uint8_t buf[TWS_SOCKS5_DATAGRAM_HEADER_MAX];
    size_t n = 0;

    if (tws_socks5_read_datagram(in, &t, &n) != TWS_OK)
        return;
    REQUIRE(n <= in.n && n <= sizeof buf && t.type != TWS_TARGET_UNIX);
    struct tws_writer w = tws_writer(buf, sizeof buf);
    tws_write_zeros(&w, 3);
    tws_target_write(&w, &t);
    REQUIRE(!w.failed);
    REQUIRE(tws_socks5_read_datagram((struct tws_span){buf, w.len}, &back, &n) == TWS_OK);
    REQUIRE(n == w.len && back.type == t.type && back.port == t.port);
}

static void check_reply(struct tws_span bound)
{
    uint8_t buf[TWS_SOCKS5_REPLY_MAX];
    struct tws_writer w = tws_writer(buf, sizeof buf);

    tws_socks5_write_reply(&w, TWS_SOCKS_GRANTED, bound);
    REQUIRE(!w.failed && w.len == (buf[3] == TWS_TARGET_IPV4 ? 10 : 22));
    w = tws_writer(buf, sizeof buf);
    tws_socks4_write_reply(&w, true, bound);
    REQUIRE(!w.failed && w.len == TWS_SOCKS4_REPLY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct tws_span in = {data, size};

    for (int m = METHODS; m < MESSAGES; m++)
        check_message((enum message)m, in);
    check_datagram(in);
    check_reply(in);
    return 0;
}
