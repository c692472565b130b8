/*
 * dial_priv.h - from a request to a connected descriptor: the server itself, or a tunnel to it
 * through a proxy (detour.h). What libwebsockets then does on it is upgrade_client.c's.
 *
 * Life: made in tws_upgrade_connect(), freed when the WebSocket is open or the upgrade ends.
 */
#ifndef TWS_WS_DIAL_PRIV_H
#define TWS_WS_DIAL_PRIV_H

#include "lws_priv.h"

#include "tws/net/resolver.h"
#include "tws/ws/detour.h"
#include "tws/ws/identity.h"

struct tws_dial {
    struct tws_upgrade *u;
    struct tws_connector *connector;
    struct tws_detour *detour;
    struct tws_resolve query; /* of the server's name, for a proxy that is not to resolve it */
    int fd;                   /* connected, not yet libwebsockets' */
    struct tws_hostport target;
    struct tws_connect_from from;
    struct tws_ip proxy_ips[TWS_UPGRADE_IPS];
    size_t nproxy_ips;            /* 0: its name is resolved */
    char uplink[TWS_IP_TEXT + 8]; /* " over wlan0", for the log; "" without */
    bool via_proxy;
    struct tws_proxy_url proxy_url;
    uint64_t connect_us, handshake_us;
    /* For upgrade_client.c */
    char *path, *host_header, *headers;
    bool tls, insecure, tls13;
    char *ca_file, *sni, *cert_file, *cert_key_file;
    struct tws_pins pins;
    X509_STORE *store;
    struct tws_identity *identity;
};

/* Takes over what of *c is about dialling; the rest of *d is zero. */
void tws_dial_init(struct tws_dial *d, struct tws_upgrade *u, const struct tws_upgrade_client *c);
/* tws_client_dialled() or tws_upgrade_fail() follows, later. TWS_NOMEM. */
TWS_MUST_USE tws_err tws_dial_start(struct tws_dial *d, const struct tws_upgrade_client *c);

/* upgrade_client.c: d->fd is connected to the server, as far as can be seen from here. */
void tws_client_dialled(struct tws_upgrade *u);

#endif
