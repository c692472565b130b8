/*
 * diag.h - where complaints about the command line and the configuration go: the terminal for
 * `tws check`, the log for a daemon, memory for a test. One line each, without a newline.
 */
#ifndef TWS_APP_DIAG_H
#define TWS_APP_DIAG_H

#include "tws/base/log.h"

struct tws_diag {
    /* `level` is error or warn. May be NULL: only counted. */
    void (*emit)(void *ctx, enum tws_log_level level, const char *line);
    void *ctx;
    unsigned errors, warnings;
};

__attribute__((format(printf, 2, 3))) void tws_diag_error(struct tws_diag *d, const char *fmt, ...);
__attribute__((format(printf, 2, 3))) void tws_diag_warn(struct tws_diag *d, const char *fmt, ...);

#endif
