/* handshake_client.c - see handshake.h: CHALLENGE in, HELLO out, WELCOME in. */
#include "handshake_priv.h"

#include "tws/base/secret.h"

#include <assert.h>
#include <string.h>

tws_err tws_hs_challenge_read(struct tws_span msg, struct tws_hs_challenge *out)
{
    struct tws_reader r = tws_reader(msg);
    struct tws_hs_challenge ch = {0};
    bool ours = tws_hs_begins(&r, HS_CHALLENGE);

    ch.version_min = tws_read_u8(&r);
    ch.version_max = tws_read_u8(&r);
    ch.suites = tws_read_u8(&r);
    tws_read_bytes(&r, ch.boot_id, sizeof ch.boot_id);
    if (!ours || msg.n != TWS_HS_CHALLENGE_LEN || ch.version_min > ch.version_max)
        return TWS_E_PROTOCOL;
    *out = ch;
    return TWS_OK;
}

void tws_hs_client_init(struct tws_hs_client *c, const struct tws_hs_client_config *cfg)
{
    assert(cfg->prefer <= TWS_SUITE_CHACHA20_POLY1305 && cfg->mode <= TWS_HS_JOIN);
    *c = (struct tws_hs_client){.cfg = *cfg};
}

void tws_hs_client_fini(struct tws_hs_client *c)
{
    tws_wipe(c, sizeof *c);
}

/* The suite both sides have that we like best; 0: none. */
static uint8_t choose_suite(const struct tws_hs_client_config *cfg, uint8_t offered)
{
    const uint8_t best_first[] = {cfg->prefer, TWS_SUITE_AES_256_GCM, TWS_SUITE_CHACHA20_POLY1305};
    unsigned common = offered & TWS_SUITES_ALL & (cfg->suites != 0 ? cfg->suites : TWS_SUITES_ALL);

    for (size_t i = 0; i < sizeof best_first; i++)
        if (best_first[i] != 0 && (common & TWS_SUITE_BIT(best_first[i])) != 0)
            return best_first[i];
    return 0;
}

static tws_err accept_challenge(struct tws_hs_client *c, struct tws_span msg)
{
    struct tws_hs_challenge ch;
    tws_err err = tws_hs_challenge_read(msg, &ch);

    if (err != TWS_OK)
        return err;
    c->suite = choose_suite(&c->cfg, ch.suites);
    if (ch.version_min > TWS_HS_VERSION || ch.version_max < TWS_HS_VERSION || c->suite == 0)
        return TWS_ABSENT;
    memcpy(c->challenge, msg.p, sizeof c->challenge);
    return TWS_OK;
}

/* HELLO up to its mac. */
static tws_err write_hello(struct tws_hs_client *c, const uint8_t random[TWS_HS_RANDOM_LEN],
                           struct tws_writer *w)
{
    uint8_t share[TWS_X25519_LEN];
    bool join = c->cfg.mode == TWS_HS_JOIN;
    tws_err err = tws_x25519_share(c->secret, share);

    if (err != TWS_OK)
        return err;
    tws_hs_begin(w, HS_HELLO);
    tws_write_u8(w, TWS_HS_VERSION);
    tws_write_u8(w, c->suite);
    tws_write_u8(w, c->cfg.mode);
    tws_write_bytes(w, c->cfg.key_id, sizeof c->cfg.key_id);
    if (join)
        tws_write_bytes(w, c->cfg.session_id, sizeof c->cfg.session_id);
    else
        tws_write_zeros(w, sizeof c->cfg.session_id);
    tws_write_bytes(w, random, TWS_HS_RANDOM_LEN);
    tws_write_bytes(w, share, sizeof share);
    tws_hs_write_list(w, &c->cfg.params);
    return w->failed ? TWS_BUG : TWS_OK;
}

/* The HMAC of all that was written, behind it. */
static tws_err append_mac(struct tws_hs_client *c, const uint8_t key[TWS_HASH_LEN],
                          const char *label, struct tws_writer *w)
{
    const struct tws_hs_transcript t = {
        .challenge = {c->challenge, sizeof c->challenge},
        .hello = {w->p, w->len},
    };
    uint8_t mac[TWS_HASH_LEN];
    tws_err err = tws_hs_mac(key, label, &t, mac);

    if (err != TWS_OK)
        return err;
    tws_write_bytes(w, mac, sizeof mac);
    return w->failed ? TWS_BUG : TWS_OK;
}

tws_err tws_hs_client_hello(struct tws_hs_client *c, struct tws_span challenge,
                            tws_random_fn *random, void *random_ctx, struct tws_span *hello)
{
    struct tws_writer w = tws_writer(c->hello, sizeof c->hello);
    uint8_t client_random[TWS_HS_RANDOM_LEN];
    tws_err err = accept_challenge(c, challenge);

    if (err == TWS_OK)
        err = random(random_ctx, client_random, sizeof client_random);
    if (err == TWS_OK)
        err = random(random_ctx, c->secret, sizeof c->secret);
    if (err == TWS_OK)
        err = write_hello(c, client_random, &w);
    if (err == TWS_OK)
        err = tws_hs_psk_key(c->cfg.psk, c->cfg.key_id, c->pk);
    if (err == TWS_OK)
        err = append_mac(c, c->pk, "tws/2 hello", &w);
    if (err == TWS_OK && c->cfg.mode == TWS_HS_JOIN)
        err = append_mac(c, c->cfg.join_secret, "tws/2 binder", &w);
    if (err != TWS_OK)
        return err;
    c->hello_len = w.len;
    *hello = (struct tws_span){c->hello, c->hello_len};
    return TWS_OK;
}

