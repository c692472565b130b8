/*
 * handshake.h - how a link proves who it is and gets its keys; docs/protocol.md, "Handshake".
 *
 *      server                                        client
 *      tws_hs_server_init     --- CHALLENGE --->     tws_hs_client_hello
 *      tws_hs_server_read     <----- HELLO -----
 *        the caller looks up the key id
 *      tws_hs_server_authenticate
 *        the caller looks up the session (join), checks its limits
 *      tws_hs_server_prove    (join only)
 *      tws_hs_server_accept   ---- WELCOME ---->     tws_hs_client_welcome
 *        or _refuse
 *
 * Pure: messages go in and out as bytes, randomness comes from a function. Nothing is allocated
 * that outlives a call. The open structs hold secrets: fini wipes them, also after an error.
 *
 * The one rule for the server's caller: an error before tws_hs_server_authenticate() has returned
 * TWS_OK (s->authenticated) closes the WebSocket with TWS_HS_CLOSE and no text, whatever it was;
 * any error after it is answered with tws_hs_server_refuse(s, tws_err_code(err)).
 */
#ifndef TWS_PROTO_HANDSHAKE_H
#define TWS_PROTO_HANDSHAKE_H

#include "tws/base/addr.h"
#include "tws/base/bytes.h"
#include "tws/crypto/aead.h"
#include "tws/crypto/hash.h"
#include "tws/crypto/passphrase.h"
#include "tws/crypto/random.h"
#include "tws/crypto/x25519.h"

#define TWS_HS_VERSION        2
#define TWS_HS_MESSAGE_MAX    1024 /* bytes of any handshake message */
#define TWS_HS_CHALLENGE_LEN  48
#define TWS_HS_BOOT_ID_LEN    8
#define TWS_HS_RANDOM_LEN     32
#define TWS_HS_SESSION_ID_LEN 16
#define TWS_HS_CLOSE          4419 /* WebSocket close code: not authenticated */
#define TWS_HS_NAME_MAX       64   /* bytes of a client's or an uplink's name */

enum tws_hs_mode { TWS_HS_NEW = 0, TWS_HS_JOIN = 1 };

/* Who may read the records besides the two ends: sealed if either requires it. */
enum tws_hs_seal { TWS_HS_SEAL_OFF = 0, TWS_HS_SEAL_ALLOW = 1, TWS_HS_SEAL_REQUIRE = 2 };

/* ---- parameters: what each side tells the other about itself ---- */

enum tws_hs_param {
    TWS_HS_CLIENT_NAME = 1,
    TWS_HS_MAX_MESSAGE = 2,
    TWS_HS_GRACE = 3,
    TWS_HS_HEARTBEAT = 4,
    TWS_HS_EARLY_DATA = 5,
    TWS_HS_MAX_CHANNELS = 7,
    TWS_HS_UPLINK_NAME = 8,
    TWS_HS_LINK_WEIGHT = 9,
    TWS_HS_SEAL = 10,
    TWS_HS_EARLY_DATAGRAMS = 11,
    TWS_HS_PADDING = 12,
};

#define TWS_HS_GIVEN(param) (1u << (param))
#define TWS_HS_GIVEN_ALL    0x1fbeu

struct tws_hs_params {
    /* TWS_HS_GIVEN() of what is written, or was read; the others have their default. An empty
     * name is never written. */
    uint32_t given;
    char client_name[TWS_HS_NAME_MAX + 1]; /* "" */
    char uplink_name[TWS_HS_NAME_MAX + 1]; /* "" */
    uint32_t max_message;     /* 32,768: the most bytes of one message to this side; 1024..65,535 */
    uint32_t grace_ms;        /* 120,000: how long this side keeps a session without links */
    uint32_t heartbeat_ms;    /* 15,000: how long this side is silent on a link; at least 1 */
    uint32_t early_data;      /* 0: bytes this side takes behind OPEN; at most 16 KiB */
    uint32_t early_datagrams; /* 0: the same of datagrams; at most 64 KiB */
    uint32_t padding;         /* 0: bytes this side asks to be added to messages; at most 4096 */
    uint32_t max_channels;    /* 65,536: channels the peer may have open at once; at least 1 */
    uint16_t link_weight;     /* 1: at least 1 */
    uint8_t seal;             /* TWS_HS_SEAL_ALLOW: enum tws_hs_seal */
};

