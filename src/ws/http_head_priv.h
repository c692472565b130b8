/*
 * http_head_priv.h - the head of an HTTP/1.x request as far as we need it: whether it is our
 * upgrade, and where it came from. Bytes in, values out; nothing is allocated or kept.
 */
#ifndef TWS_WS_HTTP_HEAD_PRIV_H
#define TWS_WS_HTTP_HEAD_PRIV_H

#include "tws/base/bytes.h"
#include "tws/ws/upgrade.h"

#define TWS_HTTP_HEAD_MAX 8192

struct tws_http_head {
    struct tws_span method, target; /* borrowed from the input; target with its query */
    bool version11;                 /* HTTP/1.1 */
    bool upgrade;                   /* a WebSocket upgrade with our sub-protocol and session */
    char session[TWS_SESSION_TEXT + 1];
    struct tws_span forwarded_for; /* the last element of the last X-Forwarded-For, or empty */
    size_t size;                   /* of the head, with the empty line */
};

/*
 * TWS_SHORT: not whole yet. TWS_E_PROTOCOL: no HTTP/1.x request, whatever follows; also when it
 * is above TWS_HTTP_HEAD_MAX.
 */
TWS_MUST_USE tws_err tws_http_head_parse(struct tws_span in, struct tws_http_head *out);

/* The target without its query. */
struct tws_span tws_http_head_path(const struct tws_http_head *h);

#endif
