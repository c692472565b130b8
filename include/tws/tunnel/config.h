/*
 * config.h - what the configuration says, as values. `app` fills these from its option table;
 * `tunnel` only reads them.
 *
 * A struct handed to `tunnel` is complete and checked: every default is filled in, every number is
 * within its range, passphrases are keys already. It stays the process's own and unchanged until
 * the tunnel was freed or was given the next one (reload). Strings and arrays are owned by the
 * struct (app frees them); a NULL string is "not given". Times are milliseconds.
 */
#ifndef TWS_TUNNEL_CONFIG_H
#define TWS_TUNNEL_CONFIG_H

#include "tws/base/addr.h"
#include "tws/mux/session.h"
#include "tws/net/unix_socket.h"
#include "tws/proto/proxy_url.h"
#include "tws/proto/spot.h"
#include "tws/tunnel/outbound.h"
#include "tws/ws/upgrade.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TWS_UPLINK_LINKS 16u /* of one session */
#define TWS_SERVERS_MAX  16u

/* Which server a new channel is opened with. */
enum tws_balance {
    TWS_BALANCE_ACTIVE_BACKUP, /* the first in the list that is there */
    TWS_BALANCE_ROUND_ROBIN,
    TWS_BALANCE_LEAST_LOADED, /* the one with the fewest channels of ours */
    TWS_BALANCE_END,
};

struct tws_activation; /* tws/net/activation.h; the process's, and outlives all configurations */

enum tws_encrypt { TWS_ENCRYPT_UNSET, TWS_ENCRYPT_OFF, TWS_ENCRYPT_ALLOW, TWS_ENCRYPT_REQUIRE };

/* A pre-shared key: from a key file, a keys file, or made of a passphrase. Wiped when freed. */
struct tws_key {
    uint8_t id[8];
    uint8_t psk[32];
};

enum tws_rule_protocol { TWS_RULE_BOTH, TWS_RULE_TCP, TWS_RULE_UDP };

/* One allowed target: CIDR, host name, "*.name", each with a port range (1-65535: any port); or a
 * unix socket's path. */
struct tws_rule {
    char *name; /* lower case, "*." in front for a wildcard; NULL: by prefix */
    struct tws_prefix prefix;
    uint16_t port_min, port_max;
    uint8_t protocol; /* enum tws_rule_protocol */
    bool is_path;     /* `name` is a path, or its beginning with a "*" behind it */
};

/* How connections come in, and who says where they go. */
enum tws_forward_kind {
    TWS_FORWARD_TCP,         /* accepted on `listen`, all to `remote` */
    TWS_FORWARD_SOCKS,       /* its client says where: SOCKS 4, 4a, 5 */
    TWS_FORWARD_HTTP,        /* an HTTP proxy */
    TWS_FORWARD_PROXY,       /* both */
    TWS_FORWARD_UDP,         /* datagrams to `listen`, a flow for each sender, all to `remote` */
    TWS_FORWARD_TRANSPARENT, /* the kernel catches connections to `networks` */
    TWS_FORWARD_TUN,         /* IP packets of a device: `tun` */
    TWS_FORWARD_END,
};

/* One end of an IP link: a TUN device of this machine, and what leads there. */
struct tws_tun_config {
    char *device;                 /* NULL: the kernel numbers it */
    struct tws_prefix *addresses; /* the device's, with the lengths of their networks */
    size_t naddresses;            /* on a client 0: the server gives them */
    uint32_t mtu;
    /* Of a client only: */
    struct tws_prefix *routes; /* networks behind the other end */
    size_t nroutes;
    struct tws_prefix *behind; /* networks behind this end, which the other may reach */
    size_t nbehind;
    struct tws_prefix *sources; /* where packets may come from besides, without a route of ours */
    size_t nsources;
    bool all; /* everything but the client's own links goes there, except */
    struct tws_prefix *exclude;
    size_t nexclude;
    struct tws_ip *dns; /* resolvers to use */
    size_t ndns;
};

struct tws_forward {
    struct tws_spot listen;        /* one port, a unix socket or a descriptor */
    struct tws_unix_access access; /* of a unix socket */
    struct tws_spot remote; /* one port or a unix socket; TWS_SPOT_NONE: the kind needs none */
    enum tws_forward_kind kind;
    char *user, *password;      /* asked of SOCKS and HTTP clients; both or neither */
    bool optimistic;            /* they hear that all is well before the target answered */
    struct tws_prefix *trusted; /* proxies whose connections begin with a PROXY protocol header */
    size_t ntrusted;
    struct tws_rule *allow; /* of a reversed proxy: where this client connects to for it */
    size_t nallow;
    struct tws_prefix *networks, *exclude; /* of the kind transparent; no two networks overlap */
    size_t nnetworks, nexclude;
    bool tproxy;                /* by TPROXY and not REDIRECT */
    bool local;                 /* only connections of this machine itself */
    struct tws_tun_config *tun; /* of its kind; else NULL */
};

