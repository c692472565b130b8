/* config_server.c - the server's configuration; see config.h. */
#include "access_priv.h"
#include "config_priv.h"
#include "rules_priv.h"

#include "tws/app/key.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PASSPHRASE_USER "passwd" /* the name of clients with the passphrase in the log */

static tws_err take_listen_rules(const struct tws_settings *s, struct tws_diag *diag,
                                 struct tws_user *u)
{
    tws_err err = tws_rules_copy(&s->allow_listen, &u->listen, &u->nlisten);
    const char *wrong = err == TWS_OK ? tws_rules_not_to_listen(u->listen, u->nlisten) : NULL;

    if (wrong != NULL)
        tws_config_error(s, diag, "allow_listen",
                         "allow_listen: found \"%.80s\", expected an address of this machine, a "
                         "network or localhost, each with ports, or unix:/path",
                         wrong);
    return err;
}

static tws_err add_passphrase_user(const struct tws_settings *s, struct tws_diag *diag,
                                   struct tws_users *users)
{
    struct tws_user *grown = realloc(users->users, (users->n + 1) * sizeof *grown);
    struct tws_user *u = NULL;
    char place[TWS_PLACE];
    tws_err err = TWS_OK;

    if (grown == NULL)
        return TWS_NOMEM;
    users->users = grown;
    u = &grown[users->n++];
    *u = (struct tws_user){.allow_all = s->allow.n == 0,
                           .max_sessions = s->max_sessions,
                           .max_listens = s->max_listens,
                           .tun_pool = s->tun.n > 0,
                           .rate = s->rate};
    (void)tws_access_parse(NULL, NULL, &u->listen_access);
    tws_settings_place(s, "passwd", place, sizeof place);
    tws_config_judge_passwd(s, diag);
    if (u->allow_all)
        tws_diag_warn(diag,
                      "%swhoever has the passphrase reaches every target this machine reaches: set "
                      "allow, or give each user a key (keys_file)",
                      place);
    err = tws_config_copy(PASSPHRASE_USER, &u->name);
    if (err == TWS_OK)
        err = tws_rules_copy(&s->allow, &u->allow, &u->nallow);
    if (err == TWS_OK)
        err = take_listen_rules(s, diag, u);
    if (err == TWS_OK)
        err = tws_key_of_passphrase(place, s->passwd, &u->key, diag);
    return err;
}

static void refuse_rules_of_nobody(const struct tws_settings *s, struct tws_diag *diag)
{
    if (s->allow.n > 0)
        tws_config_error(
            s, diag, "allow",
            "allow is for clients with the passphrase (passwd), and there is none; users "
            "have their own in the keys file");
    if (s->allow_listen.n > 0)
        tws_config_error(s, diag, "allow_listen",
                         "allow_listen is for clients with the passphrase (passwd), and there is "
                         "none; users have their own `listen` in the keys file");
}

static tws_err take_users(const struct tws_settings *s, struct tws_diag *diag,
                          struct tws_server_config *c)
{
    struct tws_users users = {0};
    char place[TWS_PLACE];
    tws_err err = TWS_OK;

    tws_settings_place(s, "keys_file", place, sizeof place);
    if (s->keys_file != NULL)
        err = tws_users_read(place, s->keys_file, diag, &users);
    else if (s->passwd == NULL)
        tws_config_error(s, diag, "keys_file", "nobody could connect: give keys_file or passwd");
    if ((err == TWS_OK || err == TWS_CONFIG) && s->passwd != NULL)
        err = add_passphrase_user(s, diag, &users);
    else if (err == TWS_OK)
        refuse_rules_of_nobody(s, diag);
    c->users = users.users;
    c->nusers = users.n;
    return err == TWS_CONFIG ? TWS_OK : err; /* said already; go on to find more */
}

/* Why the directory cannot be served; 0: it can. */
static int folder_error(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return errno;
    if (!S_ISDIR(st.st_mode))
        return ENOTDIR;
    return access(path, R_OK | X_OK) != 0 ? errno : 0;
}

static void check_decoy(const struct tws_settings *s, struct tws_diag *diag)
{
    int error;

    if (s->decoy == NULL || strncmp(s->decoy, "http://", 7) == 0)
        return;
    if (s->decoy[0] != '/') {
        tws_config_error(
            s, diag, "decoy",
            "decoy: found \"%.80s\", expected an absolute directory or http://host:port", s->decoy);
        return;
    }
    error = folder_error(s->decoy);
    if (error != 0)
        tws_config_error(s, diag, "decoy", "decoy %s: %s", s->decoy, strerror(error));
}

