/* detour_memory.c - see detour_memory.h. */
#include "tws/ws/detour_memory.h"

#include <string.h>

static bool is_same(const struct tws_detour_place *a, const struct tws_detour_place *b)
{
    return a->port == b->port && tws_ip_equal(&a->ip, &b->ip) &&
           tws_ip_equal(&a->from.ip, &b->from.ip) && a->from.mark == b->from.mark &&
           strcmp(a->from.interface, b->from.interface) == 0;
}

/* Its place in m->faults, or -1. */
static int find(const struct tws_detour_memory *m, const struct tws_detour_place *p)
{
    for (int i = 0; i < TWS_DETOUR_MEMORY; i++)
        if (m->faults[i].until_us != 0 && is_same(&m->faults[i].place, p))
            return i;
    return -1;
}

static int oldest(const struct tws_detour_memory *m)
{
    int best = 0;

    for (int i = 1; i < TWS_DETOUR_MEMORY; i++)
        if (m->faults[i].until_us < m->faults[best].until_us)
            best = i;
    return best;
}

uint64_t tws_detour_memory_rank(const struct tws_detour_memory *m, const struct tws_detour_place *p,
                                uint64_t now_us)
{
    int i = find(m, p);

    return i >= 0 && m->faults[i].until_us > now_us ? m->faults[i].until_us : 0;
}

void tws_detour_memory_blame(struct tws_detour_memory *m, const struct tws_detour_place *p,
                             uint64_t now_us)
{
    int i = find(m, p);

    if (i < 0)
        i = oldest(m);
    m->faults[i].place = *p;
    m->faults[i].until_us = now_us + TWS_DETOUR_MEMORY_US;
}

void tws_detour_memory_retry(struct tws_detour_memory *m, const struct tws_detour_place *p,
                             uint64_t now_us)
{
    if (find(m, p) >= 0)
        tws_detour_memory_blame(m, p, now_us);
}

void tws_detour_memory_clear(struct tws_detour_memory *m, const struct tws_detour_place *p)
{
    int i = find(m, p);

    if (i >= 0)
        m->faults[i].until_us = 0;
}
