/* signals_priv.h - the signals a process answers, as events of the loop. SIGPIPE is ignored. */
#ifndef TWS_SRC_APP_SIGNALS_PRIV_H
#define TWS_SRC_APP_SIGNALS_PRIV_H

#include "tws/base/err.h"

#include <stdbool.h>
#include <uv.h>

enum tws_signal_kind { TWS_SIGNAL_END, TWS_SIGNAL_RELOAD, TWS_SIGNAL_REDIAL };

typedef void tws_signal_fn(void *arg, enum tws_signal_kind kind);

struct tws_signals {
    uv_signal_t handles[4];
    size_t n; /* started */
    tws_signal_fn *fn;
    void *arg;
};

/* TWS_SYS: what was started is to be stopped all the same. */
TWS_MUST_USE tws_err tws_signals_start(struct tws_signals *s, uv_loop_t *loop, tws_signal_fn *fn,
                                       void *arg);
/* Runs the loop until the handles are closed. */
void tws_signals_stop(struct tws_signals *s);

#endif