/* What both ends know of sessions, links and channels. */
struct tws_link_limits {
    uint32_t grace_ms;
    uint32_t heartbeat_ms;
    uint32_t give_up_ms;
    uint32_t suspect_ms; /* 0: as the schedule has it */
    uint64_t memory;     /* bytes, per session */
    uint32_t max_message;
    uint32_t max_channels;    /* per session */
    enum tws_encrypt encrypt; /* never UNSET: a ws:// URL that leaves the machine is REQUIRE */
    uint32_t idle_timeout_ms; /* a channel without bytes either way; 0: never */
    uint32_t half_close_timeout_ms; /* a half-closed channel without bytes; 0: never */
    uint32_t drain_ms;              /* after SIGTERM, for open channels */
    uint32_t mark; /* SO_MARK of the client's links, that no rule of ours catches them; 0: none */
    uint32_t padding; /* bytes added to messages, at most; the peer is asked for as much */
    bool no_udp;
    uint32_t udp_timeout_ms; /* a datagram flow without datagrams */
};

/* Given for a name, which is then not resolved; n 0: it is. */
struct tws_addresses {
    struct tws_ip ips[TWS_UPGRADE_IPS];
    size_t n;
};

/* One server, and what stands between it and us. */
struct tws_endpoint {
    bool tls;
    struct tws_hostport server;
    char *path;  /* of the server's URL, with query */
    char *proxy; /* as in proto/proxy_url.h, of the file or the environment; NULL: none */
    struct tws_addresses at, proxy_at; /* of server, of the proxy's host */
};

/* One way out of this machine, with a number of links over it. */
struct tws_uplink {
    char *name;      /* for the log; NULL: none was configured, it is what the kernel chooses */
    char *interface; /* the device to bind to; NULL: by the routing table */
    struct tws_ip source; /* the address to bind to; family 0: the kernel's choice */
    uint32_t connections;
    uint16_t weight;
    bool backup; /* used only when no other uplink has a link that works */
};

struct tws_client_config {
    struct tws_endpoint *servers; /* at least one; a session with each */
    size_t nservers;
    enum tws_balance balance;
    struct tws_uplink *uplinks; /* at least one; at most TWS_UPLINK_LINKS connections together */
    size_t nuplinks;
    enum tws_schedule schedule;
    uint32_t max_age_ms; /* of a link; 0: any */
    struct tws_outbound outbound;
    char *name; /* the client's name in the handshake; never NULL: the host name if not given */
    struct tws_key key;
    uint32_t retry_timeout_ms;
    uint32_t connect_timeout_ms; /* how long a local connection waits for a link */
    struct tws_forward *forwards;
    size_t nforwards;
    struct tws_forward *reverses; /* the server listens, this client connects */
    size_t nreverses;
    const struct tws_activation *activation; /* sockets of the service manager; NULL: none */
    struct tws_spot stdio; /* where stdin and stdout lead; TWS_SPOT_NONE: they do not */
    struct tws_link_limits link;
};

struct tws_user {
    char *name;
    struct tws_key key;
    struct tws_rule *allow;
    size_t nallow;
    bool allow_all;          /* passwd without rules, as tws-rust */
    struct tws_rule *listen; /* where the server may listen for the user: prefixes, localhost, or
                                paths */
    size_t nlisten;
    struct tws_unix_access listen_access; /* of the unix sockets there */
    uint32_t max_listens;                 /* of all its sessions together; 0: no limit */
    struct tws_prefix *tun; /* of the client's end of an IP link: its addresses (whole length), and
                               the networks behind it */
    size_t ntun;
    bool tun_pool;         /* its address is one that nobody else has */
    uint32_t max_channels; /* of all its sessions together; 0: each session's own limit */
    uint32_t max_sessions; /* 0: no limit */
    uint64_t rate;         /* bytes per second each way, 0: no limit */
};

enum tws_send_proxy { TWS_SEND_PROXY_NO, TWS_SEND_PROXY_V1, TWS_SEND_PROXY_V2 };

struct tws_ip_port {
    struct tws_ip ip; /* family 0: not given */
    uint16_t port;
};

/* How to go out to some targets. Of several the first counts that covers the target and the
 * client's address. */
struct tws_outlet {
    struct tws_rule *to;     /* a rule named "*" covers any target but unix sockets */
    size_t nto;              /* 0: all targets */
    struct tws_prefix *from; /* of the client's address */
    size_t nfrom;            /* 0: whatever it is */
    enum tws_send_proxy send_proxy;
    bool spoof;                    /* connect from the client's own address */
    uint32_t mark;                 /* SO_MARK; 0: none */
    char *interface;               /* NULL: by the routing table */
    struct tws_ip bind;            /* family 0: the kernel's choice */
    struct tws_proxy_url *via;     /* NULL: directly; wiped when freed */
    struct tws_ip_port ipv4, ipv6; /* where to, instead, for clients of that family */
};

struct tws_server_config {
    struct tws_spot listen;                  /* one port, a unix socket or a descriptor */
    struct tws_unix_access access;           /* of a unix socket */
    const struct tws_activation *activation; /* sockets of the service manager; NULL: none */
    char *path;                              /* NULL: any */
    char *decoy;                             /* NULL: 404 */
    struct tws_tls_files tls;                /* without a cert_file: none */
    struct tws_prefix *trusted_proxies;
    size_t ntrusted_proxies;
    struct tws_user *users;
    size_t nusers;
    uint32_t connect_timeout_ms; /* dialling a target */
    struct tws_outlet *outlets;
    size_t noutlets;
    struct tws_tun_config *tun; /* NULL: no IP links */
    struct tws_link_limits link;
};

#endif
