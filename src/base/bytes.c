/* bytes.c - see bytes.h. */
#include "tws/base/bytes.h"

struct tws_span tws_read_span(struct tws_reader *r, size_t n)
{
    if (r->failed || n > r->left) {
        r->failed = true;
        return (struct tws_span){NULL, 0};
    }
    struct tws_span s = {r->p, n};
    r->p += n;
    r->left -= n;
    return s;
}

void tws_read_bytes(struct tws_reader *r, void *out, size_t n)
{
    struct tws_span s = tws_read_span(r, n);

    if (s.n == n && n > 0)
        memcpy(out, s.p, n);
    else if (n > 0)
        memset(out, 0, n);
}

uint8_t tws_read_u8(struct tws_reader *r)
{
    struct tws_span s = tws_read_span(r, 1);
    return s.n == 1 ? s.p[0] : 0;
}

uint16_t tws_read_u16(struct tws_reader *r)
{
    struct tws_span s = tws_read_span(r, 2);
    return s.n == 2 ? tws_get16(s.p) : 0;
}

uint32_t tws_read_u32(struct tws_reader *r)
{
    struct tws_span s = tws_read_span(r, 4);
    return s.n == 4 ? tws_get32(s.p) : 0;
}

uint64_t tws_read_u64(struct tws_reader *r)
{
    struct tws_span s = tws_read_span(r, 8);
    return s.n == 8 ? tws_get64(s.p) : 0;
}

/* Room for `n` more bytes, or NULL and the sticky error. */
static uint8_t *room(struct tws_writer *w, size_t n)
{
    if (w->failed || n > w->cap - w->len) {
        w->failed = true;
        return NULL;
    }
    uint8_t *p = w->p + w->len;
    w->len += n;
    return p;
}

/* Inlined into everything, GCC 12 warns of writes that room() has excluded. */
__attribute__((noinline)) void tws_write_bytes(struct tws_writer *w, const void *p, size_t n)
{
    uint8_t *to = room(w, n);
    if (to != NULL && n > 0)
        memcpy(to, p, n);
}

void tws_write_zeros(struct tws_writer *w, size_t n)
{
    uint8_t *to = room(w, n);
    if (to != NULL && n > 0)
        memset(to, 0, n);
}

void tws_write_u8(struct tws_writer *w, uint8_t v)
{
    tws_write_bytes(w, &v, 1);
}

void tws_write_u16(struct tws_writer *w, uint16_t v)
{
    uint8_t *to = room(w, 2);
    if (to != NULL)
        tws_put16(to, v);
}

void tws_write_u32(struct tws_writer *w, uint32_t v)
{
    uint8_t *to = room(w, 4);
    if (to != NULL)
        tws_put32(to, v);
}

void tws_write_u64(struct tws_writer *w, uint64_t v)
{
    uint8_t *to = room(w, 8);
    if (to != NULL)
        tws_put64(to, v);
}
