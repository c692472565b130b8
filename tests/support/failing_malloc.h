/*
 * failing_malloc.h - malloc() and its like as tws's own code calls them, made to fail on command:
 * for layers whose memory is the C library's. The linker leads the calls here (--wrap, see
 * tests/CMakeLists.txt), so that of the libraries only those fail that are given these functions.
 *
 * What fails is the loop's thread only: memory_watch_thread(). The test's own thread arms.
 */
#ifndef TWS_TESTS_FAILING_MALLOC_H
#define TWS_TESTS_FAILING_MALLOC_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static struct {
    _Atomic bool armed, failed;
    _Atomic size_t calls, fail_at; /* of `calls`, since it was armed; counted from 1 */
    _Atomic bool libraries;        /* theirs fail, too; they are not counted */
    _Atomic bool lasting;          /* all that come behind it fail, too */
    _Atomic long live;             /* blocks of the watched thread */
    void *_Atomic where; /* who was refused first; ASan and TWS_TEST_LOG show the way there */
} memory;

static __thread bool memory_is_watched;

__attribute__((weak)) void __sanitizer_print_stack_trace(void);

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void __real_free(void *p);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *text);
void __wrap_free(void *p);

static inline void memory_watch_thread(void)
{
    memory_is_watched = true;
}

static inline void memory_arm(size_t fail_at, bool lasting)
{
    memory.calls = 0;
    memory.failed = false;
    memory.where = NULL;
    memory.fail_at = fail_at;
    memory.lasting = lasting;
    memory.armed = true;
}

static inline void memory_disarm(void)
{
    memory.armed = false;
}

/* Whether the allocation of `caller` is refused. */
static bool refuse(void *caller)
{
    if (!memory_is_watched || !memory.armed)
        return false;
    size_t call = ++memory.calls;
    if (call < memory.fail_at || (call > memory.fail_at && !memory.lasting))
        return false;
    if (!memory.failed) {
        memory.where = caller;
        if (getenv("TWS_TEST_LOG") != NULL && __sanitizer_print_stack_trace != NULL)
            __sanitizer_print_stack_trace();
    }
    memory.failed = true;
    errno = ENOMEM;
    return true;
}

static inline void *counted(void *p)
{
    memory.live += memory_is_watched && p != NULL;
    return p;
}

void *__wrap_malloc(size_t n)
{
    return refuse(__builtin_return_address(0)) ? NULL : counted(__real_malloc(n));
}

void *__wrap_calloc(size_t n, size_t size)
{
    return refuse(__builtin_return_address(0)) ? NULL : counted(__real_calloc(n, size));
}

void *__wrap_realloc(void *p, size_t n)
{
    if (refuse(__builtin_return_address(0)))
        return NULL;
    return p == NULL ? counted(__real_malloc(n)) : __real_realloc(p, n);
}

char *__wrap_strdup(const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = refuse(__builtin_return_address(0)) ? NULL : counted(__real_malloc(n));

    return copy != NULL ? memcpy(copy, text, n) : NULL;
}

void __wrap_free(void *p)
{
    memory.live -= memory_is_watched && p != NULL;
    __real_free(p);
}

#endif
