/*
 * bucket.h - a token bucket over bytes: a user's rate. Pure: time is an argument.
 *
 * It holds at most a tenth of a second's bytes, and at least 64 KiB so that a small rate still
 * moves whole messages. What was taken may exceed what was there (a debt is paid back first).
 */
#ifndef TWS_TUNNEL_BUCKET_H
#define TWS_TUNNEL_BUCKET_H

#include <stddef.h>
#include <stdint.h>

struct tws_bucket {
    uint64_t rate;  /* bytes per second; 0: no limit */
    int64_t tokens; /* bytes that may go now; below 0: a debt */
    uint64_t at_us; /* when `tokens` was right */
};

void tws_bucket_init(struct tws_bucket *b, uint64_t rate, uint64_t now_us);
/* Another rate from now on; what is in the bucket stays, up to the new brim. */
void tws_bucket_set_rate(struct tws_bucket *b, uint64_t rate, uint64_t now_us);
/* How many of `want` bytes may go now. */
size_t tws_bucket_allows(struct tws_bucket *b, size_t want, uint64_t now_us);
/* `n` bytes went. */
void tws_bucket_take(struct tws_bucket *b, size_t n);
/* How long until a message's worth (16 KiB) may go; at least 1 ms, so that waking up pays. */
uint64_t tws_bucket_wait_us(const struct tws_bucket *b);

#endif
