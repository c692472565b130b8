/* via.c - see via_priv.h. */
#include "via_priv.h"

#include "tws/base/secret.h"
#include "tws/proto/code.h"

#include <stdlib.h>

struct tws_via {
    struct tws_loop *loop;
    struct tws_proxy proxy;
    struct tws_timer deadline;
    tws_via_fn *fn;
    void *arg;
};

void tws_via_cancel(struct tws_via *v)
{
    if (v == NULL)
        return;
    tws_proxy_stop(&v->proxy);
    tws_timer_stop(&v->deadline);
    tws_loop_free_later(v->loop, v);
}

static void end(struct tws_via *v, uint16_t code, const char *why)
{
    tws_via_cancel(v);
    v->fn(v->arg, code, why);
}

static void on_answer(struct tws_proxy *p, uint16_t code, const char *why)
{
    end(TWS_CONTAINER(p, struct tws_via, proxy), code, why);
}

static void on_deadline(struct tws_timer *t)
{
    end(TWS_CONTAINER(t, struct tws_via, deadline), TWS_CODE_TIMEOUT,
        "the upstream proxy gave no answer");
}

tws_err tws_via_start(struct tws_loop *loop, const struct tws_via_request *rq, tws_via_fn *fn,
                      void *arg, struct tws_via **out)
{
    struct tws_via *v = calloc(1, sizeof *v);

    if (v == NULL)
        return TWS_NOMEM;
    *v = (struct tws_via){.loop = loop, .fn = fn, .arg = arg};
    tws_timer_init(&v->deadline, loop, on_deadline);
    tws_err err = tws_proxy_start(loop, &v->proxy, rq->fd, rq->url, rq->target, on_answer);
    if (err != TWS_OK) {
        tws_wipe(v, sizeof *v);
        free(v);
        return err;
    }
    tws_timer_start_at(&v->deadline, rq->until_us);
    *out = v;
    return TWS_OK;
}
