/*
 * outbound.h - how the client shows itself to its servers and what it demands of them: part of the
 * configuration, the same for all servers. What each key means is in tws.yaml(5).
 */
#ifndef TWS_TUNNEL_OUTBOUND_H
#define TWS_TUNNEL_OUTBOUND_H

#include "tws/base/err.h"
#include "tws/ws/pin.h"

#include <stdbool.h>

struct tws_outbound {
    char *host;    /* the Host header; NULL: of the URL */
    char *headers; /* "Name: value\r\n" each; NULL: none */
    char *ca_file;
    bool insecure;
    char *sni; /* "": send none; NULL: the URL's host */
    char *cert_file, *cert_key_file;
    struct tws_pins pins;
    bool tls13; /* nothing older */
};

/* TWS_NOMEM: *to is empty. */
TWS_MUST_USE tws_err tws_outbound_copy(const struct tws_outbound *from, struct tws_outbound *to);
bool tws_outbound_equal(const struct tws_outbound *a, const struct tws_outbound *b);
/* Headers may be secret: they are wiped. Zeroed storage is fine. */
void tws_outbound_fini(struct tws_outbound *o);

#endif
