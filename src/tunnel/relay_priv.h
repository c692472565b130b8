/*
 * relay_priv.h - one connected TCP socket <-> one channel.
 *
 *      socket readable -> ready -> pull: read() straight into the message
 *      channel readable -> peek: write() straight from the message, or from the channel's queue
 *
 * Back-pressure both ways is the engine's credit: what the socket does not take is not consumed,
 * what the channel may not send is not read.
 *
 * A connection whose first bytes were read before, or whose protocol is owed an answer, has a front
 * (front_priv.h): nothing of the stream is written before the answer.
 *
 * The ends, as TCP has them: end of file -> FIN and back; RST -> RESET and back, behind the bytes
 * that came before it.
 */
#ifndef TWS_TUNNEL_RELAY_PRIV_H
#define TWS_TUNNEL_RELAY_PRIV_H

#include "carrier_priv.h"
#include "front_priv.h"
#include "throttle_priv.h"

struct tws_relay_config {
    struct tws_carrier *carrier;
    struct tws_channel *channel;
    int fd;       /* connected, non-blocking; the relay's from now on, also on failure */
    bool dialled; /* by tws_connector_start(), not accepted */
    bool is_unix; /* a unix socket */
    /* Watches fd already, has read all that it told of, and ends here, also on failure; NULL:
     * nobody does. */
    struct tws_io *io;
    const char *source; /* for the audit line; copied */
    const char *target;
    struct tws_throttle *up, *down; /* local -> peer, peer -> local; NULL: no limit */
    uint32_t *count;                /* one less when it ends; NULL: none */
    struct tws_front *front;        /* the relay's, also on failure; NULL: none */
};

/* Starts to relay. TWS_NOMEM, TWS_SYS: the channel is as it was, the descriptor is closed. */
TWS_MUST_USE tws_err tws_relay_new(const struct tws_relay_config *cfg);

#endif
