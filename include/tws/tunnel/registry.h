/*
 * registry.h - sessions by their 16-byte id: a hash table of intrusive lists that grows.
 *
 * Ids are random bytes of our own making, so their first four are hash enough, and no stranger can
 * make them collide.
 */
#ifndef TWS_TUNNEL_REGISTRY_H
#define TWS_TUNNEL_REGISTRY_H

#include "tws/base/err.h"
#include "tws/base/list.h"

#include <stdint.h>

#define TWS_REGISTRY_ID_LEN 16

/* One entry; embedded in its owner. */
struct tws_registered {
    struct tws_node registry_node;
    uint8_t id[TWS_REGISTRY_ID_LEN];
};

struct tws_registry {
    struct tws_node *buckets; /* mask + 1 of them */
    uint32_t mask, count;
};

/* TWS_NOMEM. */
TWS_MUST_USE tws_err tws_registry_init(struct tws_registry *r);
/* Entries are the callers'; none may be left. Zeroed storage is fine. */
void tws_registry_fini(struct tws_registry *r);

/* `e->id` is set and not in the registry yet. Never fails: a full table only gets slower. */
void tws_registry_add(struct tws_registry *r, struct tws_registered *e);
void tws_registry_remove(struct tws_registry *r, struct tws_registered *e);
/* The entry with that id, or NULL. */
struct tws_registered *tws_registry_find(const struct tws_registry *r,
                                         const uint8_t id[TWS_REGISTRY_ID_LEN]);

#endif
