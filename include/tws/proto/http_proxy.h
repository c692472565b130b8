/*
 * http_proxy.h - a request to an HTTP/1 proxy (RFC 9110, 9112): CONNECT, or a request for an http
 * URL that is rewritten to what the URL's server expects.
 *
 * Sans I/O and strict: whatever two readers could read differently (bare line ends, folded or
 * doubled length fields, both lengths at once) is refused. One request for each connection: the
 * rewritten one says "Connection: close", and its body is followed to its end.
 */
#ifndef TWS_PROTO_HTTP_PROXY_H
#define TWS_PROTO_HTTP_PROXY_H

#include "tws/proto/http_body.h"
#include "tws/proto/target.h"

/* All spans are borrowed from the input. */
struct tws_http_request {
    bool connect;
    struct tws_target target;
    struct tws_span login;     /* base64 of Proxy-Authorization: Basic; empty: none */
    struct tws_http_body body; /* of what is not CONNECT */
    size_t n;                  /* bytes of the head, its empty line included */
    /* for tws_http_rewrite(): */
    struct tws_span method, authority, path, fields;
    uint8_t minor; /* of the version: 0 or 1 */
};

/* TWS_SHORT: the head is not whole yet; TWS_E_PROTOCOL: *status is what to answer (400, 501,
 * 505). */
TWS_MUST_USE tws_err tws_http_request_read(struct tws_span in, struct tws_http_request *out,
                                           unsigned *status);

/* The head for the server itself: origin form, its own Host, nothing that was meant for a proxy.
 * Never longer than the head that was read by more than TWS_HTTP_GROWTH. */
#define TWS_HTTP_GROWTH 64
void tws_http_rewrite(struct tws_writer *w, const struct tws_http_request *r);

/* Whether `login` is base64 of "user:password", in time that depends on lengths only. */
bool tws_http_login_is(struct tws_span login, const char *user, const char *password);

/* An answer of the proxy itself, with a line of text for people; the connection closes behind it.
 * `reason` is ours, not a peer's. */
#define TWS_HTTP_ANSWER_MAX 512
void tws_http_write_answer(struct tws_writer *w, unsigned status, const char *reason);
/* The answer to a CONNECT that was connected. */
void tws_http_write_connected(struct tws_writer *w);
/* The status that stands for a reason code (docs/protocol.md, "Codes"). */
unsigned tws_http_status_of(uint16_t code);

#endif
