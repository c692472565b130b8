/*
 * config.h - from settings to the tunnel's configuration: URLs taken apart, keys read, passphrases
 * made keys, rules checked against each other. All errors are reported, not only the first.
 */
#ifndef TWS_APP_CONFIG_H
#define TWS_APP_CONFIG_H

#include "tws/app/settings.h"
#include "tws/tunnel/config.h"

/* TWS_CONFIG: said why to `diag`; TWS_NOMEM. Moves nothing out of `s`. */
TWS_MUST_USE tws_err tws_client_config_new(const struct tws_settings *s, struct tws_diag *diag,
                                           struct tws_client_config **out);
void tws_client_config_free(struct tws_client_config *c);

/* The same for the server; reads the keys file. */
TWS_MUST_USE tws_err tws_server_config_new(const struct tws_settings *s, struct tws_diag *diag,
                                           struct tws_server_config **out);
void tws_server_config_free(struct tws_server_config *c);

/* The users of a keys file, added to *users. TWS_CONFIG: said why; TWS_NOMEM. */
struct tws_users {
    struct tws_user *users;
    size_t n;
};
TWS_MUST_USE tws_err tws_users_read(const char *where, const char *path, struct tws_diag *diag,
                                    struct tws_users *out);
TWS_MUST_USE tws_err tws_users_read_yaml(const char *path, const char *bytes, size_t n,
                                         struct tws_diag *diag, struct tws_users *out);
void tws_users_free(struct tws_user *users, size_t n);

/* A server's URL taken apart. TWS_ABSENT: `why` says what is wrong with it. TWS_NOMEM. */
struct tws_url {
    bool tls;
    struct tws_hostport server;
    char *path; /* owned; with query */
};
TWS_MUST_USE tws_err tws_url_parse(const char *text, struct tws_url *out, const char **why);

/*
 * The proxy that the environment names for the server, by curl's rules: https_proxy or HTTPS_PROXY
 * with TLS, http_proxy (lower case only: a CGI's HTTP_PROXY comes from a stranger) without, else
 * all_proxy or ALL_PROXY; none for what no_proxy or NO_PROXY lists. *out is owned, NULL without.
 * TWS_NOMEM.
 */
TWS_MUST_USE tws_err tws_proxy_from_env(bool tls, const struct tws_hostport *server, char **out);
/* What is wrong with a proxy's URL, or NULL. */
const char *tws_proxy_check(const char *text);

#endif
