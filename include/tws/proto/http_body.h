/*
 * http_body.h - how far the body of an HTTP/1 request goes (RFC 9112, 6 and 7): by its length or by
 * its chunks, so that nothing behind it reaches the server that it is not for.
 *
 * Sans I/O. Chunked framing is read strictly: bare CR or LF, missing or long sizes are errors, as
 * what one reads otherwise than the next is how requests are smuggled.
 */
#ifndef TWS_PROTO_HTTP_BODY_H
#define TWS_PROTO_HTTP_BODY_H

#include "tws/base/bytes.h"

enum tws_http_body_state {
    TWS_BODY_OVER, /* what follows is none of it */
    TWS_BODY_WRONG,
    TWS_BODY_LENGTH, /* `left` bytes more */
    TWS_BODY_SIZE,   /* of chunks: from here on, where we are */
    TWS_BODY_EXTENSION,
    TWS_BODY_SIZE_LF,
    TWS_BODY_DATA,
    TWS_BODY_DATA_CR,
    TWS_BODY_DATA_LF,
    TWS_BODY_TRAILER,
    TWS_BODY_TRAILER_LINE,
    TWS_BODY_TRAILER_LF,
    TWS_BODY_END_LF,
};

/* Zero: there is no body. */
struct tws_http_body {
    enum tws_http_body_state state;
    uint8_t digits; /* of the size that is being read */
    uint64_t left;
};

struct tws_http_body tws_http_body_of_length(uint64_t n);
struct tws_http_body tws_http_body_chunked(void);

/* How many of these bytes belong to it; afterwards `state` says whether more can come. With
 * TWS_BODY_WRONG, the bytes before the one that is wrong. */
size_t tws_http_body_take(struct tws_http_body *b, struct tws_span in);

#endif
