/* config_client.c - the client's configuration; see config.h. */
#include "config_priv.h"

#include "tws/app/key.h"
#include "tws/base/secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FALLBACK_NAME "client"

static tws_err take_key(const struct tws_settings *s, struct tws_diag *diag,
                        struct tws_client_config *c)
{
    char place[TWS_PLACE];
    tws_err err = TWS_OK;

    if (s->key_file != NULL && s->passwd != NULL) {
        tws_config_error(s, diag, "passwd", "both key_file and passwd are given: give one");
    } else if (s->key_file != NULL) {
        tws_settings_place(s, "key_file", place, sizeof place);
        err = tws_key_file_read(place, s->key_file, &c->key, diag);
    } else if (s->passwd != NULL) {
        tws_settings_place(s, "passwd", place, sizeof place);
        tws_config_judge_passwd(s, diag);
        err = tws_key_of_passphrase(place, s->passwd, &c->key, diag);
    } else {
        tws_config_error(s, diag, "key_file",
                         "no key: give key_file (made by tws keygen) or the server's passwd, or "
                         "set TWS_KEY_FILE or TWS_PASSWD");
    }
    return err == TWS_CONFIG ? TWS_OK : err; /* said already; go on to find more */
}

/* Stdin and stdout are all that it serves: one of many, which come and go beside each other. */
static bool is_brief(const struct tws_client_config *c)
{
    return c->stdio.type != TWS_SPOT_NONE && c->nforwards == 0 && c->nreverses == 0;
}

/* A new session ends those of the same name that have no link just now: they would be its
 * predecessors. A brief client succeeds nobody, so its name is nobody else's. */
static tws_err take_name(const struct tws_settings *s, struct tws_client_config *c)
{
    char host[65] = "", name[65];
    const char *given = s->name;

    if (given == NULL && gethostname(host, sizeof host - 1) == 0 && host[0] != '\0')
        given = host;
    if (given == NULL)
        given = FALLBACK_NAME;
    if (!is_brief(c))
        return tws_config_copy(given, &c->name);
    (void)snprintf(name, sizeof name, "%.48s/%ld", given, (long)getpid());
    return tws_config_copy(name, &c->name);
}

static tws_err fill(const struct tws_settings *s, struct tws_diag *diag,
                    struct tws_client_config *c)
{
    tws_err err = TWS_OK;

    c->activation = s->activation;
    c->retry_timeout_ms = s->retry_timeout_ms;
    c->connect_timeout_ms = s->connect_timeout_ms;
    tws_config_fill_limits(s, &c->link);
    err = tws_config_take_servers(s, diag, c);
    if (err == TWS_OK)
        err = tws_config_take_uplinks(s, diag, c);
    if (err == TWS_OK)
        err = tws_config_take_forwards(s, diag, c);
    if (err == TWS_OK)
        err = take_key(s, diag, c);
    if (err == TWS_OK)
        err = take_name(s, c);
    if (err == TWS_OK)
        err = tws_config_take_outbound(s, diag, c);
    if (err == TWS_OK)
        tws_config_warn_names(c, diag);
    return err;
}

tws_err tws_client_config_new(const struct tws_settings *s, struct tws_diag *diag,
                              struct tws_client_config **out)
{
    struct tws_client_config *c = calloc(1, sizeof *c);
    unsigned errors = diag->errors;
    tws_err err = TWS_OK;

    if (c == NULL)
        return TWS_NOMEM;
    err = tws_config_verdict(fill(s, diag, c), diag, errors);
    if (err == TWS_OK)
        *out = c;
    else
        tws_client_config_free(c);
    return err;
}

void tws_client_config_free(struct tws_client_config *c)
{
    if (c == NULL)
        return;
    tws_wipe(&c->key, sizeof c->key);
    tws_config_free_servers(c);
    tws_config_free_uplinks(c);
    tws_outbound_fini(&c->outbound);
    free(c->name);
    tws_config_free_forwards(c);
    free(c);
}
