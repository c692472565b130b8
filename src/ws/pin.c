/* pin.c - see pin.h. */
#include "tws/ws/pin.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "sha256//"
#define BASE64 44 /* characters of TWS_PIN bytes; the last is '=' */

tws_err tws_pin_parse(const char *text, uint8_t out[TWS_PIN])
{
    uint8_t bytes[TWS_PIN + 1];
    char again[BASE64 + 1];

    if (strncmp(text, PREFIX, strlen(PREFIX)) == 0)
        text += strlen(PREFIX);
    if (strlen(text) != BASE64 ||
        EVP_DecodeBlock(bytes, (const unsigned char *)text, BASE64) != sizeof(bytes))
        return TWS_ABSENT;
    /* It also takes stray bits and spaces. */
    (void)EVP_EncodeBlock((unsigned char *)again, bytes, TWS_PIN);
    if (strcmp(again, text) != 0)
        return TWS_ABSENT;
    memcpy(out, bytes, TWS_PIN);
    return TWS_OK;
}

void tws_pin_format(const uint8_t pin[TWS_PIN], char out[TWS_PIN_TEXT])
{
    char base64[BASE64 + 1];

    (void)EVP_EncodeBlock((unsigned char *)base64, pin, TWS_PIN);
    (void)snprintf(out, TWS_PIN_TEXT, "%s%s", PREFIX, base64);
}

bool tws_pins_have(const struct tws_pins *pins, const uint8_t pin[TWS_PIN])
{
    for (size_t i = 0; i < pins->n; i++)
        if (memcmp(pins->keys[i], pin, TWS_PIN) == 0)
            return true;
    return false;
}

bool tws_pins_equal(const struct tws_pins *a, const struct tws_pins *b)
{
    return a->n == b->n && memcmp(a->keys, b->keys, a->n * TWS_PIN) == 0;
}
