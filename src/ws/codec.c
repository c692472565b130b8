/*
 * codec.c - see codec.h.
 *
 * A frame is taken only when it is whole, from the shared buffer or from `part`. A header is
 * judged as soon as it is whole, so that a peer cannot make us wait for, or allocate for, a
 * payload that will be refused. `part` is allocated with the frame's size, which by then is known
 * to be at most TWS_WS_MESSAGE_MAX and the header.
 */
#include "tws/ws/codec.h"

#include "tws/base/bytes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 64 /* bytes masked at a time; a constant count lets the compiler use vectors */

/* ---- masking ---- */

static uint64_t key_word(const uint8_t key[4])
{
    uint32_t k;
    uint64_t w;

    memcpy(&k, key, sizeof(k));
    w = k;
    return w << 32 | w;
}

static inline void mask_block(uint8_t *dst, const uint8_t *src, uint64_t key)
{
    uint64_t w[BLOCK / 8];

    memcpy(w, src, BLOCK);
    for (size_t i = 0; i < BLOCK / 8; i++)
        w[i] ^= key;
    memcpy(dst, w, BLOCK);
}

void tws_ws_mask(uint8_t *p, size_t n, const uint8_t key[4])
{
    uint64_t word = key_word(key);
    size_t i = 0;

    for (; i + BLOCK <= n; i += BLOCK)
        mask_block(p + i, p + i, word);
    for (; i < n; i++)
        p[i] ^= key[i % 4];
}

void tws_ws_mask_copy(uint8_t *restrict dst, const uint8_t *restrict src, size_t n,
                      const uint8_t key[4])
{
    uint64_t word = key_word(key);
    size_t i = 0;

    for (; i + BLOCK <= n; i += BLOCK)
        mask_block(dst + i, src + i, word);
    for (; i < n; i++)
        dst[i] = src[i] ^ key[i % 4];
}

/* ---- writing ---- */

size_t tws_ws_header_size(size_t n, bool masked)
{
    return (n < 126 ? 2u : 4u) + (masked ? 4u : 0u);
}

size_t tws_ws_put_header(uint8_t *out, enum tws_ws_opcode op, size_t n, const uint8_t *key)
{
    uint8_t mask_bit = key != NULL ? 0x80 : 0;
    size_t len = 2;

    assert(n <= TWS_WS_MESSAGE_MAX);
    out[0] = (uint8_t)(0x80 | op);
    if (n < 126) {
        out[1] = (uint8_t)(mask_bit | n);
    } else {
        out[1] = mask_bit | 126;
        tws_put16(out + 2, (uint16_t)n);
        len = 4;
    }
    if (key != NULL) {
        memcpy(out + len, key, 4);
        len += 4;
    }
    return len;
}

size_t tws_ws_put_control(uint8_t *out, enum tws_ws_opcode op, const uint8_t *payload, size_t n,
                          const uint8_t *key)
{
    size_t header;

    assert(n <= TWS_WS_CONTROL_MAX);
    header = tws_ws_put_header(out, op, n, key);
    if (n == 0)
        return header;
    memcpy(out + header, payload, n);
    if (key != NULL)
        tws_ws_mask(out + header, n, key);
    return header + n;
}

/* ---- reading ---- */

struct frame {
    uint8_t opcode;
    bool fin;
    size_t header;
    size_t n; /* payload */
    const uint8_t *key;
};

static void fail(struct tws_ws_input *in, uint16_t code, const char *why)
{
    in->bad = why;
    in->bad_code = code;
}

void tws_ws_input_init(struct tws_ws_input *in, bool masked)
{
    *in = (struct tws_ws_input){.masked = masked};
}

static void drop_part(struct tws_ws_input *in)
{
    free(in->part);
    in->part = NULL;
    in->part_have = in->part_size = 0;
    in->part_done = false;
}

static void drop_whole(struct tws_ws_input *in)
{
    free(in->whole);
    in->whole = NULL;
    in->nwhole = in->whole_size = 0;
    in->whole_done = false;
}

void tws_ws_input_fini(struct tws_ws_input *in)
{
    drop_part(in);
    drop_whole(in);
}

void tws_ws_input_room(struct tws_ws_input *in, uint8_t *shared, size_t cap,
                       struct tws_ws_room *out)
{
    assert(in->at == in->end && cap > TWS_WS_INPUT_ROOM);
    shared += TWS_WS_INPUT_ROOM;
    cap -= TWS_WS_INPUT_ROOM;
    in->at = in->end = shared;
    if (in->part != NULL) {
        in->room = (struct tws_ws_room){in->part + in->part_have, shared,
                                        in->part_size - in->part_have, cap};
    } else {
        in->room = (struct tws_ws_room){shared, NULL, cap, 0};
    }
    *out = in->room;
}