/* The defaults, nothing given. */
void tws_hs_params_init(struct tws_hs_params *p);
/* Reads a whole list. TWS_E_PROTOCOL: cut short, a type twice, an unknown critical one, a value
 * out of its range, a control character in a name. */
TWS_MUST_USE tws_err tws_hs_params_read(struct tws_span list, struct tws_hs_params *out);
/* Fails in the writer if there is no room or a value is out of its range. */
void tws_hs_params_write(struct tws_writer *w, const struct tws_hs_params *p);

/* ---- what both sides know in the end ---- */

struct tws_hs_result {
    uint8_t status; /* enum tws_code; if it is not 0 nothing below is set */
    uint8_t session_id[TWS_HS_SESSION_ID_LEN];
    uint32_t link_id;
    bool sealed;   /* messages are records under the keys */
    uint8_t suite; /* enum tws_suite */
    uint8_t k_c2s[TWS_AEAD_KEY], k_s2c[TWS_AEAD_KEY];
    uint8_t join_secret[TWS_HASH_LEN]; /* of this handshake; a new session keeps it for its joins */
    struct tws_hs_params peer;
};

/* Wipes. */
void tws_hs_result_fini(struct tws_hs_result *r);

/* ---- client ---- */

/* What a CHALLENGE says. */
struct tws_hs_challenge {
    uint8_t version_min, version_max;
    uint8_t suites;                      /* TWS_SUITE_BIT()s, unknown ones too */
    uint8_t boot_id[TWS_HS_BOOT_ID_LEN]; /* another one: the server was started again */
};

/* TWS_E_PROTOCOL: not a CHALLENGE. */
TWS_MUST_USE tws_err tws_hs_challenge_read(struct tws_span msg, struct tws_hs_challenge *out);

struct tws_hs_client_config {
    uint8_t key_id[TWS_KEY_ID_LEN];
    uint8_t psk[TWS_PSK_LEN];
    uint8_t suites; /* TWS_SUITE_BIT()s we take; 0: all */
    uint8_t prefer; /* enum tws_suite, taken if offered; 0: AES-256-GCM */
    uint8_t mode;   /* enum tws_hs_mode; the next two are for a join */
    uint8_t session_id[TWS_HS_SESSION_ID_LEN];
    uint8_t join_secret[TWS_HASH_LEN];
    struct tws_hs_params params; /* seal, whether given or not, is our policy */
};

struct tws_hs_client {
    struct tws_hs_client_config cfg;
    uint8_t challenge[TWS_HS_CHALLENGE_LEN];
    uint8_t hello[TWS_HS_MESSAGE_MAX];
    size_t hello_len;
    uint8_t suite;
    uint8_t pk[TWS_HASH_LEN];
    uint8_t secret[TWS_X25519_LEN]; /* of our share */
};

/* Copies *cfg. */
void tws_hs_client_init(struct tws_hs_client *c, const struct tws_hs_client_config *cfg);
void tws_hs_client_fini(struct tws_hs_client *c);

/*
 * Answers `challenge` with a HELLO, borrowed from *c. Takes client_random[32] and the secret of
 * the share[32] from `random`, in this order. TWS_E_PROTOCOL: not a CHALLENGE; TWS_ABSENT: no
 * common version or suite (tws_hs_challenge_read() tells which); TWS_NOMEM; what `random` returns.
 */
TWS_MUST_USE tws_err tws_hs_client_hello(struct tws_hs_client *c, struct tws_span challenge,
                                         tws_random_fn *random, void *random_ctx,
                                         struct tws_span *hello);

