/*
 * caught_udp_priv.h - datagrams that TPROXY brings here: who sends, and where to, is a flow.
 *
 *      caught -> socket on loopback (IP_RECVORIGDSTADDR) -> flow -> channel
 *      channel -> flow -> socket bound to where it was sent (IP_TRANSPARENT) -> who sent it
 *
 * Every datagram is judged by the networks of the configuration, not only the first of a flow. The
 * sockets that answer are few: the one that has been used least recently makes room.
 */
#ifndef TWS_TUNNEL_CAUGHT_UDP_PRIV_H
#define TWS_TUNNEL_CAUGHT_UDP_PRIV_H

#include "inlet_priv.h"

struct tws_caught_udp;

/* On loopback, port `port` or one of the kernel's choice. TWS_SYS with errno, TWS_NOMEM. */
TWS_MUST_USE tws_err tws_caught_udp_new(struct tws_inlet *l, uint16_t port,
                                        struct tws_caught_udp **out);
/* Ends its flows. NULL is fine. */
void tws_caught_udp_free(struct tws_caught_udp *u);
/* Channels can be opened (again). */
void tws_caught_udp_ready(struct tws_caught_udp *u);
/* The configuration may be another. */
void tws_caught_udp_changed(struct tws_caught_udp *u);
uint16_t tws_caught_udp_port(const struct tws_caught_udp *u);

#endif
