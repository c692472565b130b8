/* linked.h - what tests of two sessions share: a pair with one link, before each test. */
#ifndef TWS_TEST_LINKED_H
#define TWS_TEST_LINKED_H

#include "suite.h"
#include "wire.h"

static struct pair p;

static inline void set_up(void)
{
    pair_init(&p);
    pair_link(&p, 0);
    pair_run(&p);
}

static inline void tear_down(void)
{
    pair_fini(&p);
}

/* The same channel at the other side. */
static inline struct app *other(struct side *d, const struct app *a)
{
    struct app *b = side_app(d, a->id);
    ck_assert_ptr_nonnull(b);
    return b;
}

/* The first frame of that type that waits on a link. */
static inline struct tws_frame frame_on(const struct side *d, unsigned i, uint8_t type)
{
    struct tws_frame f = {0};
    ck_assert_msg(find_frame(d, i, type, UINT32_MAX, 0, &f), "no %s on link %u",
                  tws_frame_name(type), i);
    return f;
}

#endif
