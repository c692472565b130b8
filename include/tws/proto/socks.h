/*
 * socks.h - SOCKS as a server reads and answers it: version 5 (RFC 1928), its user and password
 * (RFC 1929), and versions 4 and 4a.
 *
 * Sans I/O: every reader takes what has come so far and answers TWS_SHORT until a whole message is
 * there. Texts that come out are borrowed from the input.
 */
#ifndef TWS_PROTO_SOCKS_H
#define TWS_PROTO_SOCKS_H

#include "tws/proto/target.h"

enum tws_socks_command { TWS_SOCKS_CONNECT = 1, TWS_SOCKS_BIND = 2, TWS_SOCKS_UDP = 3 };

/* RFC 1928, 6. */
enum tws_socks_reply {
    TWS_SOCKS_GRANTED = 0,
    TWS_SOCKS_FAILURE = 1,
    TWS_SOCKS_FORBIDDEN = 2,
    TWS_SOCKS_NET_UNREACHABLE = 3,
    TWS_SOCKS_HOST_UNREACHABLE = 4,
    TWS_SOCKS_REFUSED = 5,
    TWS_SOCKS_TIMEOUT = 6,
    TWS_SOCKS_NO_COMMAND = 7,
    TWS_SOCKS_NO_ADDRESS_TYPE = 8,
};

/* The reply that stands for a reason code (docs/protocol.md, "Codes"); `text` is RESET's, which
 * tells an unreachable network from an unreachable host. */
enum tws_socks_reply tws_socks_reply_of(uint16_t code, struct tws_span text);

/* ---- version 5 ---- */

#define TWS_SOCKS5_REPLY_MAX (3 + TWS_TARGET_MAX)

enum { TWS_SOCKS_METHOD_NONE = 0, TWS_SOCKS_METHOD_PASSWORD = 2, TWS_SOCKS_METHOD_NO = 255 };

struct tws_socks_methods {
    bool none, password;
};

struct tws_socks_login {
    struct tws_span user, password;
};

struct tws_socks_request {
    uint8_t command; /* may be one that we do not know */
    struct tws_target target;
};

/* TWS_SHORT; TWS_E_PROTOCOL: another version, or no method at all. */
TWS_MUST_USE tws_err tws_socks5_read_methods(struct tws_reader *r, struct tws_socks_methods *out);
/* TWS_SHORT; TWS_E_PROTOCOL: another version, or no user name. */
TWS_MUST_USE tws_err tws_socks5_read_login(struct tws_reader *r, struct tws_socks_login *out);
/* A name that is an IP literal becomes an address. TWS_SHORT; TWS_E_PROTOCOL: the answer is
 * *reply. */
TWS_MUST_USE tws_err tws_socks5_read_request(struct tws_reader *r, struct tws_socks_request *out,
                                             enum tws_socks_reply *reply);

/* `bound` is an encoded target; what SOCKS has no form for becomes 0.0.0.0:0. */
void tws_socks5_write_reply(struct tws_writer *w, enum tws_socks_reply reply,
                            struct tws_span bound);

/*
 * A datagram between client and server (RFC 1928, 7): where it goes, and in *header how many bytes
 * in front of its own say so. TWS_E_PROTOCOL: cut short, a fragment, or no address.
 */
#define TWS_SOCKS5_DATAGRAM_HEADER_MAX (3 + TWS_TARGET_MAX)
TWS_MUST_USE tws_err tws_socks5_read_datagram(struct tws_span in, struct tws_target *out,
                                              size_t *header);

/* ---- version 4 and 4a ---- */

#define TWS_SOCKS4_REPLY 8

/* The user id is read over. TWS_SHORT; TWS_E_PROTOCOL. */
TWS_MUST_USE tws_err tws_socks4_read_request(struct tws_reader *r, struct tws_socks_request *out);
void tws_socks4_write_reply(struct tws_writer *w, bool granted, struct tws_span bound);

#endif
