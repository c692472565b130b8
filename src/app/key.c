/* key.c - see key.h. */
#include "tws/app/key.h"

#include "tws/base/secret.h"
#include "tws/base/text.h"
#include "tws/crypto/passphrase.h"
#include "tws/crypto/random.h"

#include <stdio.h>
#include <string.h>

#define HEX_LEN 16
#define PSK_LEN 43

tws_err tws_key_generate(struct tws_key *out)
{
    return tws_random_bytes(NULL, out, sizeof *out);
}

void tws_key_format(const struct tws_key *key, char out[TWS_KEY_TEXT])
{
    char id[HEX_LEN + 1], psk[PSK_LEN + 1];

    /* Sizes are fixed: neither can fail. */
    if (tws_hex_encode(key->id, sizeof key->id, id, sizeof id) != TWS_OK ||
        tws_base64url_encode(key->psk, sizeof key->psk, psk, sizeof psk) != TWS_OK)
        id[0] = psk[0] = '\0';
    snprintf(out, TWS_KEY_TEXT, TWS_KEY_PREFIX "%s-%s", id, psk);
    tws_wipe(psk, sizeof psk);
}

tws_err tws_key_parse_parts(const char *id, const char *psk, struct tws_key *out)
{
    struct tws_key key;
    tws_err err = tws_hex_decode(id, key.id, sizeof key.id);

    if (err == TWS_OK)
        err = tws_base64url_decode(psk, key.psk, sizeof key.psk);
    if (err == TWS_OK)
        *out = key;
    tws_wipe(&key, sizeof key);
    return err;
}

tws_err tws_key_parse(const char *text, struct tws_key *out)
{
    size_t prefix = strlen(TWS_KEY_PREFIX);
    char id[HEX_LEN + 1];

    if (strlen(text) != TWS_KEY_TEXT - 1 || strncmp(text, TWS_KEY_PREFIX, prefix) != 0 ||
        text[prefix + HEX_LEN] != '-')
        return TWS_ABSENT;
    memcpy(id, text + prefix, HEX_LEN);
    id[HEX_LEN] = '\0';
    return tws_key_parse_parts(id, text + prefix + HEX_LEN + 1, out);
}

tws_err tws_key_of_passphrase(const char *where, const char *passphrase, struct tws_key *out,
                              struct tws_diag *diag)
{
    struct tws_span text = {(const uint8_t *)passphrase, strlen(passphrase)};

    memset(out, 0, sizeof *out);
    if (tws_passphrase_is_weak(text))
        tws_diag_warn(diag,
                      "%sthe passphrase is weak: whoever records one handshake can guess it at "
                      "leisure; use a key (tws keygen)",
                      where);
    return tws_passphrase_to_psk(text, out->id, out->psk);
}
