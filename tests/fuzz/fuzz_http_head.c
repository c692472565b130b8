/*
 * fuzz_http_head.c - properties of the reader of the first head of a connection, for any bytes:
 *   1. a head is read when its last byte is there, and not before; a part of it is SHORT;
 *   2. what is wrong stays wrong, whatever follows, and what is SHORT can still become a head;
 *   3. what follows a head changes nothing of it;
 *   4. what was found lies within the head and is what http_head_priv.h says of it.
 */
#include "fuzz.h"
#include "http_head_priv.h"

#include "tws/ws/upgrade.h"

#include <string.h>

#define CUTS_MAX 600 /* of a long input only the first and last are tried */

static bool within(struct tws_span part, struct tws_span all)
{
    return part.n == 0 || (part.p >= all.p && part.p + part.n <= all.p + all.n);
}

static bool is_session_text(const char *s)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    return strlen(s) == TWS_SESSION_TEXT && strspn(s, digits) == TWS_SESSION_TEXT;
}

static void check_head(struct tws_span in, const struct tws_http_head *h)
{
    const struct tws_span head = {in.p, h->size};
    struct tws_span path = tws_http_head_path(h);

    REQUIRE(h->size <= in.n && h->size <= TWS_HTTP_HEAD_MAX && in.p[h->size - 1] == '\n');
    REQUIRE(h->method.n > 0 && h->method.p == in.p);
    REQUIRE(h->target.n > 0 && within(h->target, head));
    for (size_t i = 0; i < h->target.n; i++)
        REQUIRE(h->target.p[i] > ' ' && h->target.p[i] != 127);
    REQUIRE(path.p == h->target.p && path.n <= h->target.n);
    REQUIRE(path.n == 0 || memchr(path.p, '?', path.n) == NULL);
    REQUIRE(within(h->forwarded_for, head));
    REQUIRE(h->session[0] == '\0' || is_session_text(h->session));
    REQUIRE(!h->upgrade || (h->version11 && is_session_text(h->session)));
}

static void check_alone(struct tws_span in, const struct tws_http_head *h)
{
    struct tws_http_head alone;

    REQUIRE(tws_http_head_parse((struct tws_span){in.p, h->size}, &alone) == TWS_OK);
    REQUIRE(alone.size == h->size && alone.upgrade == h->upgrade);
    REQUIRE(strcmp(alone.session, h->session) == 0);
    REQUIRE(alone.forwarded_for.n == h->forwarded_for.n);
}

/* What `n` of the bytes are, when all of them come to `whole`. */
static void check_cut(struct tws_span in, size_t n, tws_err whole, size_t head)
{
    struct tws_http_head part;
    tws_err err = tws_http_head_parse((struct tws_span){in.p, n}, &part);

    if (whole == TWS_OK)
        REQUIRE(err == (n < head ? TWS_SHORT : TWS_OK));
    else
        REQUIRE(err == TWS_SHORT || err == whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct tws_span in = {data, size};
    struct tws_http_head h;
    tws_err err = tws_http_head_parse(in, &h);

    REQUIRE(err == TWS_OK || err == TWS_SHORT || err == TWS_E_PROTOCOL);
    REQUIRE(err != TWS_SHORT || size < TWS_HTTP_HEAD_MAX);
    for (size_t n = 0; n < size; n++)
        if (n < CUTS_MAX / 2 || size - n < CUTS_MAX / 2)
            check_cut(in, n, err, h.size);
    if (err != TWS_OK)
        return 0;
    check_head(in, &h);
    check_alone(in, &h);
    return 0;
}
