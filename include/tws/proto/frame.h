/*
 * frame.h - the frame header on the wire, and nothing else.
 *
 *      0      1       2          4            8                      16
 *      | type | flags | len u16  | channel u32| offset u64           | payload[len]
 *
 * All integers big endian; `len` counts the payload. Channel 0 is the session itself. This module
 * knows bytes; whether a frame makes sense now is mux/session.h's to say. Frames are values.
 */
#ifndef TWS_PROTO_FRAME_H
#define TWS_PROTO_FRAME_H

#include "tws/base/bytes.h"

#define TWS_FRAME_HDR         16u
#define TWS_FRAME_MAX_PAYLOAD 65519u
#define TWS_MESSAGE_MAX       65535u /* frames and AEAD tag; keeps the ws length at 16 bits */
#define TWS_MESSAGE_DEFAULT   32768u
#define TWS_MESSAGE_FRAMES    64u
#define TWS_OFFSET_MAX        (UINT64_C(1) << 62)

enum tws_frame_type {
    TWS_FRAME_PADDING = 0x00,
    TWS_FRAME_DATA = 0x01,
    TWS_FRAME_OPEN = 0x02,
    TWS_FRAME_OPENED = 0x03,
    TWS_FRAME_RESET = 0x04,
    TWS_FRAME_STOP = 0x05,
    TWS_FRAME_WINDOW = 0x06,
    TWS_FRAME_CHANNELS = 0x07,
    TWS_FRAME_ACK = 0x08,
    TWS_FRAME_DEAD = 0x09,
    TWS_FRAME_PING = 0x0a,
    TWS_FRAME_PONG = 0x0b,
    TWS_FRAME_LINK = 0x0c,
    TWS_FRAME_GOAWAY = 0x0d,
    TWS_FRAME_CLOSE = 0x0e,
    TWS_FRAME_DATAGRAM = 0x0f,
    TWS_FRAME_TYPE_END = 0x10,
};

#define TWS_FLAG_FIN     0x01u /* DATA: the stream ends behind these bytes */
#define TWS_FLAG_ACK_NOW 0x01u /* PING: acknowledge at once */
#define TWS_FLAG_SKIP    0x80u /* an unknown type with this flag is skipped */

/* OPEN's kind of channel. */
enum tws_kind {
    TWS_KIND_TCP = 1,
    TWS_KIND_UDP = 2,
    TWS_KIND_UNIX = 3,
    TWS_KIND_TUN = 4,
    TWS_KIND_LISTEN = 5,
};

/* Whether a channel of that kind carries DATAGRAM frames, and no stream. */
static inline bool tws_kind_has_datagrams(uint8_t kind)
{
    return kind == TWS_KIND_UDP || kind == TWS_KIND_TUN;
}

struct tws_frame {
    uint8_t type, flags;
    uint16_t len;
    uint32_t channel;
    uint64_t offset;
    const uint8_t *payload; /* borrowed from the decoder's input */
};

/*
 * Decodes the frame at the start of `in`. On TWS_OK fills *f and sets *used to the bytes
 * consumed. TWS_SHORT: `in` is a proper prefix of a frame. There are no other results: types and
 * flags are not judged here.
 */
static inline tws_err tws_frame_decode(struct tws_span in, struct tws_frame *f, size_t *used)
{
    if (in.n < TWS_FRAME_HDR)
        return TWS_SHORT;
    f->type = in.p[0];
    f->flags = in.p[1];
    f->len = tws_get16(in.p + 2);
    f->channel = tws_get32(in.p + 4);
    f->offset = tws_get64(in.p + 8);
    f->payload = in.p + TWS_FRAME_HDR;
    if (in.n - TWS_FRAME_HDR < f->len)
        return TWS_SHORT;
    *used = TWS_FRAME_HDR + f->len;
    return TWS_OK;
}

/* Writes the header of *f (not its payload) to `out`, TWS_FRAME_HDR bytes. */
static inline void tws_frame_put_header(uint8_t *out, const struct tws_frame *f)
{
    out[0] = f->type;
    out[1] = f->flags;
    tws_put16(out + 2, f->len);
    tws_put32(out + 4, f->channel);
    tws_put64(out + 8, f->offset);
}

/* "DATA", "ACK", ...; "?" for an unknown type. */
const char *tws_frame_name(uint8_t type);

#endif
