/*
 * detour_memory.h - which addresses of proxies did not work lately, so that not every connection
 * waits for the same silence.
 *
 * For a minute such an address goes behind the others; it is never left out. Then one connection
 * gives it another chance, and until that one has its answer the rest go on past it. Where a
 * connection starts is part of it: what one uplink does not reach another may.
 *
 * A few are remembered; whichever would be forgotten first makes room. Pure: the time is an
 * argument.
 */
#ifndef TWS_WS_DETOUR_MEMORY_H
#define TWS_WS_DETOUR_MEMORY_H

#include "tws/net/connector.h"

#define TWS_DETOUR_MEMORY    32
#define TWS_DETOUR_MEMORY_US 60000000u

struct tws_detour_place {
    struct tws_ip ip; /* of the proxy */
    uint16_t port;
    struct tws_connect_from from;
};

/* Zeroed: nothing is known. */
struct tws_detour_memory {
    struct {
        struct tws_detour_place place;
        uint64_t until_us; /* it goes last until then; 0: not used */
    } faults[TWS_DETOUR_MEMORY];
};

/* 0: nothing is held against it; else what failed last is highest. */
uint64_t tws_detour_memory_rank(const struct tws_detour_memory *m, const struct tws_detour_place *p,
                                uint64_t now_us);
/* It did not work. */
void tws_detour_memory_blame(struct tws_detour_memory *m, const struct tws_detour_place *p,
                             uint64_t now_us);
/* It is being tried: what was held against it is so for as long again, or until it is cleared. */
void tws_detour_memory_retry(struct tws_detour_memory *m, const struct tws_detour_place *p,
                             uint64_t now_us);
/* It works. */
void tws_detour_memory_clear(struct tws_detour_memory *m, const struct tws_detour_place *p);

#endif
