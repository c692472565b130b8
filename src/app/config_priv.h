/* config_priv.h - what the client's and the server's configuration share. */
#ifndef TWS_SRC_APP_CONFIG_PRIV_H
#define TWS_SRC_APP_CONFIG_PRIV_H

#include "tws/app/config.h"

/* strdup(3) of `text` into *out; NULL stays NULL. TWS_NOMEM. */
TWS_MUST_USE tws_err tws_config_copy(const char *text, char **out);
/* The client's servers, with the proxies on the way; whether sealing is a must follows. Uses the
 * limits that are there already. Complains to `diag` and goes on; TWS_NOMEM. */
TWS_MUST_USE tws_err tws_config_take_servers(const struct tws_settings *s, struct tws_diag *diag,
                                             struct tws_client_config *c);
void tws_config_free_servers(struct tws_client_config *c);
/* The same for its uplinks and the schedule. */
TWS_MUST_USE tws_err tws_config_take_uplinks(const struct tws_settings *s, struct tws_diag *diag,
                                             struct tws_client_config *c);
void tws_config_free_uplinks(struct tws_client_config *c);
/* The same for its forwards. */
TWS_MUST_USE tws_err tws_config_take_forwards(const struct tws_settings *s, struct tws_diag *diag,
                                              struct tws_client_config *c);
/* A forward's trusted networks, of the list and of the file, into `out`. The same. */
TWS_MUST_USE tws_err tws_config_take_trusted(const struct tws_settings *s, struct tws_diag *diag,
                                             const struct tws_forward_settings *f,
                                             struct tws_forward *out);
/* What is wrong with a record's keys for IP links, or NULL. */
const char *tws_config_judge_tun(const struct tws_forward_settings *f, bool is_tun);
/* The IP link of a record. TWS_NOMEM. */
TWS_MUST_USE tws_err tws_config_take_tun(const struct tws_forward_settings *f,
                                         struct tws_tun_config **out);
/* NULL is fine. */
void tws_config_free_tun(struct tws_tun_config *t);
/* The server's end of IP links. Complains to `diag` and goes on; TWS_NOMEM. */
TWS_MUST_USE tws_err tws_config_take_hub(const struct tws_settings *s, struct tws_diag *diag,
                                         struct tws_server_config *c);
/* What a user may have of them. Complains to `diag` and goes on; TWS_NOMEM. */
TWS_MUST_USE tws_err tws_config_take_grants(const char *path, const struct tws_user_settings *from,
                                            struct tws_diag *diag, struct tws_user *to);
void tws_config_free_forwards(struct tws_client_config *c);
/* How it shows itself to the servers, which are there, and what it demands of them. */
TWS_MUST_USE tws_err tws_config_take_outbound(const struct tws_settings *s, struct tws_diag *diag,
                                              struct tws_client_config *c);
/* Addresses for names: of the servers and proxies that are there. */
void tws_config_take_resolve(const struct tws_settings *s, struct tws_diag *diag,
                             struct tws_client_config *c);
/* The paths of cert_file and cert_key_file, which are tried; NULL where not given. Owned by the
 * caller. Complains to `diag` and goes on; TWS_NOMEM. */
TWS_MUST_USE tws_err tws_config_take_identity(const struct tws_settings *s, struct tws_diag *diag,
                                              char **cert, char **key);

/* Of a forward of the kind transparent: false, and `why` says what is wrong with it; `c` has the
 * forwards before it. */
#define TWS_CONFIG_WHY 256
bool tws_config_judge_transparent(const struct tws_client_config *c,
                                  const struct tws_forward_settings *f, char why[TWS_CONFIG_WHY]);
/* What such a forward has beyond the others. TWS_NOMEM: *out is to be freed as if it were whole. */
TWS_MUST_USE tws_err tws_config_take_transparent(struct tws_client_config *c,
                                                 struct tws_forward *out,
                                                 const struct tws_forward_settings *f);
/* Warns if forwards of this machine catch what asks for the servers' names. */
void tws_config_warn_names(const struct tws_client_config *c, struct tws_diag *diag);
/* The same by the text of a resolv.conf(5). */
void tws_config_judge_names(const struct tws_client_config *c, const char *resolv_conf,
                            struct tws_diag *diag);
/* Whether the row `name` was written somewhere, and is not the default. */
bool tws_config_given(const struct tws_settings *s, const char *name);
/* The rows that both ends have. */
void tws_config_fill_limits(const struct tws_settings *s, struct tws_link_limits *out);
/* What is wrong with how `passwd` was given: warnings only. */
void tws_config_judge_passwd(const struct tws_settings *s, struct tws_diag *diag);
/* What a constructor that went on after complaints returns: TWS_CONFIG if there were any since
 * `diag` had `errors_before`, else `err`. */
TWS_MUST_USE tws_err tws_config_verdict(tws_err err, const struct tws_diag *diag,
                                        unsigned errors_before);
/* An error about the row `name`, with its place. */
__attribute__((format(printf, 4, 5))) void tws_config_error(const struct tws_settings *s,
                                                            struct tws_diag *diag, const char *name,
                                                            const char *fmt, ...);

/* config_egress.c. TWS_NOMEM. */
TWS_MUST_USE tws_err tws_config_take_egress(const struct tws_settings *s, struct tws_diag *diag,
                                            struct tws_server_config *c);
void tws_config_free_egress(struct tws_server_config *c);

#endif
