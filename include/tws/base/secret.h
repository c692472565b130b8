/* secret.h - bytes that must not leak: wiping and comparing in constant time. */
#ifndef TWS_BASE_SECRET_H
#define TWS_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* Overwrites n bytes with zeros in a way the compiler may not leave out. */
void tws_wipe(void *p, size_t n);

/* Whether n bytes are equal, in time that depends on n only. */
bool tws_equal_secret(const void *a, const void *b, size_t n);

#endif
