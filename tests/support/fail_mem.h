/*
 * fail_mem.h - an allocator that counts what is live and fails the n-th allocation.
 *
 * A sweep runs a scenario with fail_at = 1, 2, ... until `failed` stays false: every allocation
 * has then failed once; after each run `live` must be 0.
 */
#ifndef TWS_TEST_FAIL_MEM_H
#define TWS_TEST_FAIL_MEM_H

#include "tws/base/mem.h"

#include <stdbool.h>
#include <stdlib.h>

struct fail_mem {
    struct tws_mem mem;
    size_t fail_at; /* counted from 1; 0: never */
    size_t calls;   /* allocations and growths so far */
    size_t live;    /* blocks not freed */
    bool failed;    /* an allocation was made to fail */
};

static inline void *fail_mem_realloc(void *ctx, void *p, size_t n)
{
    struct fail_mem *f = ctx;

    if (n == 0) {
        f->live -= p != NULL;
        free(p);
        return NULL;
    }
    if (++f->calls == f->fail_at) {
        f->failed = true;
        return NULL;
    }
    f->live += p == NULL;
    return realloc(p, n);
}

static inline void fail_mem_init(struct fail_mem *f, size_t fail_at)
{
    *f = (struct fail_mem){.fail_at = fail_at};
    f->mem = (struct tws_mem){fail_mem_realloc, f};
}

#endif
