/* registry.c - see registry.h. */
#include "tws/tunnel/registry.h"

#include "tws/base/bytes.h"

#include <stdlib.h>

#define FIRST_BUCKETS 64u
#define MOST_BUCKETS  (1u << 20)

static struct tws_registered *entry(struct tws_node *n)
{
    return TWS_CONTAINER(n, struct tws_registered, registry_node);
}

static struct tws_node *new_buckets(uint32_t n)
{
    struct tws_node *b = malloc(n * sizeof *b);

    for (uint32_t i = 0; b != NULL && i < n; i++)
        tws_list_init(&b[i]);
    return b;
}

tws_err tws_registry_init(struct tws_registry *r)
{
    *r = (struct tws_registry){.buckets = new_buckets(FIRST_BUCKETS), .mask = FIRST_BUCKETS - 1};
    return r->buckets == NULL ? TWS_NOMEM : TWS_OK;
}

void tws_registry_fini(struct tws_registry *r)
{
    assert(r->count == 0);
    free(r->buckets);
    *r = (struct tws_registry){0};
}

static struct tws_node *bucket(const struct tws_registry *r, const uint8_t *id)
{
    return &r->buckets[tws_get32(id) & r->mask];
}

static void move_all(struct tws_registry *r, struct tws_node *old, uint32_t n)
{
    struct tws_node *it, *next;

    for (uint32_t i = 0; i < n; i++)
        TWS_LIST_EACH(it, next, &old[i])
        {
            tws_list_unlink(it);
            tws_list_push_back(bucket(r, entry(it)->id), it);
        }
}

static void grow(struct tws_registry *r)
{
    uint32_t n = r->mask + 1;
    struct tws_node *old = r->buckets, *bigger = n < MOST_BUCKETS ? new_buckets(n * 2) : NULL;

    if (bigger == NULL)
        return;
    r->buckets = bigger;
    r->mask = n * 2 - 1;
    move_all(r, old, n);
    free(old);
}

void tws_registry_add(struct tws_registry *r, struct tws_registered *e)
{
    assert(tws_registry_find(r, e->id) == NULL);
    if (r->count > r->mask)
        grow(r);
    tws_list_init(&e->registry_node);
    tws_list_push_back(bucket(r, e->id), &e->registry_node);
    r->count++;
}

void tws_registry_remove(struct tws_registry *r, struct tws_registered *e)
{
    if (!tws_list_linked(&e->registry_node))
        return;
    tws_list_unlink(&e->registry_node);
    r->count--;
}

struct tws_registered *tws_registry_find(const struct tws_registry *r,
                                         const uint8_t id[TWS_REGISTRY_ID_LEN])
{
    struct tws_node *b = bucket(r, id);

    for (struct tws_node *it = b->next; it != b; it = it->next)
        if (memcmp(entry(it)->id, id, TWS_REGISTRY_ID_LEN) == 0)
            return entry(it);
    return NULL;
}