static tws_err take_site(const struct tws_settings *s, struct tws_diag *diag,
                         struct tws_server_config *c)
{
    tws_err err = tws_config_copy(s->path, &c->path);

    if (s->path != NULL && s->path[0] != '/')
        tws_config_error(s, diag, "path", "path: found \"%.80s\", expected a path such as /tws",
                         s->path);
    check_decoy(s, diag);
    if (err == TWS_OK)
        err = tws_config_copy(s->decoy, &c->decoy);
    return err;
}

static tws_err take_tls(const struct tws_settings *s, struct tws_diag *diag,
                        struct tws_server_config *c)
{
    tws_err err = tws_config_take_identity(s, diag, &c->tls.cert_file, &c->tls.cert_key_file);

    c->tls.tls13 = s->tls_min == TWS_TLS_MIN_13;
    if (s->client_ca_file != NULL && s->cert_file == NULL)
        tws_config_error(
            s, diag, "client_ca_file",
            "client_ca_file: without TLS no client shows a certificate: set cert_file");
    else if (s->client_ca_file != NULL && access(s->client_ca_file, R_OK) != 0)
        tws_config_error(s, diag, "client_ca_file", "client_ca_file %s: %s", s->client_ca_file,
                         strerror(errno));
    return err == TWS_OK ? tws_config_copy(s->client_ca_file, &c->tls.client_ca_file) : err;
}

static tws_err take_proxies(const struct tws_settings *s, struct tws_server_config *c)
{
    size_t bytes = s->trusted_proxies.n * sizeof *c->trusted_proxies;

    if (bytes == 0)
        return TWS_OK;
    c->trusted_proxies = malloc(bytes);
    if (c->trusted_proxies == NULL)
        return TWS_NOMEM;
    memcpy(c->trusted_proxies, s->trusted_proxies.p, bytes);
    c->ntrusted_proxies = s->trusted_proxies.n;
    return TWS_OK;
}

static void take_listen(const struct tws_settings *s, struct tws_diag *diag,
                        struct tws_server_config *c)
{
    const char *why = tws_access_parse(s->listen_mode, s->listen_owner, &c->access);
    bool has_file = s->listen.type == TWS_SPOT_UNIX && s->listen.name[0] == '/';

    c->listen = s->listen;
    c->activation = s->activation;
    if (s->listen.type == TWS_SPOT_NONE)
        tws_config_error(s, diag, "listen",
                         "listen is missing: where to accept clients, such as "
                         "127.0.0.1:5202");
    else if (s->listen.type == TWS_SPOT_INET &&
             (s->listen.port == 0 || s->listen.last != s->listen.port))
        tws_config_error(s, diag, "listen",
                         "listen: the server listens on one port from 1 to 65535");
    if (why != NULL)
        tws_config_error(s, diag, "listen", "%s", why);
    else if (!has_file && (s->listen_mode != NULL || s->listen_owner != NULL))
        tws_config_error(s, diag, "listen",
                         "listen_mode and listen_owner are for listen: unix:/path only");
}

static tws_err fill(const struct tws_settings *s, struct tws_diag *diag,
                    struct tws_server_config *c)
{
    tws_err err = TWS_OK;

    take_listen(s, diag, c);
    c->connect_timeout_ms = s->connect_timeout_ms;
    tws_config_fill_limits(s, &c->link);
    err = take_site(s, diag, c);
    if (err == TWS_OK)
        err = take_tls(s, diag, c);
    if (err == TWS_OK)
        err = take_proxies(s, c);
    if (err == TWS_OK)
        err = tws_config_take_hub(s, diag, c);
    if (err == TWS_OK)
        err = take_users(s, diag, c);
    if (err == TWS_OK)
        err = tws_config_take_egress(s, diag, c);
    return err;
}

tws_err tws_server_config_new(const struct tws_settings *s, struct tws_diag *diag,
                              struct tws_server_config **out)
{
    struct tws_server_config *c = calloc(1, sizeof *c);
    unsigned errors = diag->errors;
    tws_err err = TWS_OK;

    if (c == NULL)
        return TWS_NOMEM;
    err = tws_config_verdict(fill(s, diag, c), diag, errors);
    if (err == TWS_OK)
        *out = c;
    else
        tws_server_config_free(c);
    return err;
}

void tws_server_config_free(struct tws_server_config *c)
{
    if (c == NULL)
        return;
    tws_users_free(c->users, c->nusers);
    free(c->path);
    free(c->decoy);
    free(c->tls.cert_file);
    free(c->tls.cert_key_file);
    free(c->tls.client_ca_file);
    free(c->trusted_proxies);
    tws_config_free_egress(c);
    tws_config_free_tun(c->tun);
    free(c);
}
