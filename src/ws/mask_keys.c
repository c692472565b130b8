/*
 * mask_keys.c - see mask_keys.h. One pool per thread, so that no two streams share a key by
 * accident and no lock is needed.
 */
#include "tws/ws/mask_keys.h"

#include "tws/base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define POOL 4096

static _Thread_local uint8_t pool[POOL];
static _Thread_local size_t left;

static void fill(void)
{
    size_t have = 0;

    while (have < POOL) {
        ssize_t n = getrandom(pool + have, POOL - have, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            tws_log(TWS_LOG_ERROR, "no random bytes", "errno=%d", errno);
            abort();
        }
        have += (size_t)n;
    }
    left = POOL;
}

void tws_ws_mask_key(uint8_t key[4])
{
    if (left == 0)
        fill();
    left -= 4;
    memcpy(key, pool + left, 4);
}