/* ---- WELCOME ---- */

/* WELCOME taken apart, borrowed from the message. */
struct welcome {
    uint8_t status, suite, flags;
    uint32_t link_id;
    struct tws_span session_id, share, params, mac;
    struct tws_hs_transcript up_to_mac;
    struct tws_span all;
};

static tws_err read_welcome(const struct tws_hs_client *c, struct tws_span msg, struct welcome *w)
{
    struct tws_reader r = tws_reader(msg);
    bool ours = tws_hs_begins(&r, HS_WELCOME);

    w->status = tws_read_u8(&r);
    w->suite = tws_read_u8(&r);
    w->flags = tws_read_u8(&r);
    w->session_id = tws_read_span(&r, TWS_HS_SESSION_ID_LEN);
    w->link_id = tws_read_u32(&r);
    w->share = tws_read_span(&r, TWS_X25519_LEN);
    w->params = tws_read_span(&r, tws_read_u16(&r));
    w->mac = tws_read_span(&r, TWS_HASH_LEN);
    if (!ours || r.failed || r.left > 0 || w->suite != c->suite || msg.n > TWS_HS_MESSAGE_MAX)
        return TWS_E_PROTOCOL;
    w->up_to_mac = (struct tws_hs_transcript){
        .challenge = {c->challenge, sizeof c->challenge},
        .hello = {c->hello, c->hello_len},
        .welcome = {msg.p, msg.n - TWS_HASH_LEN},
    };
    w->all = msg;
    return TWS_OK;
}

static bool is_zero(struct tws_span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != 0)
            return false;
    return true;
}

/* A refusal has nothing but its status. */
static tws_err check_refusal(const struct tws_hs_client *c, const struct welcome *w,
                             struct tws_hs_result *out)
{
    tws_err err = tws_hs_check_mac(c->pk, "tws/2 refusal", &w->up_to_mac, w->mac.p);

    if (err != TWS_OK)
        return err;
    if (w->flags != 0 || w->link_id != 0 || w->params.n > 0 || !is_zero(w->session_id) ||
        !is_zero(w->share))
        return TWS_E_PROTOCOL;
    out->status = w->status;
    return TWS_OK;
}

/* What is in it, when it is known to be the server's. */
static tws_err take_welcome(const struct tws_hs_client *c, const struct welcome *w,
                            struct tws_hs_result *out)
{
    bool join = c->cfg.mode == TWS_HS_JOIN;
    uint8_t policy = c->cfg.params.seal;

    if ((w->flags & ~HS_FLAG_SEALED) != 0 || w->link_id == 0 || is_zero(w->session_id) ||
        (join && memcmp(w->session_id.p, c->cfg.session_id, w->session_id.n) != 0))
        return TWS_E_PROTOCOL;
    out->sealed = w->flags != 0;
    if (policy == (out->sealed ? TWS_HS_SEAL_OFF : TWS_HS_SEAL_REQUIRE))
        return TWS_E_AUTH;
    memcpy(out->session_id, w->session_id.p, w->session_id.n);
    out->link_id = w->link_id;
    out->suite = w->suite;
    return tws_hs_params_read(w->params, &out->peer);
}

static tws_err check_welcome(const struct tws_hs_client *c, const struct welcome *w,
                             struct tws_hs_result *out)
{
    struct tws_span js = {c->cfg.join_secret, c->cfg.mode == TWS_HS_JOIN ? TWS_HASH_LEN : 0};
    struct tws_hs_transcript whole = w->up_to_mac;
    uint8_t master[TWS_HASH_LEN];
    tws_err err = tws_hs_master(c->pk, c->secret, w->share.p, js, master);

    whole.welcome = w->all;
    if (err == TWS_OK)
        err = tws_hs_check_mac(master, "tws/2 welcome", &w->up_to_mac, w->mac.p);
    if (err == TWS_OK)
        err = take_welcome(c, w, out);
    if (err == TWS_OK)
        err = tws_hs_derive(master, &whole, out);
    tws_wipe(master, sizeof master);
    return err;
}

tws_err tws_hs_client_welcome(struct tws_hs_client *c, struct tws_span welcome,
                              struct tws_hs_result *out)
{
    struct welcome w;
    tws_err err = read_welcome(c, welcome, &w);

    memset(out, 0, sizeof *out);
    if (err == TWS_OK)
        err = w.status != 0 ? check_refusal(c, &w, out) : check_welcome(c, &w, out);
    if (err != TWS_OK)
        tws_hs_result_fini(out);
    return err;
}
