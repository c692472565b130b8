/*
 * remote.h - one forward as the command line says it, in chisel's grammar:
 *
 *      [R:][local-host:][local-port:][remote-host:]remote-port[/udp]
 *
 *      3000                              127.0.0.1:3000       -> the server's 127.0.0.1:3000
 *      example.com:3000                  127.0.0.1:3000       -> example.com:3000
 *      3000:example.com:80               127.0.0.1:3000       -> example.com:80
 *      192.168.0.5:3000:example.com:80   192.168.0.5:3000     -> example.com:80
 *      8000-8010:example.com:9000-9010   each port            -> its counterpart
 *      5353:1.1.1.1:53/udp               127.0.0.1:5353/udp   -> 1.1.1.1:53/udp
 *      socks   5000:socks                127.0.0.1:1080, 5000, a SOCKS5 proxy; http, proxy alike
 *      stdio:example.com:22              stdin and stdout     -> example.com:22
 *      unix:/run/a.sock:example.com:80   3000:unix:/run/b.sock   fd:web:example.com:80
 *      R:2222:localhost:22               the server's 127.0.0.1:2222 -> the client's localhost:22
 *
 * A local port without a host is loopback's, on either side. IPv6 addresses stand in brackets; only
 * behind stdio: they need not, for ssh's %h:%p. A path has no : in it.
 */
#ifndef TWS_PROTO_REMOTE_H
#define TWS_PROTO_REMOTE_H

#include "tws/proto/spot.h"

#define TWS_REMOTE_TEXT (2 * TWS_SPOT_TEXT + 8)

enum tws_remote_kind {
    TWS_REMOTE_TCP,
    TWS_REMOTE_UDP,
    TWS_REMOTE_SOCKS,
    TWS_REMOTE_HTTP,
    TWS_REMOTE_PROXY, /* SOCKS and HTTP on one port */
};

struct tws_remote {
    bool reverse; /* `listen` is the server's, `target` the client's */
    enum tws_remote_kind kind;
    struct tws_spot listen;
    struct tws_spot target; /* TWS_SPOT_NONE for the proxies; as many ports as `listen` */
};

/* TWS_ABSENT: not of that form; *why says what is wrong and what to write (a constant). */
TWS_MUST_USE tws_err tws_remote_parse(const char *text, struct tws_remote *out, const char **why);
/* "host:port", "[IPv6]:port", "IPv6:port", "port" or "unix:/path": stdin and stdout lead there. */
TWS_MUST_USE tws_err tws_remote_parse_stdio(const char *text, struct tws_remote *out,
                                            const char **why);
/* The canonical text, with every part, which reads back the same. `cap` at least TWS_REMOTE_TEXT.
 */
void tws_remote_format(const struct tws_remote *r, char *out, size_t cap);

#endif
