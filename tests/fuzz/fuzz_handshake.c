/*
 * fuzz_handshake.c - properties of the handshake. The first byte says what the rest is:
 *   even: bytes for each reader (CHALLENGE, HELLO, WELCOME, a parameter list). None of them makes
 *         a stranger authentic, and parameters that are read are written as ones that read back
 *         the same.
 *   odd:  an honest HELLO and WELCOME with the rest xored over them. Unless nothing was changed,
 *         neither side accepts.
 * Randomness is fixed, so that an input means the same on every run.
 */
#include "fuzz.h"

#include "tws/proto/handshake.h"

#include <string.h>

static const uint8_t psk[TWS_PSK_LEN] = "a key that the fuzzer cannot see";
static const uint8_t ids[TWS_HS_SESSION_ID_LEN] = "0123456789abcdef";

static tws_err fixed_random(void *ctx, void *out, size_t n)
{
    (void)ctx;
    memset(out, 0x42, n);
    return TWS_OK;
}

static void check_params(struct tws_span in)
{
    static uint8_t again[TWS_HS_MESSAGE_MAX], twice[TWS_HS_MESSAGE_MAX];
    struct tws_writer w = tws_writer(again, sizeof again);
    struct tws_hs_params p, back;
    tws_err err = tws_hs_params_read(in, &p);

    if (err != TWS_OK) {
        REQUIRE(err == TWS_E_PROTOCOL);
        return;
    }
    tws_hs_params_write(&w, &p);
    size_t len = w.len;
    REQUIRE(!w.failed && len <= in.n);
    REQUIRE(tws_hs_params_read((struct tws_span){again, len}, &back) == TWS_OK);
    w = tws_writer(twice, sizeof twice);
    tws_hs_params_write(&w, &back);
    REQUIRE(w.len == len && memcmp(again, twice, len) == 0);
}

struct ends {
    struct tws_hs_client client;
    struct tws_hs_server server;
    struct tws_span hello;
};

static void start(struct ends *e, bool join)
{
    struct tws_hs_client_config cfg = {.mode = join ? TWS_HS_JOIN : TWS_HS_NEW};

    memcpy(cfg.key_id, ids, sizeof cfg.key_id);
    memcpy(cfg.psk, psk, sizeof psk);
    tws_hs_params_init(&cfg.params);
    if (join) {
        memcpy(cfg.session_id, ids, sizeof ids);
        memcpy(cfg.join_secret, psk, sizeof psk);
    }
    tws_hs_server_init(&e->server, ids, psk);
    tws_hs_client_init(&e->client, &cfg);
    struct tws_span challenge = {e->server.challenge, sizeof e->server.challenge};
    REQUIRE(tws_hs_client_hello(&e->client, challenge, fixed_random, NULL, &e->hello) == TWS_OK);
}

static tws_err judge(struct tws_hs_server *s, struct tws_span hello)
{
    tws_err err = tws_hs_server_read(s, hello);

    if (err == TWS_OK)
        err = tws_hs_server_authenticate(s, psk);
    if (err == TWS_OK && s->mode == TWS_HS_JOIN)
        err = tws_hs_server_prove(s, psk);
    return err;
}

static void strange_bytes(struct tws_span in)
{
    static struct ends e;
    struct tws_hs_challenge ch;
    struct tws_hs_result r;
    struct tws_span hello;

    check_params(in);
    start(&e, false);
    REQUIRE(judge(&e.server, in) != TWS_OK && !e.server.authenticated);
    REQUIRE(tws_hs_client_welcome(&e.client, in, &r) != TWS_OK);
    if (tws_hs_challenge_read(in, &ch) == TWS_OK)
        REQUIRE(in.n == TWS_HS_CHALLENGE_LEN && ch.version_min <= ch.version_max);
    else
        REQUIRE(tws_hs_client_hello(&e.client, in, fixed_random, NULL, &hello) == TWS_E_PROTOCOL);
}

/* `from` with the mask over it, from its start; whether anything changed. */
static bool disturb(struct tws_span from, struct tws_span mask, uint8_t *to)
{
    bool changed = false;

    memcpy(to, from.p, from.n);
    for (size_t i = 0; i < from.n && i < mask.n; i++) {
        to[i] ^= mask.p[i];
        changed = changed || mask.p[i] != 0;
    }
    return changed;
}

static void disturbed_bytes(struct tws_span mask, bool join)
{
    static struct ends e;
    uint8_t msg[TWS_HS_MESSAGE_MAX];
    struct tws_hs_accept a = {.link_id = 1};
    struct tws_hs_result at_server, at_client;
    struct tws_span welcome;

    start(&e, join);
    bool changed = disturb(e.hello, mask, msg);
    REQUIRE((judge(&e.server, (struct tws_span){msg, e.hello.n}) == TWS_OK) == !changed);

    start(&e, join);
    memcpy(a.session_id, ids, sizeof ids);
    tws_hs_params_init(&a.params);
    a.params.given = TWS_HS_GIVEN_ALL;
    REQUIRE(judge(&e.server, e.hello) == TWS_OK);
    REQUIRE(tws_hs_server_accept(&e.server, &a, fixed_random, NULL, &welcome, &at_server) ==
            TWS_OK);
    changed = disturb(welcome, mask, msg);
    tws_err err = tws_hs_client_welcome(&e.client, (struct tws_span){msg, welcome.n}, &at_client);
    REQUIRE((err == TWS_OK) == !changed);
    if (err == TWS_OK)
        REQUIRE(memcmp(at_client.k_c2s, at_server.k_c2s, sizeof at_client.k_c2s) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct tws_span rest = {data + 1, size - 1};
    if (data[0] % 2 == 0)
        strange_bytes(rest);
    else
        disturbed_bytes(rest, (data[0] & 2) != 0);
    return 0;
}
