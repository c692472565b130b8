/*
 * codel.h - tells when a queue stands, and what of it to drop: CoDel (RFC 8289).
 *
 * A queue that takes up a burst and empties again is left alone. When nothing that leaves it has
 * waited less than TARGET for a whole INTERVAL, it stands: the oldest goes, then one more after
 * ever shorter pauses, until senders that listen to loss have slowed down. Those that do not listen
 * would keep it standing all the same: once it has dropped for an INTERVAL, what waited longer than
 * MOST goes too, which is not in the RFC. What has no more than a packet behind it always stays.
 *
 * A value: integers only, times in microseconds, of one clock.
 */
#ifndef TWS_BASE_CODEL_H
#define TWS_BASE_CODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TWS_CODEL_TARGET_US   5000u
#define TWS_CODEL_INTERVAL_US 100000u
#define TWS_CODEL_MOST_US     20000u
#define TWS_CODEL_PACKET      1500u

/* Zeroed: a queue that does not stand. */
struct tws_codel {
    uint64_t stands_at; /* if nothing waits less than TARGET until then; 0: something just did */
    uint64_t next_at;   /* while it drops: when the next one goes */
    uint64_t began_at;  /* to drop */
    uint32_t count, began_with;
    bool dropping;
};

/* Whether the oldest, which waited `waited_us` and has `behind` bytes behind it, is dropped rather
 * than sent at `now`. If it is, the next one is asked about. */
bool tws_codel_drops(struct tws_codel *c, uint64_t waited_us, size_t behind, uint64_t now);

#endif
