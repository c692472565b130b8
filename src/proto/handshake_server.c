/*
 * handshake_server.c - see handshake.h: CHALLENGE out, HELLO in, WELCOME out.
 *
 * The order of the checks is the defence: lengths, key id, HELLO.mac, then session and binder, and
 * only then the expensive X25519, so that a stranger costs one short hash.
 */
#include "handshake_priv.h"

#include "tws/base/secret.h"

#include <assert.h>
#include <string.h>

/* Where HELLO's mac begins; its length was checked. */
static size_t mac_at(const struct tws_hs_server *s)
{
    return HS_HELLO_LEN + tws_get16(s->hello + HS_HELLO_LEN - 2);
}

static struct tws_hs_transcript hello_up_to(const struct tws_hs_server *s, size_t n)
{
    return (struct tws_hs_transcript){
        .challenge = {s->challenge, sizeof s->challenge},
        .hello = {s->hello, n},
    };
}

void tws_hs_server_init(struct tws_hs_server *s, const uint8_t boot_id[TWS_HS_BOOT_ID_LEN],
                        const uint8_t random[TWS_HS_RANDOM_LEN])
{
    *s = (struct tws_hs_server){0};
    struct tws_writer w = tws_writer(s->challenge, sizeof s->challenge);

    tws_hs_begin(&w, HS_CHALLENGE);
    tws_write_u8(&w, TWS_HS_VERSION);
    tws_write_u8(&w, TWS_HS_VERSION);
    tws_write_u8(&w, TWS_SUITES_ALL);
    tws_write_bytes(&w, boot_id, TWS_HS_BOOT_ID_LEN);
    tws_write_bytes(&w, random, TWS_HS_RANDOM_LEN);
    assert(!w.failed && w.len == TWS_HS_CHALLENGE_LEN);
}

void tws_hs_server_fini(struct tws_hs_server *s)
{
    tws_wipe(s, sizeof *s);
}

tws_err tws_hs_server_read(struct tws_hs_server *s, struct tws_span hello)
{
    struct tws_reader r = tws_reader(hello);
    bool ours = tws_hs_begins(&r, HS_HELLO);

    assert(s->hello_len == 0);
    (void)tws_read_u16(
        &r); /* version and suite are judged when they are known to be the client's */
    s->mode = tws_read_u8(&r);
    tws_read_bytes(&r, s->key_id, sizeof s->key_id);
    tws_read_bytes(&r, s->session_id, sizeof s->session_id);
    (void)tws_read_span(&r, TWS_HS_RANDOM_LEN + TWS_X25519_LEN);
    (void)tws_read_span(&r, tws_read_u16(&r));
    (void)tws_read_span(&r, s->mode == TWS_HS_JOIN ? 2 * TWS_HASH_LEN : TWS_HASH_LEN);
    if (!ours || s->mode > TWS_HS_JOIN || r.failed || r.left > 0 || hello.n > sizeof s->hello)
        return TWS_E_PROTOCOL;
    memcpy(s->hello, hello.p, hello.n);
    s->hello_len = hello.n;
    return TWS_OK;
}

/* What a client that has the key may still have wrong. */
static tws_err judge_hello(struct tws_hs_server *s)
{
    static const uint8_t none[TWS_HS_SESSION_ID_LEN];
    uint8_t version = s->hello[HS_HELLO_SUITE - 1], suite = s->hello[HS_HELLO_SUITE];
    bool named = memcmp(s->session_id, none, sizeof none) != 0;

    if (version != TWS_HS_VERSION || named != (s->mode == TWS_HS_JOIN))
        return TWS_E_PROTOCOL;
    if (suite != TWS_SUITE_AES_256_GCM && suite != TWS_SUITE_CHACHA20_POLY1305)
        return TWS_E_PROTOCOL;
    return tws_hs_params_read((struct tws_span){s->hello + HS_HELLO_LEN, mac_at(s) - HS_HELLO_LEN},
                              &s->params);
}

tws_err tws_hs_server_authenticate(struct tws_hs_server *s, const uint8_t psk[TWS_PSK_LEN])
{
    static const uint8_t dummy[TWS_PSK_LEN];
    const struct tws_hs_transcript t = hello_up_to(s, mac_at(s));

    assert(s->hello_len > 0 && !s->authenticated);
    tws_err err = tws_hs_psk_key(psk != NULL ? psk : dummy, s->key_id, s->pk);
    if (err == TWS_OK)
        err = tws_hs_check_mac(s->pk, "tws/2 hello", &t, s->hello + mac_at(s));
    if (err == TWS_OK && psk == NULL) /* made with the dummy, which is no one's key */
        err = TWS_E_AUTH;
    if (err != TWS_OK)
        return err;
    s->authenticated = true;
    return judge_hello(s);
}

tws_err tws_hs_server_prove(struct tws_hs_server *s, const uint8_t join_secret[TWS_HASH_LEN])
{
    assert(s->authenticated && s->mode == TWS_HS_JOIN);
    size_t binder_at = s->hello_len - TWS_HASH_LEN;
    const struct tws_hs_transcript t = hello_up_to(s, binder_at);

    tws_err err = tws_hs_check_mac(join_secret, "tws/2 binder", &t, s->hello + binder_at);
    if (err != TWS_OK)
        return err;
    memcpy(s->join_secret, join_secret, sizeof s->join_secret);
    s->proved = true;
    return TWS_OK;
}

