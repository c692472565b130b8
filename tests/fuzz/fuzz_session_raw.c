/*
 * fuzz_session_raw.c - one session against a hostile peer: any messages at all, in any order, with
 * time passing. It may end the session; it must not get past an assertion, make memory outgrow the
 * budget, or leave any behind.
 *
 * Input: u8 role (bit 0: the session is a client; bit 1: nobody reads its channels), then steps:
 *   0xff deliver the message built so far        0xfe time passes (u8 how much)
 *   0xfd the session flushes its links           0xfc n bytes as they are (u8 n)
 *   0xfb the session opens a channel, sends      0xfa a link is lost, the next one joins
 *   else a frame: type, u8 flags, u8 channel, u8 offset class, u8 offset, u8 length
 */
#include "../support/wire.h"

#include "tws/mux/session.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MEMORY (1u << 20)

static struct side d;
static struct raw message;
static unsigned current; /* the link that messages come over */

static uint64_t offset_of(uint8_t class, uint8_t n)
{
    switch (class & 7) {
    case 0:
        return n;
    case 1:
        return n * UINT64_C(1000);
    case 2:
        return n * UINT64_C(65536);
    case 3:
        return (UINT64_C(1) << 62) - 2 + n;
    case 4:
        return UINT64_MAX - n;
    case 5:
        return (uint64_t)n << 54;
    case 6: /* the last bytes of the first window */
        return 256u * 1024u - n;
    default:
        return n % 8u;
    }
}

static size_t add_frame(const uint8_t *p, size_t n)
{
    if (n < 6 || message.n + TWS_FRAME_HDR + 4096 > sizeof message.b)
        return 1;
    raw_frame(&message, (struct tws_frame){.type = p[0] < 0x20 ? p[0] & 15 : p[0],
                                           .flags = p[1],
                                           .channel = p[2],
                                           .offset = offset_of(p[3], p[4]),
                                           .len = p[5] < 240 ? p[5] : (uint16_t)(p[5] * 16)});
    return 6;
}

static size_t add_bytes(const uint8_t *p, size_t n)
{
    if (n < 2 || n - 2 < p[1] || message.n + p[1] > sizeof message.b)
        return 1;
    memcpy(message.b + message.n, p + 2, p[1]);
    message.n += p[1];
    return 2u + p[1];
}

static void join(unsigned i)
{
    current = i;
    if (side_link(&d, i) == TWS_OK && !d.client)
        send_link(&d, i);
}

static void deliver_message(void)
{
    if (d.link[current] != NULL)
        raw_send(&message, &d, current);
    message.n = 0;
}

static void open_one(void)
{
    struct app *a = side_open(&d, 3000, false);

    if (a != NULL && d.link[current] != NULL)
        side_flush(&d, current);
}

/* How much of the input the step at `p` took. */
static size_t step(const uint8_t *p, size_t n)
{
    switch (p[0]) {
    case 0xff:
        deliver_message();
        return 1;
    case 0xfe:
        side_tick(&d, n > 1 ? (uint64_t)p[1] * p[1] * p[1] : 1);
        return 2;
    case 0xfd:
        side_flush(&d, current);
        side_drop_output(&d, current);
        return 1;
    case 0xfc:
        return add_bytes(p, n);
    case 0xfb:
        open_one();
        return 1;
    case 0xfa:
        side_lose(&d, current);
        if (current + 1 < PAIR_LINKS)
            join(current + 1);
        return 1;
    default:
        return add_frame(p, n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t role = size > 0 ? data[0] : 0;
    struct tws_session_config cfg = {
        .client = role & 1, .memory = MEMORY, .early_data = 500, .max_channels = 50};

    assert(side_init(&d, &cfg, 0) == TWS_OK);
    d.any_bytes = true;
    d.pause_new = role & 2;
    message.n = 0;
    join(0);
    for (size_t at = 1, used; at < size; at += used) {
        used = step(data + at, size - at);
        assert(tws_session_stats(d.s).memory <= MEMORY + MEMORY / 4);
    }
    deliver_message();
    side_flush(&d, current);
    side_fini(&d);
    return 0;
}
