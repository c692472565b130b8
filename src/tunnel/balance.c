/* balance.c - see balance.h. */
#include "tws/tunnel/balance.h"

/* Whether `a` is to be taken rather than `b`, which comes first in order. */
static bool beats(enum tws_balance how, const struct tws_candidate *a,
                  const struct tws_candidate *b)
{
    return how == TWS_BALANCE_LEAST_LOADED && a->channels < b->channels;
}

size_t tws_balance_pick(enum tws_balance how, const struct tws_candidate *c, size_t n, size_t *turn)
{
    size_t first = how == TWS_BALANCE_ACTIVE_BACKUP ? 0 : *turn, best = n;

    for (size_t i = 0; i < n; i++) {
        size_t at = (first + i) % n;
        if (c[at].ready && (best == n || beats(how, &c[at], &c[best])))
            best = at;
    }
    if (best < n)
        *turn = (best + 1) % n;
    return best;
}