/* ---- WELCOME ---- */

/* Everything before the parameters. */
static void begin_welcome(struct tws_writer *w, const struct tws_hs_server *s, uint8_t status,
                          const struct tws_hs_result *r, const uint8_t *share)
{
    tws_hs_begin(w, HS_WELCOME);
    tws_write_u8(w, status);
    tws_write_u8(w, s->hello[HS_HELLO_SUITE]);
    tws_write_u8(w, r->sealed ? HS_FLAG_SEALED : 0);
    tws_write_bytes(w, r->session_id, sizeof r->session_id);
    tws_write_u32(w, r->link_id);
    tws_write_bytes(w, share, TWS_X25519_LEN);
}

/* The mac of all that was written, behind it. */
static tws_err end_welcome(struct tws_writer *w, const struct tws_hs_server *s,
                           const uint8_t key[TWS_HASH_LEN], const char *label)
{
    struct tws_hs_transcript t = hello_up_to(s, s->hello_len);
    uint8_t mac[TWS_HASH_LEN];

    t.welcome = (struct tws_span){w->p, w->len};
    tws_err err = tws_hs_mac(key, label, &t, mac);
    if (err != TWS_OK)
        return err;
    tws_write_bytes(w, mac, sizeof mac);
    return w->failed ? TWS_BUG : TWS_OK;
}

/* Sealed if either side requires it. TWS_E_AUTH: and the other has it off. */
static tws_err agree_on_sealing(uint8_t ours, uint8_t theirs, bool *sealed)
{
    *sealed = ours == TWS_HS_SEAL_REQUIRE || theirs == TWS_HS_SEAL_REQUIRE;
    if (*sealed && (ours == TWS_HS_SEAL_OFF || theirs == TWS_HS_SEAL_OFF))
        return TWS_E_AUTH;
    return TWS_OK;
}

/* What is agreed on without any computing. */
static tws_err settle(const struct tws_hs_server *s, const struct tws_hs_accept *a,
                      struct tws_hs_result *out)
{
    bool join = s->mode == TWS_HS_JOIN;

    memcpy(out->session_id, join ? s->session_id : a->session_id, sizeof out->session_id);
    out->link_id = a->link_id;
    out->suite = s->hello[HS_HELLO_SUITE];
    out->peer = s->params;
    return agree_on_sealing(a->params.seal, s->params.seal, &out->sealed);
}

static tws_err write_welcome(struct tws_hs_server *s, const struct tws_hs_accept *a,
                             const uint8_t secret[TWS_X25519_LEN], struct tws_writer *w,
                             struct tws_hs_result *out)
{
    struct tws_span js = {s->join_secret, s->mode == TWS_HS_JOIN ? TWS_HASH_LEN : 0};
    uint8_t share[TWS_X25519_LEN], master[TWS_HASH_LEN];
    struct tws_hs_transcript t = hello_up_to(s, s->hello_len);
    tws_err err = tws_hs_master(s->pk, secret, s->hello + HS_HELLO_SHARE, js, master);

    if (err == TWS_OK)
        err = tws_x25519_share(secret, share);
    if (err == TWS_OK) {
        begin_welcome(w, s, 0, out, share);
        tws_hs_write_list(w, &a->params);
        err = w->failed ? TWS_BUG : end_welcome(w, s, master, "tws/2 welcome");
    }
    t.welcome = (struct tws_span){w->p, w->len};
    if (err == TWS_OK)
        err = tws_hs_derive(master, &t, out);
    tws_wipe(master, sizeof master);
    return err;
}

tws_err tws_hs_server_accept(struct tws_hs_server *s, const struct tws_hs_accept *a,
                             tws_random_fn *random, void *random_ctx, struct tws_span *welcome,
                             struct tws_hs_result *out)
{
    struct tws_writer w = tws_writer(s->welcome, sizeof s->welcome);
    uint8_t secret[TWS_X25519_LEN];

    assert(s->authenticated && (s->proved || s->mode == TWS_HS_NEW) && a->link_id != 0);
    memset(out, 0, sizeof *out);
    tws_err err = settle(s, a, out);
    if (err == TWS_OK)
        err = random(random_ctx, secret, sizeof secret);
    if (err == TWS_OK)
        err = write_welcome(s, a, secret, &w, out);
    tws_wipe(secret, sizeof secret);
    if (err != TWS_OK) {
        tws_hs_result_fini(out);
        return err;
    }
    *welcome = (struct tws_span){s->welcome, w.len};
    return TWS_OK;
}

tws_err tws_hs_server_refuse(struct tws_hs_server *s, uint8_t status, struct tws_span *welcome)
{
    static const struct tws_hs_result nothing;
    static const uint8_t no_share[TWS_X25519_LEN];
    struct tws_writer w = tws_writer(s->welcome, sizeof s->welcome);

    assert(s->authenticated && status != 0);
    begin_welcome(&w, s, status, &nothing, no_share);
    tws_write_u16(&w, 0); /* no parameters */
    tws_err err = end_welcome(&w, s, s->pk, "tws/2 refusal");
    if (err != TWS_OK)
        return err;
    *welcome = (struct tws_span){s->welcome, w.len};
    return TWS_OK;
}
