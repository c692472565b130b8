/* net.c - see net.h. */
#include "net.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void pipe_init(struct pipe *p, uint64_t delay_us, uint64_t rate, size_t cap)
{
    *p = (struct pipe){.delay_us = delay_us, .rate = rate, .cap = cap};
    p->last = &p->first;
}

void pipe_fini(struct pipe *p)
{
    while (p->first != NULL) {
        struct packet *k = p->first;
        p->first = k->next;
        free(k);
    }
    p->last = &p->first;
    p->queued = 0;
}

bool pipe_full(const struct pipe *p)
{
    return p->queued >= p->cap;
}

void pipe_put(struct pipe *p, const uint8_t *bytes, size_t n, uint64_t now)
{
    struct packet *k = malloc(sizeof *k + n);

    assert(k != NULL);
    if (p->free_at < now)
        p->free_at = now;
    p->free_at += n * 1000000u / p->rate;
    k->next = NULL;
    k->at = p->free_at + p->delay_us;
    k->n = n;
    memcpy(k->bytes, bytes, n);
    *p->last = k;
    p->last = &k->next;
    p->queued += n;
}

struct packet *pipe_take(struct pipe *p, uint64_t now)
{
    struct packet *k = p->first;

    if (k == NULL || k->at > now || p->stalled_until > now || p->dead)
        return NULL;
    p->first = k->next;
    if (p->first == NULL)
        p->last = &p->first;
    p->queued -= k->n;
    return k;
}

uint64_t pipe_next_at(const struct pipe *p)
{
    if (p->first == NULL || p->dead)
        return UINT64_MAX;
    return p->first->at > p->stalled_until ? p->first->at : p->stalled_until;
}