/*
 * Reads the server's answer. TWS_OK: it comes from a holder of the key, and out->status says
 * whether it is yes. TWS_E_AUTH: it does not, or sealing is not what our policy demands.
 * TWS_E_PROTOCOL: not a WELCOME to our HELLO. TWS_NOMEM. On an error *out is zeroed.
 */
TWS_MUST_USE tws_err tws_hs_client_welcome(struct tws_hs_client *c, struct tws_span welcome,
                                           struct tws_hs_result *out);

/* ---- server ---- */

struct tws_hs_server {
    uint8_t challenge[TWS_HS_CHALLENGE_LEN];
    uint8_t hello[TWS_HS_MESSAGE_MAX];
    size_t hello_len;
    uint8_t welcome[TWS_HS_MESSAGE_MAX];
    uint8_t pk[TWS_HASH_LEN];
    uint8_t join_secret[TWS_HASH_LEN];
    bool proved;

    /* For the caller: the first three after tws_hs_server_read(), to be believed when... */
    uint8_t key_id[TWS_KEY_ID_LEN];
    uint8_t session_id[TWS_HS_SESSION_ID_LEN];
    uint8_t mode;                /* enum tws_hs_mode */
    bool authenticated;          /* ...this is true: HELLO.mac was good */
    struct tws_hs_params params; /* the client's, from then on */
};

/* Makes the CHALLENGE, s->challenge. `boot_id` is random per process, `random` per call. */
void tws_hs_server_init(struct tws_hs_server *s, const uint8_t boot_id[TWS_HS_BOOT_ID_LEN],
                        const uint8_t random[TWS_HS_RANDOM_LEN]);
void tws_hs_server_fini(struct tws_hs_server *s);

/* Takes a HELLO (copied) apart as far as its lengths. TWS_E_PROTOCOL: not a HELLO. */
TWS_MUST_USE tws_err tws_hs_server_read(struct tws_hs_server *s, struct tws_span hello);

/*
 * Checks HELLO.mac; `psk` is NULL if s->key_id is unknown, which takes the same time. TWS_E_AUTH:
 * not a holder of the key. TWS_E_PROTOCOL with s->authenticated: a version or suite we did not
 * offer, or bad parameters. TWS_NOMEM.
 */
TWS_MUST_USE tws_err tws_hs_server_authenticate(struct tws_hs_server *s,
                                                const uint8_t psk[TWS_PSK_LEN]);

/* Join only: checks the binder with the join_secret (copied) of the session s->session_id.
 * TWS_E_AUTH: the client does not know it. TWS_NOMEM. A session that the caller does not have is
 * refused with TWS_CODE_SERVER_RESTARTED without this. */
TWS_MUST_USE tws_err tws_hs_server_prove(struct tws_hs_server *s,
                                         const uint8_t join_secret[TWS_HASH_LEN]);

struct tws_hs_accept {
    uint8_t session_id[TWS_HS_SESSION_ID_LEN]; /* of a new session; ignored for a join */
    uint32_t link_id;                          /* not 0, never used before in the session */
    struct tws_hs_params params;               /* seal, whether given or not, is our policy */
};

/*
 * Says yes: the WELCOME, borrowed from *s, and the keys. Takes the secret of the share[32] from
 * `random`. A join must have been proved. TWS_E_AUTH: one side requires sealing and the other has
 * it off; TWS_E_PROTOCOL: the client's share is of small order; TWS_NOMEM; what `random` returns.
 * On an error *out is zeroed, and tws_hs_server_refuse() is still possible.
 */
TWS_MUST_USE tws_err tws_hs_server_accept(struct tws_hs_server *s, const struct tws_hs_accept *a,
                                          tws_random_fn *random, void *random_ctx,
                                          struct tws_span *welcome, struct tws_hs_result *out);

/* Says no, for the reason `status` (enum tws_code, not 0): a WELCOME, borrowed from *s, behind
 * which the connection closes. Only when s->authenticated. TWS_NOMEM. */
TWS_MUST_USE tws_err tws_hs_server_refuse(struct tws_hs_server *s, uint8_t status,
                                          struct tws_span *welcome);

#endif
