/* handshake_priv.h - where the fields of the handshake messages are, and the key schedule, which
 * both sides compute alike. */
#ifndef TWS_PROTO_HANDSHAKE_PRIV_H
#define TWS_PROTO_HANDSHAKE_PRIV_H

#include "tws/proto/handshake.h"

enum hs_type { HS_CHALLENGE = 1, HS_HELLO = 2, HS_WELCOME = 3 };

/* "TWS2" and the message's type open each message. */
#define HS_MAGIC_LEN   4
#define HS_HELLO_LEN   98u /* before the parameters */
#define HS_FLAG_SEALED 0x01u

/* Where fields begin, for those that are used without reading what is before them. */
#define HS_HELLO_SUITE 6
#define HS_HELLO_SHARE 64

/* Writes or checks the magic and the type. */
void tws_hs_begin(struct tws_writer *w, enum hs_type type);
bool tws_hs_begins(struct tws_reader *r, enum hs_type type);

/* Writes the list behind its u16 length. */
void tws_hs_write_list(struct tws_writer *w, const struct tws_hs_params *p);

/* The messages so far; a message that is hashed "up to" a field ends there. */
struct tws_hs_transcript {
    struct tws_span challenge, hello, welcome;
};

/* pk = X("tws/2 psk", PSK | key_id) */
TWS_MUST_USE tws_err tws_hs_psk_key(const uint8_t psk[TWS_PSK_LEN],
                                    const uint8_t key_id[TWS_KEY_ID_LEN], uint8_t pk[TWS_HASH_LEN]);

/* HMAC(E(key, label), H(transcript)) */
TWS_MUST_USE tws_err tws_hs_mac(const uint8_t key[TWS_HASH_LEN], const char *label,
                                const struct tws_hs_transcript *t, uint8_t mac[TWS_HASH_LEN]);
/* The same, compared in constant time; TWS_E_AUTH: it is another one. */
TWS_MUST_USE tws_err tws_hs_check_mac(const uint8_t key[TWS_HASH_LEN], const char *label,
                                      const struct tws_hs_transcript *t,
                                      const uint8_t mac[TWS_HASH_LEN]);

/* master = X(E(pk, "tws/2 derived"), X25519(secret, share) | join_secret, which may be empty).
 * TWS_E_PROTOCOL: the share is of small order. */
TWS_MUST_USE tws_err tws_hs_master(const uint8_t pk[TWS_HASH_LEN],
                                   const uint8_t secret[TWS_X25519_LEN],
                                   const uint8_t share[TWS_X25519_LEN], struct tws_span join_secret,
                                   uint8_t master[TWS_HASH_LEN]);

/* The keys of the link and the join secret, from the whole transcript. */
TWS_MUST_USE tws_err tws_hs_derive(const uint8_t master[TWS_HASH_LEN],
                                   const struct tws_hs_transcript *t, struct tws_hs_result *out);

#endif