void tws_ws_input_fill(struct tws_ws_input *in, size_t n)
{
    size_t first = n < in->room.nfirst ? n : in->room.nfirst;

    assert(n <= in->room.nfirst + in->room.nsecond);
    if (in->part != NULL) {
        in->part_have += first;
        in->end += n - first;
        return;
    }
    in->at -= in->nhead;
    memcpy(in->at, in->head, in->nhead);
    in->nhead = 0;
    in->end += n;
}

/* The length field and the mask key; false: incomplete or bad. */
static bool parse_length(struct tws_ws_input *in, const uint8_t *p, size_t have, struct frame *f)
{
    uint64_t n = p[1] & 0x7f;

    f->header = 2 + (n == 126 ? 2u : n == 127 ? 8u : 0u) + (in->masked ? 4u : 0u);
    if (have < f->header)
        return false;
    if (n == 126) {
        n = tws_get16(p + 2);
        if (n < 126)
            fail(in, TWS_WS_CLOSE_PROTOCOL, "length not in its shortest form");
    } else if (n == 127) {
        n = tws_get64(p + 2);
        if (n <= 0xffff || n >> 63 != 0)
            fail(in, TWS_WS_CLOSE_PROTOCOL, "length not in its shortest form");
    }
    if (in->bad == NULL && f->opcode < TWS_WS_OP_CLOSE && n > TWS_WS_MESSAGE_MAX - in->nwhole)
        fail(in, TWS_WS_CLOSE_TOO_BIG, "message above 65535 bytes");
    f->n = (size_t)n;
    f->key = in->masked ? p + f->header - 4 : NULL;
    return in->bad == NULL;
}

static const char *check_control(const struct frame *f, uint8_t length_byte)
{
    if (f->opcode > TWS_WS_OP_PONG)
        return "reserved opcode";
    if (!f->fin)
        return "fragmented control frame";
    if ((length_byte & 0x7f) > TWS_WS_CONTROL_MAX)
        return "control frame above 125 bytes";
    return NULL;
}

static const char *check_data(const struct tws_ws_input *in, const struct frame *f)
{
    if (f->opcode > TWS_WS_OP_BINARY)
        return "reserved opcode";
    if (f->opcode == TWS_WS_OP_CONTINUATION && !in->fragmented)
        return "continuation of nothing";
    if (f->opcode != TWS_WS_OP_CONTINUATION && in->fragmented)
        return "new message inside a fragmented one";
    return NULL;
}

/* Judges the first two bytes. */
static bool parse_start(struct tws_ws_input *in, const uint8_t *p, struct frame *f)
{
    const char *why;

    f->fin = (p[0] & 0x80) != 0;
    f->opcode = p[0] & 0x0f;
    if ((p[0] & 0x70) != 0)
        why = "reserved bit set";
    else if (((p[1] & 0x80) != 0) != in->masked)
        why = in->masked ? "client frame not masked" : "server frame masked";
    else
        why = f->opcode >= TWS_WS_OP_CLOSE ? check_control(f, p[1]) : check_data(in, f);
    if (why != NULL)
        fail(in, TWS_WS_CLOSE_PROTOCOL, why);
    else if (f->opcode == TWS_WS_OP_TEXT)
        fail(in, TWS_WS_CLOSE_UNSUPPORTED, "text message");
    return in->bad == NULL;
}

static bool parse_header(struct tws_ws_input *in, const uint8_t *p, size_t have, struct frame *f)
{
    return have >= 2 && parse_start(in, p, f) && parse_length(in, p, have, f);
}

/* Doubles, so that a peer's tiny fragments do not cost a copy of the message each. */
static bool make_room(struct tws_ws_input *in, size_t n)
{
    size_t size = in->whole_size > 0 ? in->whole_size : 4096;
    uint8_t *whole;

    while (size < in->nwhole + n)
        size *= 2;
    if (size == in->whole_size)
        return true;
    whole = realloc(in->whole, size);
    if (whole == NULL)
        return false;
    in->whole = whole;
    in->whole_size = size;
    return true;
}

