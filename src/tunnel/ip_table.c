/* ip_table.c - see ip_table.h. */
#include "tws/tunnel/ip_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS 64u

static struct tws_prefix masked(struct tws_ip ip, uint8_t bits)
{
    size_t n = ip.family == 4 ? 4 : 16, whole = bits / 8;

    if (whole < n) {
        ip.bytes[whole] &= (uint8_t) ~(0xffu >> bits % 8);
        memset(ip.bytes + whole + 1, 0, n - whole - 1);
    }
    return (struct tws_prefix){.ip = ip, .bits = bits};
}

/* FNV-1a. The addresses are given out by this server's configuration: nobody can make them
 * collide. */
static uint32_t hash(const struct tws_prefix *p)
{
    uint32_t h = (2166136261u ^ p->bits) * 16777619u;

    for (size_t i = 0; i < sizeof p->ip.bytes; i++)
        h = (h ^ p->ip.bytes[i]) * 16777619u;
    return h ^ h >> 15;
}

static int column(const struct tws_ip *ip)
{
    return ip->family == 4 ? 0 : 1;
}

static struct tws_node *new_buckets(uint32_t n)
{
    struct tws_node *b = calloc(n, sizeof *b);

    for (uint32_t i = 0; b != NULL && i < n; i++)
        tws_list_init(&b[i]);
    return b;
}

tws_err tws_ip_table_init(struct tws_ip_table *t)
{
    *t = (struct tws_ip_table){.buckets = new_buckets(FIRST_BUCKETS), .mask = FIRST_BUCKETS - 1};
    return t->buckets != NULL ? TWS_OK : TWS_NOMEM;
}

void tws_ip_table_fini(struct tws_ip_table *t)
{
    assert(t->count == 0);
    free(t->buckets);
    *t = (struct tws_ip_table){.count = 0};
}

static struct tws_ip_entry *look_up(const struct tws_ip_table *t, const struct tws_prefix *p)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &t->buckets[hash(p) & t->mask])
    {
        struct tws_ip_entry *e = TWS_CONTAINER(it, struct tws_ip_entry, entry_node);
        if (tws_prefix_equal(&e->prefix, p))
            return e;
    }
    return NULL;
}

static void grow(struct tws_ip_table *t)
{
    uint32_t n = 2 * (t->mask + 1);
    struct tws_node *bigger = new_buckets(n);

    if (bigger == NULL)
        return;
    for (uint32_t i = 0; i <= t->mask; i++) {
        struct tws_node *it, *next;
        TWS_LIST_EACH(it, next, &t->buckets[i])
        {
            struct tws_ip_entry *e = TWS_CONTAINER(it, struct tws_ip_entry, entry_node);
            tws_list_unlink(it);
            tws_list_push_back(&bigger[hash(&e->prefix) & (n - 1)], it);
        }
    }
    free(t->buckets);
    t->buckets = bigger;
    t->mask = n - 1;
}

tws_err tws_ip_table_add(struct tws_ip_table *t, struct tws_ip_entry *e, const struct tws_prefix *p,
                         void *owner)
{
    struct tws_prefix key = masked(p->ip, p->bits);

    *e = (struct tws_ip_entry){.owner = NULL};
    tws_list_init(&e->entry_node);
    if (look_up(t, &key) != NULL)
        return TWS_FULL;
    if (t->count >= t->mask)
        grow(t);
    e->prefix = key;
    e->owner = owner;
    tws_list_push_back(&t->buckets[hash(&key) & t->mask], &e->entry_node);
    t->count++;
    t->lengths[column(&key.ip)][key.bits]++;
    return TWS_OK;
}

void tws_ip_table_remove(struct tws_ip_table *t, struct tws_ip_entry *e)
{
    if (e->owner == NULL)
        return;
    tws_list_unlink(&e->entry_node);
    t->count--;
    t->lengths[column(&e->prefix.ip)][e->prefix.bits]--;
    e->owner = NULL;
}

void *tws_ip_table_find(const struct tws_ip_table *t, const struct tws_ip *ip)
{
    const uint32_t *lengths = t->lengths[column(ip)];

    for (int bits = ip->family == 4 ? 32 : 128; bits >= 0; bits--) {
        if (lengths[bits] == 0)
            continue;
        struct tws_prefix key = masked(*ip, (uint8_t)bits);
        const struct tws_ip_entry *e = look_up(t, &key);
        if (e != NULL)
            return e->owner;
    }
    return NULL;
}

void *tws_ip_table_exact(const struct tws_ip_table *t, const struct tws_prefix *p)
{
    struct tws_prefix key = masked(p->ip, p->bits);
    const struct tws_ip_entry *e = look_up(t, &key);

    return e != NULL ? e->owner : NULL;
}
