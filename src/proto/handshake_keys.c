/* handshake_keys.c - see handshake_priv.h; every value that is no longer needed is wiped. */
#include "handshake_priv.h"

#include "tws/base/secret.h"
#include "tws/crypto/hkdf.h"

static const struct tws_span nothing = {NULL, 0};

static const char magic[] = "TWS2";

void tws_hs_begin(struct tws_writer *w, enum hs_type type)
{
    tws_write_bytes(w, magic, HS_MAGIC_LEN);
    tws_write_u8(w, (uint8_t)type);
}

bool tws_hs_begins(struct tws_reader *r, enum hs_type type)
{
    uint8_t got[HS_MAGIC_LEN];

    tws_read_bytes(r, got, sizeof got);
    return memcmp(got, magic, sizeof got) == 0 && tws_read_u8(r) == type;
}

tws_err tws_hs_psk_key(const uint8_t psk[TWS_PSK_LEN], const uint8_t key_id[TWS_KEY_ID_LEN],
                       uint8_t pk[TWS_HASH_LEN])
{
    static const char salt[] = "tws/2 psk";

    return tws_hkdf_extract((struct tws_span){(const uint8_t *)salt, sizeof salt - 1},
                            (struct tws_span){psk, TWS_PSK_LEN},
                            (struct tws_span){key_id, TWS_KEY_ID_LEN}, pk);
}

static tws_err hash(const struct tws_hs_transcript *t, uint8_t out[TWS_HASH_LEN])
{
    const struct tws_span parts[] = {t->challenge, t->hello, t->welcome};

    return tws_sha256(parts, 3, out);
}

tws_err tws_hs_mac(const uint8_t key[TWS_HASH_LEN], const char *label,
                   const struct tws_hs_transcript *t, uint8_t mac[TWS_HASH_LEN])
{
    uint8_t h[TWS_HASH_LEN], mac_key[TWS_HASH_LEN];
    const struct tws_span hashed = {h, sizeof h};
    tws_err err = hash(t, h);

    if (err == TWS_OK)
        err = tws_hkdf_expand(key, label, nothing, mac_key);
    if (err == TWS_OK)
        err = tws_hmac((struct tws_span){mac_key, sizeof mac_key}, &hashed, 1, mac);
    tws_wipe(mac_key, sizeof mac_key);
    return err;
}

tws_err tws_hs_check_mac(const uint8_t key[TWS_HASH_LEN], const char *label,
                         const struct tws_hs_transcript *t, const uint8_t mac[TWS_HASH_LEN])
{
    uint8_t good[TWS_HASH_LEN];
    tws_err err = tws_hs_mac(key, label, t, good);

    if (err == TWS_OK && !tws_equal_secret(good, mac, sizeof good))
        err = TWS_E_AUTH;
    tws_wipe(good, sizeof good); /* for a forged message it is what the forger looks for */
    return err;
}

tws_err tws_hs_master(const uint8_t pk[TWS_HASH_LEN], const uint8_t secret[TWS_X25519_LEN],
                      const uint8_t share[TWS_X25519_LEN], struct tws_span join_secret,
                      uint8_t master[TWS_HASH_LEN])
{
    uint8_t dh[TWS_X25519_LEN], salt[TWS_HASH_LEN];
    tws_err err = tws_x25519(secret, share, dh);

    if (err == TWS_OK)
        err = tws_hkdf_expand(pk, "tws/2 derived", nothing, salt);
    if (err == TWS_OK)
        err = tws_hkdf_extract((struct tws_span){salt, sizeof salt},
                               (struct tws_span){dh, sizeof dh}, join_secret, master);
    tws_wipe(dh, sizeof dh);
    tws_wipe(salt, sizeof salt);
    return err;
}

tws_err tws_hs_derive(const uint8_t master[TWS_HASH_LEN], const struct tws_hs_transcript *t,
                      struct tws_hs_result *out)
{
    uint8_t h[TWS_HASH_LEN];
    const struct tws_span th = {h, sizeof h};
    tws_err err = hash(t, h);

    if (err == TWS_OK)
        err = tws_hkdf_expand(master, "tws/2 c2s", th, out->k_c2s);
    if (err == TWS_OK)
        err = tws_hkdf_expand(master, "tws/2 s2c", th, out->k_s2c);
    if (err == TWS_OK)
        err = tws_hkdf_expand(master, "tws/2 join", th, out->join_secret);
    return err;
}

void tws_hs_result_fini(struct tws_hs_result *r)
{
    tws_wipe(r, sizeof *r);
}
