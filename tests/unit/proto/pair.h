/* pair.h - both ends of a handshake in one process, with randomness that can be known. */
#ifndef TWS_TEST_PAIR_H
#define TWS_TEST_PAIR_H

#include "tws/crypto/hkdf.h"
#include "tws/proto/code.h"
#include "tws/proto/handshake.h"

#include <check.h>
#include <string.h>

/* A tws_random_fn that gives out `bytes` once. */
struct script {
    uint8_t bytes[64];
    size_t n, at;
};

static inline tws_err scripted(void *ctx, void *out, size_t n)
{
    struct script *s = ctx;

    if (n > s->n - s->at)
        return TWS_BUG;
    memcpy(out, s->bytes + s->at, n);
    s->at += n;
    return TWS_OK;
}

static const uint8_t pair_psk[TWS_PSK_LEN] = "thirty-two bytes of shared key..";
static const uint8_t pair_key_id[TWS_KEY_ID_LEN] = "key no 1";
static const uint8_t pair_boot_id[TWS_HS_BOOT_ID_LEN] = "boot 001";
static const uint8_t pair_session[TWS_HS_SESSION_ID_LEN] = "session number 1";

struct pair {
    struct tws_hs_client_config cfg;
    struct tws_hs_accept accept;
    struct tws_hs_client client;
    struct tws_hs_server server;
    struct tws_span hello, welcome;
    struct tws_hs_result at_client, at_server;
    uint8_t session_secret[TWS_HASH_LEN]; /* what the server keeps of the session */
};

/* A new session that both sides will agree to, unless the test changes something. */
static inline void pair_init(struct pair *p)
{
    memset(p, 0, sizeof *p);
    memcpy(p->cfg.key_id, pair_key_id, sizeof pair_key_id);
    memcpy(p->cfg.psk, pair_psk, sizeof pair_psk);
    tws_hs_params_init(&p->cfg.params);
    tws_hs_params_init(&p->accept.params);
    memcpy(p->accept.session_id, pair_session, sizeof pair_session);
    p->accept.link_id = 1;
}

/* The same, joining the session. */
static inline void pair_init_join(struct pair *p)
{
    pair_init(p);
    memset(p->session_secret, 0x5e, sizeof p->session_secret);
    p->cfg.mode = TWS_HS_JOIN;
    memcpy(p->cfg.session_id, pair_session, sizeof pair_session);
    memcpy(p->cfg.join_secret, p->session_secret, sizeof p->session_secret);
    p->accept.link_id = 2;
}

/* CHALLENGE and HELLO; p->hello is what the client says. */
static inline void pair_hello(struct pair *p)
{
    uint8_t random[TWS_HS_RANDOM_LEN];

    ck_assert_int_eq(tws_random_bytes(NULL, random, sizeof random), TWS_OK);
    tws_hs_server_init(&p->server, pair_boot_id, random);
    tws_hs_client_init(&p->client, &p->cfg);
    ck_assert_int_eq(tws_hs_client_hello(
                         &p->client, (struct tws_span){p->server.challenge, TWS_HS_CHALLENGE_LEN},
                         tws_random_bytes, NULL, &p->hello),
                     TWS_OK);
}

/* The server's steps up to its decision, for any bytes as HELLO. */
static inline tws_err pair_judge(struct pair *p, struct tws_span hello)
{
    tws_err err = tws_hs_server_read(&p->server, hello);

    if (err != TWS_OK)
        return err;
    bool known = memcmp(p->server.key_id, pair_key_id, sizeof pair_key_id) == 0;
    err = tws_hs_server_authenticate(&p->server, known ? pair_psk : NULL);
    if (err == TWS_OK && p->server.mode == TWS_HS_JOIN)
        err = tws_hs_server_prove(&p->server, p->session_secret);
    return err;
}

static inline tws_err pair_accept(struct pair *p)
{
    return tws_hs_server_accept(&p->server, &p->accept, tws_random_bytes, NULL, &p->welcome,
                                &p->at_server);
}

/* Everything up to p->welcome, which must go well. */
static inline void pair_welcome(struct pair *p)
{
    pair_hello(p);
    ck_assert_int_eq(pair_judge(p, p->hello), TWS_OK);
    ck_assert_int_eq(pair_accept(p), TWS_OK);
}

/* Loop tests run for a new session (0) and for a join (1). */
static inline void pair_init_mode(struct pair *p, int mode)
{
    if (mode == TWS_HS_JOIN)
        pair_init_join(p);
    else
        pair_init(p);
}

/* The HMAC of the messages so far under E(key, label), as docs/protocol.md has it. */
static inline void mac_of(const uint8_t *key, const char *label, const struct tws_span *parts,
                          size_t n, uint8_t *out)
{
    uint8_t hash[32], mac_key[32];

    ck_assert_int_eq(tws_sha256(parts, n, hash), TWS_OK);
    ck_assert_int_eq(tws_hkdf_expand(key, label, (struct tws_span){NULL, 0}, mac_key), TWS_OK);
    ck_assert_int_eq(
        tws_hmac((struct tws_span){mac_key, 32}, &(struct tws_span){hash, sizeof hash}, 1, out),
        TWS_OK);
}

static inline void expect_nothing(const struct tws_hs_result *r)
{
    static const uint8_t zero[sizeof *r];
    ck_assert_mem_eq(r, zero, sizeof *r);
}

#endif
