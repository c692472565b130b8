/* map.c - see map.h. */
#include "tws/base/map.h"

#include <assert.h>
#include <stddef.h>

#define FIRST_SLOTS 16u

/* MurmurHash3's last step, in which each bit of key and seed moves about half of the others. */
static uint32_t home(const struct tws_map *m, uint32_t key)
{
    uint32_t h = key ^ m->seed;

    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return (h ^ h >> 16) & m->mask;
}

void tws_map_init(struct tws_map *m, const struct tws_mem *mem, uint32_t seed)
{
    *m = (struct tws_map){.mem = mem, .seed = seed};
}

void tws_map_fini(struct tws_map *m)
{
    tws_free(m->mem, m->slots);
    tws_map_init(m, m->mem, m->seed);
}

static uint32_t find(const struct tws_map *m, uint32_t key)
{
    uint32_t i = home(m, key);

    while (m->slots[i].key != 0 && m->slots[i].key != key)
        i = (i + 1) & m->mask;
    return i;
}

void *tws_map_get(const struct tws_map *m, uint32_t key)
{
    if (m->slots == NULL || key == 0)
        return NULL;
    return m->slots[find(m, key)].value;
}

static tws_err grow(struct tws_map *m)
{
    struct tws_map old = *m;
    uint32_t n = old.slots == NULL ? FIRST_SLOTS : (old.mask + 1) * 2;
    struct tws_map_slot *slots = tws_alloc_zero(m->mem, n * sizeof *slots);

    if (slots == NULL)
        return TWS_NOMEM;
    m->slots = slots;
    m->mask = n - 1;
    for (uint32_t i = 0; old.slots != NULL && i <= old.mask; i++)
        if (old.slots[i].key != 0)
            m->slots[find(m, old.slots[i].key)] = old.slots[i];
    tws_free(m->mem, old.slots);
    return TWS_OK;
}

tws_err tws_map_add(struct tws_map *m, uint32_t key, void *value)
{
    assert(key != 0 && value != NULL);
    if (m->slots == NULL || m->count >= (m->mask + 1) / 4 * 3) {
        tws_err err = grow(m);
        if (err != TWS_OK)
            return err;
    }
    uint32_t i = find(m, key);
    assert(m->slots[i].key == 0);
    m->slots[i] = (struct tws_map_slot){key, value};
    m->count++;
    return TWS_OK;
}

void tws_map_remove(struct tws_map *m, uint32_t key)
{
    if (tws_map_get(m, key) == NULL)
        return;
    uint32_t hole = find(m, key);
    m->count--;
    /* Move back what a probe would no longer reach over the hole. */
    for (uint32_t i = (hole + 1) & m->mask; m->slots[i].key != 0; i = (i + 1) & m->mask) {
        uint32_t h = home(m, m->slots[i].key);
        if (((i - h) & m->mask) >= ((i - hole) & m->mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole] = (struct tws_map_slot){0, NULL};
}
