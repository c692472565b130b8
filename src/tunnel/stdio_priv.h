/*
 * stdio_priv.h - stdin and stdout as the local side of one channel: ssh's ProxyCommand.
 *
 *      in  -> channel     its end is our FIN
 *      out <- channel     the peer's FIN ends it; the other way goes on
 *
 * The channel is opened as soon as a link is there; without one for `wait_ms` it is given up. When
 * it is over, or never came to be, the owner is told, once: that is the end of the process.
 */
#ifndef TWS_TUNNEL_STDIO_PRIV_H
#define TWS_TUNNEL_STDIO_PRIV_H

#include "ingress_priv.h"

struct tws_stdio;

/* `clean`: both sides finished. Otherwise the reason is in the log. */
typedef void tws_stdio_end_fn(void *arg, bool clean);

struct tws_stdio_config {
    struct tws_loop *loop;
    int in, out; /* the caller's, and back to their flags at the end */
    struct tws_target target;
    uint32_t wait_ms;
    const struct tws_ingress_events *events;
    void *events_arg;
    /* Why there is no link, "" if nothing is known. */
    const char *(*failure)(void *events_arg);
    tws_stdio_end_fn *on_end;
    void *arg;
};

/* on_end() is not called before this returns. TWS_SYS: `in` cannot be read, `out` not be written;
 * TWS_NOMEM. */
TWS_MUST_USE tws_err tws_stdio_new(const struct tws_stdio_config *cfg, struct tws_stdio **out);
/* Channels can be opened. NULL is fine. */
void tws_stdio_ready(struct tws_stdio *s);
/* Whether it still waits for its channel. NULL: it does not. */
bool tws_stdio_waiting(const struct tws_stdio *s);
/* on_end() is still to come. NULL: it is not. */
bool tws_stdio_lives(const struct tws_stdio *s);
/* No callback comes any more. The channel's carrier is freed first. NULL is fine. */
void tws_stdio_free(struct tws_stdio *s);

#endif
