/*
 * socks_client.h - what a SOCKS5 client says to a proxy (RFC 1928, RFC 1929), as bytes and values.
 *
 * The owner sends tws_socks_client_output(), reads at most tws_socks_client_wants() bytes, which
 * never reach behind the proxy's answer (what follows belongs to the tunnel), and hands them to
 * tws_socks_client_input(), until that says something else than TWS_SHORT.
 */
#ifndef TWS_PROTO_SOCKS_CLIENT_H
#define TWS_PROTO_SOCKS_CLIENT_H

#include "tws/proto/socks.h"

#define TWS_SOCKS_LOGIN_MAX  255 /* bytes of a user name or password */
#define TWS_SOCKS_OUTPUT_MAX (3 + 2 * TWS_SOCKS_LOGIN_MAX)

enum tws_socks_phase {
    TWS_SOCKS_METHOD, /* which login the proxy wants */
    TWS_SOCKS_LOGIN,  /* whether it took ours */
    TWS_SOCKS_HEAD,   /* version, reply, and the kind of the address behind them */
    TWS_SOCKS_LENGTH, /* of a name, the address's first byte */
    TWS_SOCKS_ADDRESS,
    TWS_SOCKS_OVER,
};

struct tws_socks_client {
    enum tws_socks_phase phase;
    uint8_t reply;           /* of the proxy, once over; 0: granted */
    struct tws_target bound; /* once granted: the address it gave; type 0: none that is one */
    /* What only this module looks at. */
    bool has_login;
    size_t nout, sent, nin, wanted;
    uint8_t out[TWS_SOCKS_OUTPUT_MAX], in[4 + TWS_TARGET_MAX];
    size_t nlogin, nrequest;
    uint8_t login[TWS_SOCKS_OUTPUT_MAX], request[3 + TWS_TARGET_MAX];
};

/*
 * Begins. `user` NULL: no login is offered; else both have at most TWS_SOCKS_LOGIN_MAX bytes
 * (`password` NULL is ""). TWS_ABSENT: they have more, or SOCKS has no form for the target (a unix
 * path, an empty name). All is copied; wipe *c afterwards if there is a password.
 */
TWS_MUST_USE tws_err tws_socks_client_init(struct tws_socks_client *c, const char *user,
                                           const char *password, enum tws_socks_command command,
                                           const struct tws_target *target);

/* What is to be sent now, borrowed until the next call; may be empty. */
struct tws_span tws_socks_client_output(const struct tws_socks_client *c);
/* The first `n` bytes of that were sent. */
void tws_socks_client_sent(struct tws_socks_client *c, size_t n);

/* How many bytes may be read now, at most; 0: send first, or it is over. */
size_t tws_socks_client_wants(const struct tws_socks_client *c);
/*
 * Takes what was read. TWS_SHORT: go on. TWS_OK: over, and `reply` tells how. TWS_E_AUTH: the proxy
 * wants a login that was not given, or refuses it. TWS_E_PROTOCOL: no SOCKS5 is spoken there.
 */
TWS_MUST_USE tws_err tws_socks_client_input(struct tws_socks_client *c, struct tws_span in);

/* Short static texts for the log; never NULL. */
const char *tws_socks_reply_text(uint8_t reply);
/* The reason code (enum tws_code) that stands for a reply but 0. */
uint16_t tws_socks_reply_code(uint8_t reply);
/* Whether it is about the address that was asked for, so that another one may do better; else it is
 * about who asks, or about the proxy. */
bool tws_socks_reply_blames_target(uint8_t reply);

#endif
