/*
 * param_priv.h - the list of parameters that ends HELLO, WELCOME and OPEN:
 * { u8 type | u8 flags (bit 7 critical, the others 0) | u16 length | value }, each type once.
 */
#ifndef TWS_PROTO_PARAM_PRIV_H
#define TWS_PROTO_PARAM_PRIV_H

#include "tws/base/bytes.h"

#define TWS_PARAM_HDR      4u
#define TWS_PARAM_CRITICAL 0x80u

struct tws_param {
    uint8_t type;
    bool critical;
    struct tws_span value; /* borrowed from the list */
};

/* Walks a whole list. */
struct tws_param_list {
    struct tws_reader in;
    uint8_t seen[32]; /* a bit for each type */
};

struct tws_param_list tws_param_list(struct tws_span bytes);

/* The next parameter. TWS_ABSENT: that was all. TWS_E_PROTOCOL: cut short, an unknown flag, or a
 * type for the second time. */
TWS_MUST_USE tws_err tws_param_next(struct tws_param_list *l, struct tws_param *out);

/* What a reader makes of a type it does not know: TWS_E_PROTOCOL if critical, else TWS_OK. */
TWS_MUST_USE tws_err tws_param_unknown(const struct tws_param *p);

/* Writes type and flags and leaves room for the length; tws_param_end() takes what it returned,
 * when the value has been written behind. */
size_t tws_param_begin(struct tws_writer *w, uint8_t type, uint8_t flags);
void tws_param_end(struct tws_writer *w, size_t begin);

#endif
