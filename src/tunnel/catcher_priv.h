/*
 * catcher_priv.h - the rules that catch connections, in the kernel: installed, replaced, removed.
 * What they say is ruleset.h's.
 *
 *      nothing -> set -> catching -> end -> ending -> nothing
 *
 * Ending is for as long as caught connections live: without the rules the kernel would stop to
 * bring their packets here. Whatever becomes of it, nothing is left when it is freed; a killed
 * process leaves all of it to `tws cleanup`, or to the next client of the same name.
 */
#ifndef TWS_TUNNEL_CATCHER_PRIV_H
#define TWS_TUNNEL_CATCHER_PRIV_H

#include "tws/net/loop.h"
#include "tws/tunnel/ruleset.h"

struct tws_catcher {
    struct tws_loop *loop;
    struct tws_footprint footprint; /* what is there, if it is held */
    int hold;                       /* -1: nothing is there */
    bool table, route4, route6;
    bool ending;
    uint32_t live; /* caught connections; counted by who relays them */
    struct tws_timer timer;
};

void tws_catcher_init(struct tws_catcher *c, struct tws_loop *loop);
/* Removes what is there. */
void tws_catcher_fini(struct tws_catcher *c);

/*
 * Makes the kernel catch this, under the footprint of `name`, instead of what it catches now; n 0:
 * nothing. All of it or none: TWS_SYS (why and what to do is logged), TWS_NOMEM, and then what was
 * caught before still is.
 */
TWS_MUST_USE tws_err tws_catcher_set(struct tws_catcher *c, const char *name,
                                     const struct tws_catch *catches, size_t n);
/* Catches nothing new from now on. */
void tws_catcher_end(struct tws_catcher *c);

#endif
