/* http_body.c - see tws/proto/http_body.h. */
#include "tws/proto/http_body.h"

#include "tws/base/text.h"

#define DIGITS_MAX 15 /* of a chunk's size: it fits 64 bits */

struct tws_http_body tws_http_body_of_length(uint64_t n)
{
    return (struct tws_http_body){.state = n == 0 ? TWS_BODY_OVER : TWS_BODY_LENGTH, .left = n};
}

struct tws_http_body tws_http_body_chunked(void)
{
    return (struct tws_http_body){.state = TWS_BODY_SIZE};
}

/* A byte that may be in a chunk's extension or in a line of the trailer. */
static bool is_text(uint8_t c)
{
    return c == '\t' || (c >= 0x20 && c != 0x7f);
}

static enum tws_http_body_state on_size(struct tws_http_body *b, uint8_t c)
{
    int digit = tws_hex_digit(c);

    if (digit >= 0) {
        b->left = b->left << 4 | (uint64_t)digit;
        return ++b->digits <= DIGITS_MAX ? TWS_BODY_SIZE : TWS_BODY_WRONG;
    }
    if (b->digits == 0)
        return TWS_BODY_WRONG;
    if (c == '\r')
        return TWS_BODY_SIZE_LF;
    return c == ';' ? TWS_BODY_EXTENSION : TWS_BODY_WRONG;
}

static enum tws_http_body_state on_size_end(struct tws_http_body *b, uint8_t c)
{
    if (c != '\n')
        return TWS_BODY_WRONG;
    b->digits = 0;
    return b->left > 0 ? TWS_BODY_DATA : TWS_BODY_TRAILER;
}

static enum tws_http_body_state only(uint8_t c, uint8_t wanted, enum tws_http_body_state next)
{
    return c == wanted ? next : TWS_BODY_WRONG;
}

/* A byte of a line: where it leads, or on at its end. */
static enum tws_http_body_state line(uint8_t c, enum tws_http_body_state here,
                                     enum tws_http_body_state end)
{
    if (c == '\r')
        return end;
    return is_text(c) ? here : TWS_BODY_WRONG;
}

static enum tws_http_body_state step(struct tws_http_body *b, uint8_t c)
{
    switch (b->state) {
    case TWS_BODY_SIZE:
        return on_size(b, c);
    case TWS_BODY_EXTENSION:
        return line(c, TWS_BODY_EXTENSION, TWS_BODY_SIZE_LF);
    case TWS_BODY_SIZE_LF:
        return on_size_end(b, c);
    case TWS_BODY_DATA_CR:
        return only(c, '\r', TWS_BODY_DATA_LF);
    case TWS_BODY_DATA_LF:
        return only(c, '\n', TWS_BODY_SIZE);
    case TWS_BODY_TRAILER:
        return line(c, TWS_BODY_TRAILER_LINE, TWS_BODY_END_LF);
    case TWS_BODY_TRAILER_LINE:
        return line(c, TWS_BODY_TRAILER_LINE, TWS_BODY_TRAILER_LF);
    case TWS_BODY_TRAILER_LF:
        return only(c, '\n', TWS_BODY_TRAILER);
    case TWS_BODY_END_LF:
        return only(c, '\n', TWS_BODY_OVER);
    case TWS_BODY_OVER:
    case TWS_BODY_WRONG:
    case TWS_BODY_LENGTH:
    case TWS_BODY_DATA:
    default:
        return TWS_BODY_WRONG;
    }
}

/* Bytes that are counted and not looked at. */
static size_t take_counted(struct tws_http_body *b, size_t n)
{
    size_t taken = b->left < n ? (size_t)b->left : n;

    b->left -= taken;
    if (b->left == 0)
        b->state = b->state == TWS_BODY_LENGTH ? TWS_BODY_OVER : TWS_BODY_DATA_CR;
    return taken;
}

size_t tws_http_body_take(struct tws_http_body *b, struct tws_span in)
{
    size_t at = 0;

    while (at < in.n && b->state != TWS_BODY_OVER && b->state != TWS_BODY_WRONG) {
        if (b->state == TWS_BODY_LENGTH || b->state == TWS_BODY_DATA) {
            at += take_counted(b, in.n - at);
            continue;
        }
        b->state = step(b, in.p[at]);
        at += b->state != TWS_BODY_WRONG;
    }
    return at;
}
