/*
 * settings.h - what the user wrote, as the option table reads it: defaults, then the command line,
 * then the file over it, then the environment where both name no key. config.h makes the tunnel's
 * configuration of it.
 */
#ifndef TWS_APP_SETTINGS_H
#define TWS_APP_SETTINGS_H

#include "tws/app/diag.h"
#include "tws/app/option.h"
#include "tws/base/addr.h"
#include "tws/proto/spot.h"

struct tws_activation;

/* Where a row's value came from. */
struct tws_given {
    unsigned line;   /* of the file; 0: not there */
    bool argv;       /* on the command line */
    const char *env; /* in this variable of the environment; NULL: not there */
    uint32_t mark;   /* changes when the text changes; for reload */
};

struct tws_settings {
    unsigned line;
    unsigned who;         /* TWS_OPT_SERVER or TWS_OPT_CLIENT */
    bool file_is_exposed; /* others can read the configuration file */
    struct tws_given given[TWS_OPTIONS_MAX];

    char *config;
    uint32_t log, log_time; /* choices */
    uint32_t verbose;

    struct tws_spot listen;
    char *listen_mode, *listen_owner;
    const struct tws_activation *activation; /* not from the user: the process adds it */
    char *passwd;
    uint32_t encrypt; /* enum tws_encrypt */
    uint32_t timeout_ms, connect_timeout_ms, idle_timeout_ms, half_close_timeout_ms;
    uint32_t grace_ms, give_up_ms, suspect_ms, drain_ms, udp_timeout_ms;
    bool no_udp;
    uint64_t memory;
    uint32_t max_message, max_channels, padding;

    char *server;
    struct tws_items servers; /* char * */
    uint32_t balance;         /* 1 + enum tws_balance */
    struct tws_items uplinks; /* struct tws_uplink_settings */
    uint32_t max_age_ms;
    uint32_t schedule; /* 1 + enum tws_schedule */
    struct tws_spot remote;
    struct tws_items forwards; /* struct tws_forward_settings */
    struct tws_items remotes;  /* struct tws_remote, of the command line */
    char *stdio;               /* one more of them */
    char *key_file;
    uint32_t connections, retry_timeout_ms;
    char *proxy, *ca_file, *name;
    bool insecure, dry_run;
    struct tws_items headers, pin, resolve; /* char * */
    char *host, *sni;
    uint32_t tls_min; /* choice */
    char *cert_file, *cert_key_file, *client_ca_file;

    char *path, *decoy;
    struct tws_items trusted_proxies; /* struct tws_prefix */
    char *keys_file;
    struct tws_items allow;        /* struct tws_rule */
    struct tws_items allow_listen; /* struct tws_rule */
    struct tws_items egress;       /* struct tws_egress_settings */
    uint32_t max_sessions, max_listens;
    uint64_t rate;
    struct tws_items tun; /* struct tws_tun_settings, at most one */
};

enum { TWS_TLS_MIN_12 = 1, TWS_TLS_MIN_13 };
enum { TWS_LOG_TIME_AUTO = 1, TWS_LOG_TIME_ON, TWS_LOG_TIME_OFF };

struct tws_forward_settings {
    unsigned line;
    const char *word; /* of the command line, that it was made of; NULL: none */
    uint32_t kind;    /* 1 + enum tws_forward_kind */
    bool reverse;
    struct tws_spot listen, remote;
    char *listen_mode, *listen_owner;
    char *user, *password;
    bool optimistic;
    struct tws_items trusted; /* struct tws_prefix */
    char *trusted_file;
    struct tws_items allow;             /* struct tws_rule */
    struct tws_items networks, exclude; /* struct tws_prefix */
    bool tproxy, local;
    char *device;
    struct tws_items address;                 /* struct tws_prefix, host bits set */
    struct tws_items routes, behind, sources; /* struct tws_prefix */
    struct tws_items dns;                     /* struct tws_ip */
    uint32_t mtu;
    bool all;
};

struct tws_tun_settings {
    unsigned line;
    char *device;
    struct tws_items address; /* struct tws_prefix, host bits set */
    uint32_t mtu;
};

struct tws_egress_settings {
    unsigned line;
    struct tws_items to;   /* struct tws_rule */
    struct tws_items from; /* struct tws_prefix */
    uint32_t send_proxy;   /* enum tws_send_proxy */
    bool spoof;
    uint32_t mark;
    char *bind, *via;
    struct tws_hostport ipv4, ipv6;
};

struct tws_uplink_settings {
    unsigned line;
    char *name, *interface;
    struct tws_ip source;
    uint32_t connections, weight, role;
};

enum { TWS_UPLINK_AVAILABLE = 1, TWS_UPLINK_BACKUP };

struct tws_user_settings {
    unsigned line;
    char *name, *key_id, *key;
    struct tws_items allow, listen; /* struct tws_rule */
    char *listen_mode, *listen_owner;
    struct tws_items tun; /* char * */
    uint32_t max_channels, max_sessions, max_listens;
    uint64_t rate;
};

struct tws_keys_file {
    unsigned line;
    struct tws_items users; /* struct tws_user_settings */
};

/* Defaults for `who`. TWS_NOMEM. */
TWS_MUST_USE tws_err tws_settings_init(struct tws_settings *s, unsigned who);
void tws_settings_fini(struct tws_settings *s);
/* Wipes the secrets, once the configuration has what it needs of them. */
void tws_settings_forget(struct tws_settings *s);

/* Reads the options in argv[1..], and the words that are none (remotes). TWS_USAGE: said so to
 * `diag`; TWS_ABSENT: --help was asked for; TWS_NOMEM. */
TWS_MUST_USE tws_err tws_settings_read_argv(struct tws_settings *s, int argc, char **argv,
                                            struct tws_diag *diag);
/* Reads the file `path` over what is there. TWS_CONFIG: said why to `diag`; TWS_NOMEM. */
TWS_MUST_USE tws_err tws_settings_read_file(struct tws_settings *s, const char *path,
                                            struct tws_diag *diag);
/* Reads keys and passphrase from TWS_KEY_FILE, TWS_KEYS_FILE and TWS_PASSWD if they were not given
 * by command line or file. As above. */
TWS_MUST_USE tws_err tws_settings_read_env(struct tws_settings *s, struct tws_diag *diag);
/* Whether stdin and stdout are to be one of the forwards. */
bool tws_settings_has_stdio(const struct tws_settings *s);
/* Reads `n` bytes of YAML named `path` in messages. As tws_settings_read_file(). */
TWS_MUST_USE tws_err tws_settings_read_yaml(struct tws_settings *s, const char *path,
                                            const char *bytes, size_t n, struct tws_diag *diag);

/* "file.yaml:12: " in front of a message about the row `name`, "" if it is not from the file. */
#define TWS_PLACE 512
void tws_settings_place(const struct tws_settings *s, const char *name, char *out, size_t cap);

/* Says which changed rows do not touch the sessions that are there. */
void tws_settings_compare(const struct tws_settings *old, const struct tws_settings *now,
                          struct tws_diag *diag);

#endif
