/*
 * entrance_priv.h - the sockets that listen on a spot: of the service manager, of a unix socket's
 * file, or on an address. The same for the client's forwards and for the server itself.
 */
#ifndef TWS_TUNNEL_ENTRANCE_PRIV_H
#define TWS_TUNNEL_ENTRANCE_PRIV_H

#include "tws/net/activation.h"
#include "tws/net/listener.h"
#include "tws/net/unix_socket.h"
#include "tws/tunnel/config.h"

struct tws_entrance {
    const struct tws_spot *at;
    const struct tws_unix_access *access;
    const struct tws_activation *activation; /* may be NULL */
};

/*
 * Sockets that listen already, the caller's to close; none: the spot is an address that is to be
 * opened. A unix socket's file is `file`'s to remove. TWS_SYS with errno; ENXIO: the service
 * manager gave none of that name, EPROTOTYPE: none of them carries streams.
 */
TWS_MUST_USE tws_err tws_entrance_sockets(const struct tws_entrance *e,
                                          struct tws_unix_socket *file, struct tws_inherited *out);
/* A listener on all of them. As above; TWS_NOMEM. */
TWS_MUST_USE tws_err tws_entrance_listen(const struct tws_entrance *e, struct tws_loop *loop,
                                         tws_accept_fn *on_accept, void *arg,
                                         struct tws_unix_socket *file, struct tws_listener **out);
/* The same of UDP sockets: they are bound here if the service manager gave none. TWS_SYS with
 * errno; ENXIO as above, EPROTOTYPE: it gave none of datagrams, or not of an address. */
TWS_MUST_USE tws_err tws_entrance_datagrams(const struct tws_entrance *e,
                                            struct tws_inherited *out);
/* What a user can do about a failure. Constant. */
const char *tws_entrance_advice(const struct tws_spot *at, int error);

#endif
