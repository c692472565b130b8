/* hkdf.c - see hkdf.h; one block of output is one HMAC (RFC 5869, 2.3). */
#include "tws/crypto/hkdf.h"

#include <string.h>

tws_err tws_hkdf_extract(struct tws_span salt, struct tws_span a, struct tws_span b,
                         uint8_t out[TWS_HASH_LEN])
{
    return tws_hmac(salt, (struct tws_span[]){a, b}, 2, out);
}

tws_err tws_hkdf_expand(const uint8_t prk[TWS_HASH_LEN], const char *label, struct tws_span context,
                        uint8_t out[TWS_HASH_LEN])
{
    static const uint8_t first_block = 1;
    const struct tws_span info[] = {
        {(const uint8_t *)label, strlen(label)},
        context,
        {&first_block, 1},
    };

    return tws_hmac((struct tws_span){prk, TWS_HASH_LEN}, info, 3, out);
}
