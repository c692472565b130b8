/*
 * arrival_priv.h - a stream that came in locally and wants a channel: where it comes from, where
 * it goes, and what its protocol still owes it.
 *
 * An arrival is a value; only its descriptor has an owner: whoever is handed the arrival.
 */
#ifndef TWS_TUNNEL_ARRIVAL_PRIV_H
#define TWS_TUNNEL_ARRIVAL_PRIV_H

#include "tws/net/loop.h"
#include "tws/net/socket.h"
#include "tws/proto/http_body.h"
#include "tws/proto/target.h"

#define TWS_REPLY_MAX 1024 /* bytes of a protocol's answer */

/*
 * How a protocol answers its client once the server has spoken. Exactly one of the two is asked,
 * once, and its bytes go to the local socket in front of the stream's first. Both write at most
 * TWS_REPLY_MAX bytes to `out` and return how many; 0: nothing is said.
 */
struct tws_reply {
    /* `bound` is OPENED's encoded address; may be empty. */
    size_t (*opened)(struct tws_span bound, uint8_t *out);
    /* `text` is RESET's, from the peer: for telling causes apart, never to be shown. */
    size_t (*refused)(uint16_t code, struct tws_span text, uint8_t *out);
};

struct tws_arrival {
    int fd;
    /* Watches fd and has read it empty; stopped or passed on by who is handed the arrival. NULL:
     * nobody watches. */
    struct tws_io *io;
    struct tws_sockaddr source; /* who connected, or who a proxy says did */
    struct tws_target target;
    struct tws_target original;    /* where it was going when it was caught; type 0: here */
    struct tws_span early;         /* bytes of the stream that were read already; borrowed */
    const struct tws_reply *reply; /* NULL: nothing is answered, or it was already */
    bool is_association;           /* it wants a socket for datagrams, and no channel for itself */
    /* An HTTP request: of what the client sends only its body goes on; this is what is still to
     * come. */
    bool is_request;
    struct tws_http_body body;
    uint32_t *count; /* one more while it lives; NULL: none */
};

#endif
