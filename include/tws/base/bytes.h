/*
 * bytes.h - borrowed bytes and checked cursors: all parsing and writing of wire bytes goes
 * through these.
 *
 * A cursor has a sticky error: after the first read or write past the end, every further one does
 * nothing and reads give 0, so that a parser reads like a schema and checks once, at its end.
 * All integers are big endian. Nothing here allocates.
 */
#ifndef TWS_BASE_BYTES_H
#define TWS_BASE_BYTES_H

#include "tws/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed bytes: whoever hands one out says how long it is valid. */
struct tws_span {
    const uint8_t *p;
    size_t n;
};

static inline uint16_t tws_get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t tws_get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t tws_get64(const uint8_t *p)
{
    return (uint64_t)tws_get32(p) << 32 | tws_get32(p + 4);
}

static inline void tws_put16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void tws_put32(uint8_t *p, uint32_t v)
{
    tws_put16(p, (uint16_t)(v >> 16));
    tws_put16(p + 2, (uint16_t)v);
}

static inline void tws_put64(uint8_t *p, uint64_t v)
{
    tws_put32(p, (uint32_t)(v >> 32));
    tws_put32(p + 4, (uint32_t)v);
}

/* Reads from borrowed bytes. */
struct tws_reader {
    const uint8_t *p;
    size_t left;
    bool failed; /* a read went past the end */
};

static inline struct tws_reader tws_reader(struct tws_span in)
{
    return (struct tws_reader){in.p, in.n, false};
}

/* The next `n` bytes, borrowed from the input; {NULL, 0} and `failed` if there are not as many. */
struct tws_span tws_read_span(struct tws_reader *r, size_t n);
void tws_read_bytes(struct tws_reader *r, void *out, size_t n); /* zeroes if failed */
uint8_t tws_read_u8(struct tws_reader *r);
uint16_t tws_read_u16(struct tws_reader *r);
uint32_t tws_read_u32(struct tws_reader *r);
uint64_t tws_read_u64(struct tws_reader *r);

/* Writes into the caller's buffer. */
struct tws_writer {
    uint8_t *p;
    size_t len, cap;
    bool failed; /* a write did not fit; `len` stays at what did */
};

static inline struct tws_writer tws_writer(void *buf, size_t cap)
{
    return (struct tws_writer){buf, 0, cap, false};
}

void tws_write_bytes(struct tws_writer *w, const void *p, size_t n);
void tws_write_zeros(struct tws_writer *w, size_t n);
void tws_write_u8(struct tws_writer *w, uint8_t v);
void tws_write_u16(struct tws_writer *w, uint16_t v);
void tws_write_u32(struct tws_writer *w, uint32_t v);
void tws_write_u64(struct tws_writer *w, uint64_t v);

#endif
