/*
 * proxy_url.h - the URL of a proxy to go through, taken apart.
 *
 *      http://[user[:password]@]host[:port][/]      HTTP CONNECT, port 80 if none is given
 *      socks5://...                                 SOCKS5, port 1080; names are resolved here
 *      socks5h://...                                the same; the proxy resolves names
 *
 * Percent-encoding in user and password is undone. Without a scheme it is http://, as with curl.
 */
#ifndef TWS_PROTO_PROXY_URL_H
#define TWS_PROTO_PROXY_URL_H

#include "tws/base/addr.h"

#define TWS_PROXY_LOGIN_MAX 255 /* bytes of a user name or password */

enum tws_proxy_kind { TWS_PROXY_HTTP, TWS_PROXY_SOCKS5, TWS_PROXY_SOCKS5H };

struct tws_proxy_url {
    enum tws_proxy_kind kind;
    struct tws_hostport address;
    bool has_port; /* written, not the default */
    bool has_login;
    char user[TWS_PROXY_LOGIN_MAX + 1], password[TWS_PROXY_LOGIN_MAX + 1];
};

/* TWS_ABSENT: not of that form, and *why (never with the password in it) says what is wrong. */
TWS_MUST_USE tws_err tws_proxy_url_parse(const char *text, struct tws_proxy_url *out,
                                         const char **why);

#endif
