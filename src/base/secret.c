/* secret.c - see secret.h. */
#include "tws/base/secret.h"

#include <stdint.h>
#include <string.h>

void tws_wipe(void *p, size_t n)
{
    if (n == 0)
        return;
    memset(p, 0, n);
    /* The bytes are an input of this barrier, so the stores above are not dead. */
    __asm__ volatile("" : : "r"(p) : "memory");
}

bool tws_equal_secret(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;
    volatile uint8_t diff = 0;

    for (size_t i = 0; i < n; i++)
        diff |= x[i] ^ y[i];
    return diff == 0;
}
