/* signals.c - see signals_priv.h. */
#include "signals_priv.h"

#include <errno.h>
#include <signal.h>

static const struct {
    int number;
    enum tws_signal_kind kind;
} answered[] = {{SIGTERM, TWS_SIGNAL_END},
                {SIGINT, TWS_SIGNAL_END},
                {SIGHUP, TWS_SIGNAL_RELOAD},
                {SIGUSR1, TWS_SIGNAL_REDIAL}};

static void on_signal(uv_signal_t *handle, int number)
{
    struct tws_signals *s = handle->data;

    for (size_t i = 0; i < sizeof answered / sizeof *answered; i++)
        if (answered[i].number == number) {
            s->fn(s->arg, answered[i].kind);
            return;
        }
}

static tws_err failed(int uv_error)
{
    errno = -uv_error;
    return TWS_SYS;
}

tws_err tws_signals_start(struct tws_signals *s, uv_loop_t *loop, tws_signal_fn *fn, void *arg)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    sigaction(SIGPIPE, &ignore, NULL);
    s->fn = fn;
    s->arg = arg;
    for (size_t i = 0; i < sizeof answered / sizeof *answered; i++) {
        int rc = uv_signal_init(loop, &s->handles[i]);

        if (rc != 0)
            return failed(rc);
        s->handles[i].data = s;
        s->n++;
        rc = uv_signal_start(&s->handles[i], on_signal, answered[i].number);
        if (rc != 0)
            return failed(rc);
    }
    return TWS_OK;
}

static void on_closed(uv_handle_t *handle)
{
    struct tws_signals *s = handle->data;

    s->n--;
}

void tws_signals_stop(struct tws_signals *s)
{
    uv_loop_t *loop = s->n > 0 ? s->handles[0].loop : NULL;
    size_t n = s->n;

    for (size_t i = 0; i < n; i++)
        uv_close((uv_handle_t *)&s->handles[i], on_closed);
    while (s->n > 0)
        uv_run(loop, UV_RUN_NOWAIT);
}
