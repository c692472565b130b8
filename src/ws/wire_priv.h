/*
 * wire_priv.h - how a wire is made of a connection that libwebsockets still holds (upgrade.c).
 */
#ifndef TWS_WS_WIRE_PRIV_H
#define TWS_WS_WIRE_PRIV_H

#include "tws/ws/wire.h"

#include <openssl/ssl.h>

/* Lets go of the SSL and what owns it; called once, when the wire needs neither any more. */
typedef void tws_wire_release_fn(void *arg);

struct tws_wire_parts {
    int fd;   /* the wire's own, also on failure */
    SSL *ssl; /* borrowed until release; NULL: plain */
    bool client;
    tws_wire_release_fn *release; /* may be NULL */
    void *release_arg;
};

/* TWS_NOMEM: `fd` is closed, release was not called. */
TWS_MUST_USE tws_err tws_wire_make(struct tws_loop *loop, const struct tws_wire_parts *parts,
                                   struct tws_wire **out);
/* The owner of the SSL is going: the wire is over, release will not be called. */
void tws_wire_lose_owner(struct tws_wire *w, const char *why);

#endif
