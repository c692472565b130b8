/* config_servers.c - the client's servers, and the way to each; see config.h. */
#include "config_priv.h"

#include "tws/base/secret.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- one server ---- */

static tws_err take_url(const struct tws_settings *s, struct tws_diag *diag, const char *key,
                        const char *text, struct tws_endpoint *out)
{
    struct tws_url url = {0};
    const char *why = NULL;
    tws_err err = tws_url_parse(text, &url, &why);

    if (err == TWS_ABSENT) {
        tws_config_error(s, diag, key, "%s: found \"%.80s\", %s", key, text, why);
        return TWS_OK;
    }
    out->tls = url.tls;
    out->server = url.server;
    out->path = url.path;
    return err;
}

static tws_err take_proxy(const struct tws_settings *s, struct tws_diag *diag,
                          struct tws_endpoint *out)
{
    const char *why = NULL;
    tws_err err = TWS_OK;

    if (s->proxy == NULL)
        err = tws_proxy_from_env(out->tls, &out->server, &out->proxy);
    else if (*s->proxy != '\0' && strcmp(s->proxy, "none") != 0)
        err = tws_config_copy(s->proxy, &out->proxy);
    if (err != TWS_OK || out->proxy == NULL)
        return err;
    why = tws_proxy_check(out->proxy);
    if (why != NULL && s->proxy != NULL)
        tws_config_error(s, diag, "proxy", "proxy: %s", why);
    else if (why != NULL)
        tws_diag_error(diag, "the proxy in the environment: %s; or set proxy: none", why);
    return TWS_OK;
}

static tws_err add_server(const struct tws_settings *s, struct tws_diag *diag, const char *key,
                          const char *text, struct tws_client_config *c)
{
    struct tws_endpoint *e = &c->servers[c->nservers++];
    tws_err err = take_url(s, diag, key, text, e);

    if (err == TWS_OK && e->path != NULL)
        err = take_proxy(s, diag, e);
    return err;
}

/* ---- all ---- */

static void judge_list(const struct tws_settings *s, struct tws_diag *diag)
{
    char *const *list = s->servers.p;

    if (s->servers.n > TWS_SERVERS_MAX)
        tws_config_error(s, diag, "servers", "servers: found %zu, expected at most %u",
                         s->servers.n, TWS_SERVERS_MAX);
    for (size_t i = 0; i < s->servers.n; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(list[i], list[j]) == 0)
                tws_config_error(s, diag, "servers", "servers: found \"%.80s\" twice", list[i]);
}

static tws_err add_list(const struct tws_settings *s, struct tws_diag *diag,
                        struct tws_client_config *c)
{
    char *const *list = s->servers.p;
    tws_err err = TWS_OK;

    judge_list(s, diag);
    if (s->servers.n == 0)
        tws_config_error(s, diag, "servers", "servers is an empty list: give at least one URL");
    for (size_t i = 0; i < s->servers.n && err == TWS_OK; i++)
        err = add_server(s, diag, "servers", list[i], c);
    return err;
}

static tws_err add_servers(const struct tws_settings *s, struct tws_diag *diag,
                           struct tws_client_config *c)
{
    if (s->server != NULL && tws_config_given(s, "servers"))
        tws_config_error(s, diag, "servers", "both server and servers are given: give one");
    else if (tws_config_given(s, "servers"))
        return add_list(s, diag, c);
    else if (s->server == NULL)
        tws_config_error(s, diag, "server", "server is missing: the server's URL, wss://host/path");
    else
        return add_server(s, diag, "server", s->server, c);
    return TWS_OK;
}

static bool is_here(const char *host)
{
    struct tws_ip ip;

    if (tws_ip_parse(host, &ip) == TWS_OK)
        return tws_ip_is_loopback(&ip);
    return strcasecmp(host, "localhost") == 0;
}

/* Without TLS nobody but us keeps a stranger on the way from reading along. */
static void choose_encryption(const struct tws_settings *s, struct tws_client_config *c)
{
    for (size_t i = 0; i < c->nservers; i++)
        if (s->encrypt == TWS_ENCRYPT_UNSET && !c->servers[i].tls &&
            !is_here(c->servers[i].server.host))
            c->link.encrypt = TWS_ENCRYPT_REQUIRE;
}

tws_err tws_config_take_servers(const struct tws_settings *s, struct tws_diag *diag,
                                struct tws_client_config *c)
{
    tws_err err = TWS_OK;

    c->balance = (enum tws_balance)(s->balance - 1);
    c->servers = calloc(s->servers.n + 1, sizeof *c->servers);
    if (c->servers == NULL)
        return TWS_NOMEM;
    err = add_servers(s, diag, c);
    tws_config_take_resolve(s, diag, c);
    choose_encryption(s, c);
    return err;
}

void tws_config_free_servers(struct tws_client_config *c)
{
    for (size_t i = 0; i < c->nservers; i++) {
        struct tws_endpoint *e = &c->servers[i];

        if (e->proxy != NULL)
            tws_wipe(e->proxy, strlen(e->proxy));
        free(e->proxy);
        free(e->path);
    }
    free(c->servers);
}
