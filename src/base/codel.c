/* codel.c - see codel.h; the names of RFC 8289's pseudocode stand beside ours. */
#include "tws/base/codel.h"

#define REMEMBER 16u /* intervals: who drops again that soon goes on about where it was */

static uint32_t square_root(uint32_t n)
{
    uint32_t low = 1, high = 65535;

    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;
        if (middle <= n / middle)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* control_law() */
static uint64_t next_after(uint64_t at, uint32_t count)
{
    /* 256 times the root of `count`, with its fraction while that matters. */
    uint32_t root = count < 65536 ? square_root(count * 65536) : 256 * square_root(count);

    return at + 256u * TWS_CODEL_INTERVAL_US / root;
}

/* ok_to_drop of dodequeue() */
static bool stands(struct tws_codel *c, uint64_t waited_us, size_t behind, uint64_t now)
{
    if (waited_us < TWS_CODEL_TARGET_US || behind <= TWS_CODEL_PACKET) {
        c->stands_at = 0;
        return false;
    }
    if (c->stands_at == 0)
        c->stands_at = now + TWS_CODEL_INTERVAL_US;
    return now >= c->stands_at;
}

static void begin(struct tws_codel *c, uint64_t now)
{
    uint32_t last_time = c->count - c->began_with;
    bool again = now - c->next_at < REMEMBER * TWS_CODEL_INTERVAL_US;

    c->dropping = true;
    c->began_at = now;
    c->count = again && last_time > 1 ? last_time : 1;
    c->began_with = c->count;
    c->next_at = next_after(now, c->count);
}

bool tws_codel_drops(struct tws_codel *c, uint64_t waited_us, size_t behind, uint64_t now)
{
    if (!stands(c, waited_us, behind, now)) {
        c->dropping = false;
        return false;
    }
    if (!c->dropping) {
        begin(c, now);
        return true;
    }
    if (waited_us > TWS_CODEL_MOST_US && now - c->began_at >= TWS_CODEL_INTERVAL_US)
        return true;
    if (now < c->next_at)
        return false;
    c->count++;
    c->next_at = next_after(c->next_at, c->count);
    return true;
}
