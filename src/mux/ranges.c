/* ranges.c - see ranges.h. */
#include "tws/mux/ranges.h"

#include <string.h>

void tws_ranges_init(struct tws_ranges *s, const struct tws_mem *mem, uint32_t max)
{
    *s = (struct tws_ranges){.mem = mem, .max = max};
}

void tws_ranges_fini(struct tws_ranges *s)
{
    tws_free(s->mem, s->r);
    tws_ranges_init(s, s->mem, s->max);
}

/* The first range that ends at or behind `v`: v is in it, right behind it, or before it. */
static uint32_t find(const struct tws_ranges *s, uint64_t v)
{
    uint32_t lo = 0, hi = s->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (s->r[mid].to < v)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

bool tws_ranges_has(const struct tws_ranges *s, uint64_t v)
{
    uint32_t i = find(s, v);

    if (i < s->n && s->r[i].to == v)
        i++;
    return i < s->n && s->r[i].from <= v && v < s->r[i].to;
}

static tws_err insert(struct tws_ranges *s, uint32_t at, uint64_t v)
{
    if (s->n == s->max)
        return TWS_FULL;
    if (s->n == s->cap) {
        uint32_t cap = s->cap == 0 ? 4 : s->cap * 2;
        struct tws_range *r = tws_realloc(s->mem, s->r, cap * sizeof *r);
        if (r == NULL)
            return TWS_NOMEM;
        s->r = r;
        s->cap = cap;
    }
    memmove(s->r + at + 1, s->r + at, (s->n - at) * sizeof *s->r);
    s->r[at] = (struct tws_range){v, v + 1};
    s->n++;
    return TWS_OK;
}

static void join_next(struct tws_ranges *s, uint32_t i)
{
    if (i + 1 >= s->n || s->r[i].to != s->r[i + 1].from)
        return;
    s->r[i].to = s->r[i + 1].to;
    memmove(s->r + i + 1, s->r + i + 2, (s->n - i - 2) * sizeof *s->r);
    s->n--;
}

tws_err tws_ranges_add(struct tws_ranges *s, uint64_t v)
{
    uint32_t i = find(s, v);

    if (tws_ranges_has(s, v))
        return TWS_OK;
    if (i < s->n && s->r[i].to == v) {
        s->r[i].to++;
        join_next(s, i);
        return TWS_OK;
    }
    if (i < s->n && s->r[i].from == v + 1) {
        s->r[i].from = v;
        return TWS_OK;
    }
    return insert(s, i, v);
}
