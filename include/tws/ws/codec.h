/*
 * codec.h - RFC 6455 framing as bytes and values: no socket, no clock, no libwebsockets.
 *
 * Reading: the owner asks where the next bytes go (tws_ws_input_room), reads there, says how many
 * came (tws_ws_input_fill) and takes items until TWS_WS_SHORT. Splits may be anywhere. Payload is
 * unmasked where it lies. Two buffers are in play: the owner's big one, shared by all its inputs
 * and free again once an item is TWS_WS_SHORT; and one of the input's own that exists only while a
 * frame is incomplete or a message is fragmented.
 *
 * Binary messages only, at most TWS_WS_MESSAGE_MAX bytes, fragmented or not. The first violation
 * ends an input: the item is TWS_WS_BAD with the close code to answer with.
 *
 * Writing: the header goes right in front of the payload; the client masks with a key of its own
 * for each frame (mask_keys.h).
 */
#ifndef TWS_WS_CODEC_H
#define TWS_WS_CODEC_H

#include "tws/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TWS_WS_MESSAGE_MAX 65535
#define TWS_WS_CONTROL_MAX 125 /* payload of a control frame (RFC 6455, 5.5) */
#define TWS_WS_HEADER_MAX  14  /* of any frame a peer may send */
#define TWS_WS_INPUT_ROOM  16  /* bytes at the front of the shared buffer that are the input's */

enum tws_ws_opcode {
    TWS_WS_OP_CONTINUATION = 0x0,
    TWS_WS_OP_TEXT = 0x1,
    TWS_WS_OP_BINARY = 0x2,
    TWS_WS_OP_CLOSE = 0x8,
    TWS_WS_OP_PING = 0x9,
    TWS_WS_OP_PONG = 0xa,
};

/* Close codes (RFC 6455, 7.4.1) that this layer uses itself. */
enum tws_ws_close_code {
    TWS_WS_CLOSE_NORMAL = 1000,
    TWS_WS_CLOSE_PROTOCOL = 1002,
    TWS_WS_CLOSE_UNSUPPORTED = 1003,
    TWS_WS_CLOSE_NO_CODE = 1005,  /* the peer's close frame had none; never sent */
    TWS_WS_CLOSE_ABNORMAL = 1006, /* no close frame came; never sent */
    TWS_WS_CLOSE_TOO_BIG = 1009,
    TWS_WS_CLOSE_INTERNAL = 1011,
};

/* ---- masking (RFC 6455, 5.3); `key` is the four key bytes in wire order ---- */

void tws_ws_mask(uint8_t *p, size_t n, const uint8_t key[4]);
/* dst and src do not overlap. */
void tws_ws_mask_copy(uint8_t *restrict dst, const uint8_t *restrict src, size_t n,
                      const uint8_t key[4]);

/* ---- writing ---- */

/* Bytes of the header of an unfragmented frame with `n` <= TWS_WS_MESSAGE_MAX bytes of payload. */
size_t tws_ws_header_size(size_t n, bool masked);
/* Writes that header; `key` NULL: not masked. Returns its size. */
size_t tws_ws_put_header(uint8_t *out, enum tws_ws_opcode op, size_t n, const uint8_t *key);
/* A whole control frame, `n` <= TWS_WS_CONTROL_MAX; `out` has room for n + 6. Returns its size. */
size_t tws_ws_put_control(uint8_t *out, enum tws_ws_opcode op, const uint8_t *payload, size_t n,
                          const uint8_t *key);

/* ---- reading ---- */

enum tws_ws_item_type {
    TWS_WS_SHORT, /* nothing more in what was filled in */
    TWS_WS_MESSAGE,
    TWS_WS_PING,
    TWS_WS_PONG,
    TWS_WS_CLOSE,
    TWS_WS_BAD, /* the input is dead: every further item is this one */
};

struct tws_ws_item {
    enum tws_ws_item_type type;
    uint8_t *payload; /* may be changed in place; valid until the next call on this input */
    size_t n;
    uint16_t code;   /* CLOSE: the peer's, or 1005; BAD: the one to close with */
    const char *why; /* BAD: static text */
};

/* Where bytes go: the second part only when the first is full. */
struct tws_ws_room {
    uint8_t *first, *second; /* second may be NULL */
    size_t nfirst, nsecond;
};

struct tws_ws_input {
    bool masked;     /* the peer is a client */
    bool fragmented; /* a message has begun and not ended */
    const char *bad; /* why the input is dead, or NULL */
    uint16_t bad_code;
    uint8_t head[TWS_WS_HEADER_MAX]; /* an incomplete header */
    uint8_t nhead;
    uint8_t *part; /* an incomplete frame, allocated with its full size */
    size_t part_have, part_size;
    uint8_t *whole; /* the message that is being reassembled */
    size_t nwhole, whole_size;
    bool part_done, whole_done; /* was handed out, and goes with the next call */
    uint8_t *at, *end;          /* what is filled in and not yet taken, in the shared buffer */
    struct tws_ws_room room;    /* as last handed out */
};

/* `masked`: the peer is a client, all its frames must be masked; otherwise none may be. */
void tws_ws_input_init(struct tws_ws_input *in, bool masked);
void tws_ws_input_fini(struct tws_ws_input *in);
/*
 * Where to read to, given the shared buffer of `cap` > TWS_WS_INPUT_ROOM bytes. Only after
 * TWS_WS_SHORT.
 */
void tws_ws_input_room(struct tws_ws_input *in, uint8_t *shared, size_t cap,
                       struct tws_ws_room *out);
/* `n` bytes came, in the order of the room. */
void tws_ws_input_fill(struct tws_ws_input *in, size_t n);
void tws_ws_input_next(struct tws_ws_input *in, struct tws_ws_item *out);

#endif
