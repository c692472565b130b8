/*
 * map.h - u32 to pointer, open addressing with linear probing; for channel ids.
 *
 * Key 0 is not allowed (channel 0 is the session). Grows at three quarters full, never shrinks
 * below what it holds. Values are borrowed. The peer chooses keys: where they are depends on a seed
 * that it does not know, or it could choose thousands that are all in one place.
 */
#ifndef TWS_BASE_MAP_H
#define TWS_BASE_MAP_H

#include "tws/base/err.h"
#include "tws/base/mem.h"

struct tws_map_slot {
    uint32_t key;
    void *value;
};

struct tws_map {
    struct tws_map_slot *slots;
    uint32_t count, mask; /* mask + 1 slots when slots is not NULL */
    uint32_t seed;
    const struct tws_mem *mem;
};

/* An empty map; allocates nothing. `mem` is borrowed for the map's life. */
void tws_map_init(struct tws_map *m, const struct tws_mem *mem, uint32_t seed);
void tws_map_fini(struct tws_map *m);

/* The value of `key`, or NULL. */
void *tws_map_get(const struct tws_map *m, uint32_t key);

/* Adds a key that is not there yet. TWS_NOMEM: nothing changed. */
TWS_MUST_USE tws_err tws_map_add(struct tws_map *m, uint32_t key, void *value);

/* Removes `key`; nothing happens if it is not there. */
void tws_map_remove(struct tws_map *m, uint32_t key);

#endif
