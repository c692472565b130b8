/* mem.c - see mem.h. */
#include "tws/base/mem.h"

#include <stdlib.h>
#include <string.h>

static void *libc_realloc(void *ctx, void *p, size_t n)
{
    (void)ctx;
    if (n == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, n);
}

const struct tws_mem tws_mem_default = {libc_realloc, NULL};

void *tws_alloc(const struct tws_mem *mem, size_t n)
{
    return mem->realloc(mem->ctx, NULL, n);
}

void *tws_alloc_zero(const struct tws_mem *mem, size_t n)
{
    void *p = tws_alloc(mem, n);

    if (p != NULL)
        memset(p, 0, n);
    return p;
}

void *tws_realloc(const struct tws_mem *mem, void *p, size_t n)
{
    return mem->realloc(mem->ctx, p, n);
}

void tws_free(const struct tws_mem *mem, void *p)
{
    if (p != NULL)
        (void)mem->realloc(mem->ctx, p, 0);
}
