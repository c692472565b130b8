/*
 * path.h - what one link can carry: round trip, delivery rate, and from them how many bytes may be
 * in flight. All from the peer's ACKs, since a proxy's socket says nothing about the way behind it.
 *
 * The rate is the best delivery rate of the last seconds (sampled as in the BBR drafts,
 * draft-cardwell-iccrg-bbr-congestion-control: bytes delivered between two marks over the time
 * that sending or acknowledging them took, whichever was longer), the round trip the least of the
 * last ten seconds. In flight may be what the way holds, and a little more: enough to keep it busy,
 * too little to queue (bufferbloat). While the rate still grows by a quarter every round trip, the
 * bound is doubled, so that it finds its size. Samples from traffic that did not fill the bound can
 * only raise the rate (such a connection says nothing about what the way could carry). When no
 * lower round trip was seen for ten seconds the bound falls for a moment, so that the queue empties
 * and shows the true one.
 *
 * A value: integers only, no allocation, times in microseconds.
 */
#ifndef TWS_MUX_PATH_H
#define TWS_MUX_PATH_H

#include <stdbool.h>
#include <stdint.h>

struct tws_path {
    uint64_t srtt_us, min_rtt_us, min_rtt_at;       /* 0: no sample yet */
    uint64_t rate_now, rate_before, rate_window_at; /* best of this window and the last; bytes/s */
    uint64_t delivered, delivered_at;
    uint64_t sent_at;   /* when the newest that was delivered had been sent */
    uint64_t round_end; /* `delivered` when this round trip ends */
    uint64_t full_rate;
    uint32_t full_rounds;
    bool estimated;       /* the bound was once filled, so that the rate tells about the way */
    bool started;         /* the rate has stopped growing */
    uint64_t probe_until; /* the bound is lowered to see the true round trip */
    uint64_t probe_rtt_us;
};

/* What was known when a message was sent; kept with it. */
struct tws_path_mark {
    uint64_t sent_at, delivered, delivered_at;
    uint64_t before_at; /* when the newest that was delivered by then had been sent */
};

void tws_path_init(struct tws_path *p);

/* Marks a message sent at `now`; `idle`: nothing else was in flight. */
struct tws_path_mark tws_path_mark(struct tws_path *p, bool idle, uint64_t now);

/*
 * The peer acknowledged `bytes` at `now`; `mark` is that of the newest message among them, `rtt_us`
 * its round trip without the peer's delay, or 0 if it cannot be told.
 */
void tws_path_delivered(struct tws_path *p, const struct tws_path_mark *mark, uint64_t bytes,
                        uint64_t rtt_us, uint64_t now);

/* A round trip measured otherwise (PONG). */
void tws_path_round_trip(struct tws_path *p, uint64_t rtt_us, uint64_t now);

/* Bytes per second; 0: no estimate. */
uint64_t tws_path_rate(const struct tws_path *p);

/* Bytes that may be in flight at `now`, for messages of at most `max_message` bytes. */
uint64_t tws_path_bound(const struct tws_path *p, uint64_t max_message, uint64_t now);

#endif
