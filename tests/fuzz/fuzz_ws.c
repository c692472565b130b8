/*
 * fuzz_ws.c - the ws codec's reader: whatever a peer sends, and however TCP cuts it, the items are
 * the same, within bounds, and nothing leaks.
 *
 * Input: u8 role (bit 0: the peer masks) and step of the second pass (the other bits), then the
 * bytes of the peer.
 */
#include "tws/ws/codec.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A running digest of all items: any difference between two passes shows. */
struct digest {
    uint64_t sum;
    unsigned items;
};

static void mix(struct digest *d, uint64_t v)
{
    d->sum = (d->sum ^ v) * 0x100000001b3u;
}

static void note(struct digest *d, const struct tws_ws_item *it)
{
    if (it->n > TWS_WS_MESSAGE_MAX || (it->type != TWS_WS_MESSAGE && it->n > TWS_WS_CONTROL_MAX))
        abort();
    mix(d, it->type);
    mix(d, it->code);
    mix(d, it->n);
    for (size_t i = 0; i < it->n; i++)
        mix(d, it->payload[i]);
    d->items++;
}

/* One read of at most `n` bytes; returns how many, 0 when the input is dead. */
static size_t feed_once(struct tws_ws_input *in, const uint8_t *p, size_t n, struct digest *d)
{
    static uint8_t shared[4096];
    struct tws_ws_room room;
    struct tws_ws_item it;
    size_t first, second;

    tws_ws_input_room(in, shared, sizeof(shared), &room);
    first = n < room.nfirst ? n : room.nfirst;
    second = n - first < room.nsecond ? n - first : room.nsecond;
    memcpy(room.first, p, first);
    if (second > 0)
        memcpy(room.second, p + first, second);
    tws_ws_input_fill(in, first + second);
    for (tws_ws_input_next(in, &it); it.type != TWS_WS_SHORT; tws_ws_input_next(in, &it)) {
        note(d, &it);
        if (it.type == TWS_WS_BAD)
            return 0;
    }
    return first + second;
}

static struct digest run(const uint8_t *p, size_t n, bool masked, size_t step)
{
    struct digest d = {0xcbf29ce484222325u, 0};
    struct tws_ws_input in;

    tws_ws_input_init(&in, masked);
    while (n > 0) {
        size_t used = feed_once(&in, p, n < step ? n : step, &d);

        if (used == 0)
            break;
        p += used;
        n -= used;
    }
    tws_ws_input_fini(&in);
    return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct digest whole, cut;
    bool masked;

    if (size < 1)
        return 0;
    masked = (data[0] & 1) != 0;
    whole = run(data + 1, size - 1, masked, SIZE_MAX);
    cut = run(data + 1, size - 1, masked, (data[0] >> 1) + 1u);
    if (whole.sum != cut.sum || whole.items != cut.items)
        abort();
    return 0;
}
