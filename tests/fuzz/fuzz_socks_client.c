/*
 * fuzz_socks_client.c - a SOCKS5 proxy that answers anything at all. The first byte says whether
 * there is a login; the rest is what the proxy sends.
 *   1. the client never wants more than an answer can have, and nothing when it is over;
 *   2. how the bytes are cut makes no difference to how it ends or what it said.
 */
#include "fuzz.h"

#include "tws/proto/socks_client.h"

#include <string.h>

struct outcome {
    tws_err err;
    uint8_t reply;
    struct tws_target bound;
    size_t taken, nsaid;
    uint8_t said[3 * TWS_SOCKS_OUTPUT_MAX];
};

static void take_output(struct tws_socks_client *c, struct outcome *o)
{
    struct tws_span out = tws_socks_client_output(c);

    REQUIRE(o->nsaid + out.n <= sizeof o->said);
    memcpy(o->said + o->nsaid, out.p, out.n);
    o->nsaid += out.n;
    tws_socks_client_sent(c, out.n);
}

static struct outcome run(bool login, struct tws_span in, size_t piece)
{
    struct tws_target t = {.type = TWS_TARGET_NAME, .name = "example.com", .port = 443};
    struct outcome o = {.err = TWS_SHORT};
    struct tws_socks_client c;

    REQUIRE(tws_socks_client_init(&c, login ? "user" : NULL, "password", TWS_SOCKS_CONNECT, &t) ==
            TWS_OK);
    take_output(&c, &o);
    while (o.err == TWS_SHORT && o.taken < in.n) {
        size_t k = tws_socks_client_wants(&c);

        REQUIRE(k > 0 && k <= 4 + TWS_TARGET_MAX);
        k = k < piece ? k : piece;
        k = k < in.n - o.taken ? k : in.n - o.taken;
        o.err = tws_socks_client_input(&c, (struct tws_span){in.p + o.taken, k});
        o.taken += k;
        if (o.err == TWS_SHORT)
            take_output(&c, &o);
    }
    REQUIRE(o.err == TWS_SHORT || tws_socks_client_wants(&c) == 0);
    o.reply = c.reply;
    o.bound = c.bound;
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole, bytewise;

    if (size == 0)
        return 0;
    bool login = data[0] % 2 != 0;
    whole = run(login, (struct tws_span){data + 1, size - 1}, SIZE_MAX);
    bytewise = run(login, (struct tws_span){data + 1, size - 1}, 1);
    REQUIRE(whole.err == bytewise.err && whole.taken == bytewise.taken);
    REQUIRE(whole.nsaid == bytewise.nsaid && memcmp(whole.said, bytewise.said, whole.nsaid) == 0);
    REQUIRE(whole.reply == bytewise.reply && whole.bound.type == bytewise.bound.type &&
            whole.bound.port == bytewise.bound.port);
    return 0;
}
