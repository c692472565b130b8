/*
 * value.h - one value of an option: from text to field, and what to say when the text is wrong.
 *
 *      duration   5000 (milliseconds), 500ms, 5s, 2m, 1h
 *      size       65536 (bytes), 64KiB, 64MiB, 1GiB
 *      rule       10.0.0.0/8:22  [fd00::/8]:22  example.com:443  *.example.com:80-90  127.0.0.1  *
 */
#ifndef TWS_APP_VALUE_H
#define TWS_APP_VALUE_H

#include "tws/app/option.h"

/* Bytes one value of the row takes in its field, or in a list. */
size_t tws_value_size(const struct tws_option *o);

/* Parses `text` into `out`, over an older value, which is freed. TWS_ABSENT: not of the row's form
 * or range, `out` is as it was. TWS_NOMEM. */
TWS_MUST_USE tws_err tws_value_parse(const struct tws_option *o, const char *text, void *out);
void tws_value_fini(const struct tws_option *o, void *value);

/* "a whole number from 1 to 16", ...; `cap` at least TWS_EXPECTED. */
#define TWS_EXPECTED 160
void tws_value_expected(const struct tws_option *o, char *out, size_t cap);

/* `text` in quotes, shortened and defused for a message; a secret is not shown. */
#define TWS_FOUND 64
void tws_value_found(const struct tws_option *o, const char *text, char *out, size_t cap);

#endif
