/*
 * stream_priv.h - bytes to and from a descriptor, with or without TLS. Only wire.c uses it.
 */
#ifndef TWS_WS_STREAM_PRIV_H
#define TWS_WS_STREAM_PRIV_H

#include "tws/ws/codec.h"

#include <openssl/ssl.h>

struct tws_stream {
    int fd;
    SSL *ssl; /* borrowed; NULL: plain */
};

/* What reading and writing come to, beside a count of bytes. */
enum tws_stream_end {
    TWS_STREAM_BLOCKED = 0, /* nothing now: an event comes */
    TWS_STREAM_EOF = -1,
    TWS_STREAM_BROKEN = -2, /* *why says how */
};

/* Prepares an SSL that libwebsockets leaves to us: partial writes, large reads. */
void tws_stream_adopt_ssl(SSL *ssl);
/* Bytes read (> 0) or a tws_stream_end. `why` may be static or valid until the next call. */
long tws_stream_read(struct tws_stream *s, const struct tws_ws_room *room, const char **why);
/* Bytes written (> 0), which may be fewer, or BLOCKED or BROKEN. */
long tws_stream_write(struct tws_stream *s, const uint8_t *p, size_t n, const char **why);
/* Says that nothing more will be written. */
void tws_stream_finish(struct tws_stream *s);

#endif
