/*
 * fuzz_http_proxy.c - properties of requests to the HTTP proxy, for any bytes at all:
 *   1. a part of a head is SHORT or already wrong, never another head;
 *   2. a request that is taken is rewritten within its bound to one head, which read again for the
 *      same URL is the same request: same target, same framing of the body;
 *   3. a body has the same end however its bytes are cut, and never takes more than there are.
 */
#include "fuzz.h"

#include "tws/proto/http_proxy.h"

#include <string.h>

#define HEAD_MAX 8192

static void check_parts(struct tws_span in, size_t n)
{
    struct tws_http_request part;
    unsigned status;

    for (size_t i = 0; i < n; i++)
        REQUIRE(tws_http_request_read((struct tws_span){in.p, i}, &part, &status) == TWS_SHORT);
}

static bool is_asterisk(struct tws_span head, size_t method_n)
{
    return head.n > method_n + 2 && memcmp(head.p + method_n, " * ", 3) == 0;
}

/* Puts the URL's scheme and authority back into the rewritten head. */
static void check_rewritten(const struct tws_http_request *r, struct tws_span head)
{
    static uint8_t again[3 * HEAD_MAX];
    struct tws_writer w = tws_writer(again, sizeof again);
    struct tws_http_request back;
    size_t method = r->method.n;
    unsigned status;

    if (is_asterisk(head, method))
        return;
    tws_write_bytes(&w, head.p, method);
    tws_write_bytes(&w, " http://", 8);
    tws_write_bytes(&w, r->authority.p, r->authority.n);
    tws_write_bytes(&w, head.p + method + 1, head.n - method - 1);
    REQUIRE(!w.failed);
    REQUIRE(tws_http_request_read((struct tws_span){again, w.len}, &back, &status) == TWS_OK);
    REQUIRE(back.n == w.len && !back.connect && back.login.n == 0);
    REQUIRE(back.target.type == r->target.type && back.target.port == r->target.port);
    REQUIRE(back.body.state == r->body.state && back.body.left == r->body.left);
}

static void check_body(struct tws_http_body body, struct tws_span in)
{
    struct tws_http_body whole = body, cut = body;
    size_t n = tws_http_body_take(&whole, in), sum = 0;

    REQUIRE(n <= in.n);
    for (size_t i = 0; i < in.n; i++)
        sum += tws_http_body_take(&cut, (struct tws_span){in.p + i, 1});
    REQUIRE(sum == n && cut.state == whole.state && cut.left == whole.left);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t head[HEAD_MAX + TWS_HTTP_GROWTH];
    const struct tws_span in = {data, size};
    struct tws_http_request r;
    unsigned status;

    check_body(tws_http_body_chunked(), in);
    if (size > HEAD_MAX)
        return 0;
    tws_err err = tws_http_request_read(in, &r, &status);
    if (err != TWS_OK) {
        REQUIRE(err == TWS_SHORT || (status >= 400 && status < 600));
        return 0;
    }
    check_parts(in, r.n);
    check_body(r.body, (struct tws_span){data + r.n, size - r.n});
    if (r.connect)
        return 0;
    struct tws_writer w = tws_writer(head, r.n + TWS_HTTP_GROWTH);
    tws_http_rewrite(&w, &r);
    REQUIRE(!w.failed);
    check_rewritten(&r, (struct tws_span){head, w.len});
    return 0;
}
