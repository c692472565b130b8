/*
 * rotation_priv.h - fresh links for worn ones, make before break: by age (`max_age`), when the keys
 * of its records are used up, when its uplink wants fewer, when it has gone silent.
 *
 * Works on the links of a pool's session and dials nothing: a worn link is no longer counted as
 * fresh, so its lane dials the successor.
 */
#ifndef TWS_TUNNEL_ROTATION_PRIV_H
#define TWS_TUNNEL_ROTATION_PRIV_H

#include "lane_priv.h"

/* When a link that comes up over `lane` now is to be replaced, spread so that links do not go
 * together; 0: never. */
uint64_t tws_rotation_due(struct tws_pool *p, struct tws_lane *lane);
/* Takes every link a step further; asks the pool to look again when the next step is due. */
void tws_rotation_turn(struct tws_pool *p, uint64_t now);
/* A link came up over `lane`, perhaps because the others were silent: those that still are go at
 * once. If they speak again already, one of that lane makes room. */
void tws_rotation_make_place(struct tws_pool *p, struct tws_lane *lane);

#endif
