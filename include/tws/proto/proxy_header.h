/*
 * proxy_header.h - the PROXY protocol (haproxy's proxy-protocol.txt), versions 1 and 2: who
 * connected, and where to, said in front of a TCP connection's own bytes.
 */
#ifndef TWS_PROTO_PROXY_HEADER_H
#define TWS_PROTO_PROXY_HEADER_H

#include "tws/base/bytes.h"
#include "tws/proto/target.h"

#define TWS_PROXY_V1_MAX   107  /* bytes of a line of version 1, with CR LF */
#define TWS_PROXY_V2_MAX   52   /* of what is written of version 2 */
#define TWS_PROXY_READ_MAX 4096 /* of what is read of it: it may carry more */

struct tws_proxy_header {
    /* False: nothing is known but that a connection was made (LOCAL, UNKNOWN). */
    bool known;
    struct tws_ip source, destination; /* of the same family */
    uint16_t source_port, destination_port;
};

/*
 * What to say about a connection from `source` to `destination`. IPv4 is never spelled as IPv6. The
 * client's address comes first: a destination of the other family, or that is no address, becomes
 * the unspecified address of the client's family, with its port. A source that is no address is not
 * known.
 */
void tws_proxy_header_make(const struct tws_target *source, const struct tws_target *destination,
                           struct tws_proxy_header *out);

/* Fails in the writer if there is no room. */
void tws_proxy_header_write_v1(struct tws_writer *w, const struct tws_proxy_header *h);
void tws_proxy_header_write_v2(struct tws_writer *w, const struct tws_proxy_header *h);

/*
 * Reads the header, of either version, that `in` begins with; *used is its length. An address is
 * known only of TCP over IPv4 or IPv6; IPv4 spelled as IPv6 becomes IPv4. TWS_SHORT: it may become
 * one; TWS_E_PROTOCOL: it is none.
 */
TWS_MUST_USE tws_err tws_proxy_header_read(struct tws_span in, struct tws_proxy_header *out,
                                           size_t *used);

#endif
