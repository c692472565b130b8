/*
 * mem.h - where memory comes from: an argument, so that a test can fail the n-th allocation and
 * count what is left at the end.
 */
#ifndef TWS_BASE_MEM_H
#define TWS_BASE_MEM_H

#include <stddef.h>

struct tws_mem {
    /* As realloc(3): p NULL allocates, n 0 frees and returns NULL. NULL on failure, p untouched. */
    void *(*realloc)(void *ctx, void *p, size_t n);
    void *ctx;
};

/* The C library's allocator. */
extern const struct tws_mem tws_mem_default;

/* Uninitialised memory, or NULL. */
void *tws_alloc(const struct tws_mem *mem, size_t n);
/* Zeroed memory, or NULL. */
void *tws_alloc_zero(const struct tws_mem *mem, size_t n);
/* As realloc(3) with n > 0. */
void *tws_realloc(const struct tws_mem *mem, void *p, size_t n);
/* p may be NULL. */
void tws_free(const struct tws_mem *mem, void *p);

#endif