/* Adds a fragment to the message. Whole messages of one frame never come here. */
static void append(struct tws_ws_input *in, const uint8_t *p, size_t n)
{
    if (!make_room(in, n)) {
        fail(in, TWS_WS_CLOSE_INTERNAL, "out of memory");
        return;
    }
    memcpy(in->whole + in->nwhole, p, n);
    in->nwhole += n;
}

/* A whole data frame: true if it ends a message, which is then in *out. */
static bool take_data(struct tws_ws_input *in, const struct frame *f, uint8_t *payload,
                      struct tws_ws_item *out)
{
    if (!in->fragmented && f->fin) {
        *out = (struct tws_ws_item){.type = TWS_WS_MESSAGE, .payload = payload, .n = f->n};
        return true;
    }
    append(in, payload, f->n);
    in->fragmented = !f->fin;
    if (in->bad != NULL || !f->fin)
        return false;
    *out = (struct tws_ws_item){.type = TWS_WS_MESSAGE, .payload = in->whole, .n = in->nwhole};
    in->whole_done = true;
    return true;
}

/* Codes that may stand in a close frame (RFC 6455, 7.4). */
static bool valid_close_code(uint16_t code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static void take_control(struct tws_ws_input *in, const struct frame *f, uint8_t *payload,
                         struct tws_ws_item *out)
{
    *out = (struct tws_ws_item){.payload = payload, .n = f->n};
    if (f->opcode == TWS_WS_OP_PING) {
        out->type = TWS_WS_PING;
    } else if (f->opcode == TWS_WS_OP_PONG) {
        out->type = TWS_WS_PONG;
    } else {
        out->type = TWS_WS_CLOSE;
        out->code = f->n >= 2 ? tws_get16(payload) : TWS_WS_CLOSE_NO_CODE;
        if (f->n == 1 || (f->n >= 2 && !valid_close_code(out->code)))
            fail(in, TWS_WS_CLOSE_PROTOCOL, "bad close frame");
    }
}

/* A frame that is whole at `p`: true if it made an item. */
static bool take_frame(struct tws_ws_input *in, const struct frame *f, uint8_t *p,
                       struct tws_ws_item *out)
{
    uint8_t *payload = p + f->header;

    if (f->key != NULL)
        tws_ws_mask(payload, f->n, f->key);
    if (f->opcode < TWS_WS_OP_CLOSE)
        return take_data(in, f, payload, out);
    take_control(in, f, payload, out);
    return in->bad == NULL;
}

/* Keeps what is left in the shared buffer: of a header in `head`, of a payload in `part`. */
static void keep_rest(struct tws_ws_input *in, const struct frame *f)
{
    size_t have = (size_t)(in->end - in->at);

    if (f->header == 0 || have < f->header) {
        assert(have < TWS_WS_HEADER_MAX);
        memcpy(in->head, in->at, have);
        in->nhead = (uint8_t)have;
    } else {
        in->part = malloc(f->header + f->n);
        if (in->part == NULL) {
            fail(in, TWS_WS_CLOSE_INTERNAL, "out of memory");
            return;
        }
        memcpy(in->part, in->at, have);
        in->part_have = have;
        in->part_size = f->header + f->n;
    }
    in->at = in->end;
}

/* The next frame that is whole: its header in *f, its bytes in the result, or NULL. */
static uint8_t *next_frame(struct tws_ws_input *in, struct frame *f)
{
    uint8_t *p = in->at;

    *f = (struct frame){0};
    if (in->part != NULL) {
        if (in->part_have < in->part_size)
            return NULL;
        (void)parse_header(in, in->part, in->part_have, f);
        assert(in->bad == NULL && f->header + f->n == in->part_size);
        return in->part;
    }
    if (!parse_header(in, p, (size_t)(in->end - p), f) ||
        (size_t)(in->end - p) < f->header + f->n) {
        if (in->bad == NULL)
            keep_rest(in, f);
        return NULL;
    }
    in->at += f->header + f->n;
    return p;
}

void tws_ws_input_next(struct tws_ws_input *in, struct tws_ws_item *out)
{
    struct frame f;
    uint8_t *p;

    if (in->whole_done)
        drop_whole(in);
    while (in->bad == NULL) {
        if (in->part_done)
            drop_part(in);
        p = next_frame(in, &f);
        if (p == NULL)
            break;
        in->part_done = p == in->part;
        if (take_frame(in, &f, p, out))
            return;
    }
    *out = (struct tws_ws_item){
        .type = in->bad != NULL ? TWS_WS_BAD : TWS_WS_SHORT, .code = in->bad_code, .why = in->bad};
}
