/*
 * cleanup.h - finds what killed clients left in the kernel (footprint.h) and removes it. What a
 * running process holds stays.
 */
#ifndef TWS_TUNNEL_CLEANUP_H
#define TWS_TUNNEL_CLEANUP_H

#include "tws/base/err.h"

struct tws_cleanup_report {
    void (*line)(void *arg, const char *text); /* what was removed, kept, or could not be */
    void *arg;
};

struct tws_cleanup_result {
    unsigned removed, kept, failed;
};

/* Goes on behind a failure. Blocks. TWS_NOMEM. */
TWS_MUST_USE tws_err tws_cleanup(const struct tws_cleanup_report *report,
                                 struct tws_cleanup_result *result);

#endif
