/*
 * fuzz_frame.c - properties of frames and cursors, for any bytes as a message:
 *   1. a decoded frame encodes back to exactly the bytes it came from;
 *   2. every proper part of a frame is SHORT, wherever it was cut;
 *   3. walking a message ends, and never leaves it.
 */
#include "fuzz.h"

#include "tws/proto/code.h"
#include "tws/proto/frame.h"

#include <string.h>

static void check_frame(struct tws_span in, const struct tws_frame *f, size_t used)
{
    uint8_t header[TWS_FRAME_HDR];
    struct tws_frame part;
    size_t ignored;

    REQUIRE(used == TWS_FRAME_HDR + (size_t)f->len && used <= in.n);
    REQUIRE(f->payload == in.p + TWS_FRAME_HDR);
    tws_frame_put_header(header, f);
    REQUIRE(memcmp(header, in.p, sizeof header) == 0);
    for (size_t n = 0; n < used; n += 1 + n / 8)
        REQUIRE(tws_frame_decode((struct tws_span){in.p, n}, &part, &ignored) == TWS_SHORT);
    REQUIRE(tws_frame_name(f->type) != NULL && tws_code_text(f->len) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tws_span in = {data, size};
    struct tws_frame f;
    size_t used = 0;

    while (tws_frame_decode(in, &f, &used) == TWS_OK) {
        check_frame(in, &f, used);
        in.p += used;
        in.n -= used;
    }
    REQUIRE(in.n < TWS_FRAME_HDR || in.n - TWS_FRAME_HDR < tws_get16(in.p + 2));
    return 0;
}
