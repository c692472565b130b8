/*
 * answerers_priv.h - sockets that answer in somebody else's name: each is bound to an address that
 * datagrams were sent to and that is not this machine's (IP_TRANSPARENT). A few are kept; the one
 * that was used least recently makes room.
 */
#ifndef TWS_TUNNEL_ANSWERERS_PRIV_H
#define TWS_TUNNEL_ANSWERERS_PRIV_H

#include "tws/base/list.h"
#include "tws/net/socket.h"
#include "tws/net/udp.h"

#define TWS_ANSWERERS_MAX 512u

struct tws_answerers;

/* NULL: out of memory. */
struct tws_answerers *tws_answerers_new(void);
void tws_answerers_free(struct tws_answerers *all);
/* Sends *d (borrowed as tws_udp_send() has it) from `ip`:`port`. False, with errno: there is no
 * socket for it. */
bool tws_answerers_send(struct tws_answerers *all, const struct tws_ip *ip, uint16_t port,
                        const struct tws_udp_datagram *d);

#endif
