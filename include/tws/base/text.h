/*
 * text.h - strict reading and bounded writing of short texts: numbers, durations, sizes, hex,
 * base64url; and the word someone probably meant.
 *
 * Readers take the whole text or nothing: no spaces, signs, leading zeros or trailing characters.
 * Nothing is ever cut short in silence: what does not fit is an error.
 */
#ifndef TWS_BASE_TEXT_H
#define TWS_BASE_TEXT_H

#include "tws/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of the same characters, or both NULL. */
bool tws_text_equal(const char *a, const char *b);

/* All four readers: TWS_ABSENT: not of that form; TWS_FULL: greater than `max`. */

/* Decimal digits. */
TWS_MUST_USE tws_err tws_text_u64(const char *text, uint64_t max, uint64_t *out);
/* "5000" and "5000ms" are milliseconds, as are "5s", "2m", "1h" in their units. */
TWS_MUST_USE tws_err tws_text_duration_ms(const char *text, uint64_t max_ms, uint64_t *out);
/* "65536", "64KiB", "64MiB", "1GiB"; "k", "m", "g", also upper case or with a B, count in 1024s. */
TWS_MUST_USE tws_err tws_text_size(const char *text, uint64_t max, uint64_t *out);

/* As snprintf(), but an output that does not fit is an error: TWS_FULL, and `out` is "". */
__attribute__((format(printf, 3, 4))) TWS_MUST_USE tws_err tws_text_format(char *out, size_t cap,
                                                                           const char *fmt, ...);

/* The value of a hex digit of either case; -1: it is none. */
int tws_hex_digit(unsigned char c);
/* Lower-case hex with NUL, 2n + 1 bytes. TWS_FULL: `cap` is less. */
TWS_MUST_USE tws_err tws_hex_encode(const void *in, size_t n, char *out, size_t cap);
/* Exactly 2n hex digits, of either case, into n bytes. TWS_ABSENT. */
TWS_MUST_USE tws_err tws_hex_decode(const char *text, void *out, size_t n);

/* Characters of n bytes in base64url (RFC 4648, 5) without padding, and NUL. */
#define TWS_BASE64URL_TEXT(n) (((n)*4 + 2) / 3 + 1)
/* TWS_FULL: `cap` is less than TWS_BASE64URL_TEXT(n). */
TWS_MUST_USE tws_err tws_base64url_encode(const void *in, size_t n, char *out, size_t cap);
/* Exactly n bytes; unused bits at the end must be 0, so that each value has one text. TWS_ABSENT:
 * it is not that; what `out` holds is then of no use. */
TWS_MUST_USE tws_err tws_base64url_decode(const char *text, void *out, size_t n);

/* Undoes percent-encoding (RFC 3986, 2.1), and ends it with NUL. TWS_ABSENT: malformed, or with a
 * NUL in it; TWS_FULL: `cap` is less. */
TWS_MUST_USE tws_err tws_percent_decode(const char *in, size_t n, char *out, size_t cap);

/* Of the `n` words the one that is the fewest edits (Damerau-Levenshtein, neighbours swapped count
 * one) away from `word`, or NULL if none is near: at most a third of its length, at least one. */
const char *tws_text_nearest(const char *word, const char *const *words, size_t n);

#endif
