/* signals.h - the signals a process answers, as events of the loop. SIGPIPE is ignored. */
#ifndef TWS_SRC_APP_SIGNALS_H
#define TWS_SRC_APP_SIGNALS_H

#include "tws/base/err.h"

#include <stdbool.h>
#include <uv.h>

enum signal_kind { SIGNAL_END, SIGNAL_RELOAD, SIGNAL_REDIAL };

typedef void signal_fn(void *arg, enum signal_kind kind);

struct signals {
    uv_signal_t handles[4];
    size_t n; /* started */
    signal_fn *fn;
    void *arg;
};

/* TWS_SYS: what was started is to be stopped all the same. */
TWS_MUST_USE tws_err signals_start(struct signals *s, uv_loop_t *loop, signal_fn *fn, void *arg);
/* Runs the loop until the handles are closed. */
void signals_stop(struct signals *s);

#endif
