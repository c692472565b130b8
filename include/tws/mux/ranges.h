/*
 * ranges.h - a set of u64 as sorted, disjoint, non-adjacent ranges; for ids that were seen.
 *
 * Bounded: at most `max` ranges, so a peer that skips ids cannot make it grow. Ids that count up,
 * even slightly out of order, need one or two.
 */
#ifndef TWS_MUX_RANGES_H
#define TWS_MUX_RANGES_H

#include "tws/base/err.h"
#include "tws/base/mem.h"

#include <stdbool.h>
#include <stdint.h>

struct tws_range {
    uint64_t from, to; /* to is one past the last */
};

struct tws_ranges {
    struct tws_range *r;
    uint32_t n, cap, max;
    const struct tws_mem *mem;
};

void tws_ranges_init(struct tws_ranges *s, const struct tws_mem *mem, uint32_t max);
void tws_ranges_fini(struct tws_ranges *s);
bool tws_ranges_has(const struct tws_ranges *s, uint64_t v);
/* Adds `v`, which may be there already. TWS_FULL: one range too many; TWS_NOMEM. */
TWS_MUST_USE tws_err tws_ranges_add(struct tws_ranges *s, uint64_t v);

#endif
