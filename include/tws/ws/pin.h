/*
 * pin.h - public keys a server may have, by the SHA-256 of their SubjectPublicKeyInfo, written as
 * curl's --pinnedpubkey has it: "sha256//" and base64. A certificate may be renewed with the same
 * key without a new pin.
 */
#ifndef TWS_WS_PIN_H
#define TWS_WS_PIN_H

#include "tws/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TWS_PIN      32 /* bytes */
#define TWS_PINS_MAX 8
#define TWS_PIN_TEXT (8 + 44 + 1)

struct tws_pins {
    size_t n; /* 0: any key */
    uint8_t keys[TWS_PINS_MAX][TWS_PIN];
};

/* "sha256//base64" or the base64 alone. TWS_ABSENT: not of that form. */
TWS_MUST_USE tws_err tws_pin_parse(const char *text, uint8_t out[TWS_PIN]);
/* With NUL. */
void tws_pin_format(const uint8_t pin[TWS_PIN], char out[TWS_PIN_TEXT]);
bool tws_pins_have(const struct tws_pins *pins, const uint8_t pin[TWS_PIN]);
bool tws_pins_equal(const struct tws_pins *a, const struct tws_pins *b);

#endif
