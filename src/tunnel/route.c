/* route.c - see client_handshake_priv.h: where the server is, as a value of its own. */
#include "client_handshake_priv.h"

#include "tws/base/secret.h"

#include <stdlib.h>
#include <string.h>

static bool copy_text(const char *from, char **to)
{
    *to = from != NULL ? strdup(from) : NULL;
    return from == NULL || *to != NULL;
}

tws_err tws_route_copy(const struct tws_client_config *cfg, const struct tws_endpoint *e,
                       struct tws_route *out)
{
    *out = (struct tws_route){
        .tls = e->tls, .insecure = cfg->insecure, .server = e->server, .key = cfg->key};
    if (copy_text(e->path, &out->path) && copy_text(e->proxy, &out->proxy) &&
        copy_text(cfg->ca_file, &out->ca_file) && copy_text(cfg->name, &out->name))
        return TWS_OK;
    tws_route_fini(out);
    return TWS_NOMEM;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool tws_route_is(const struct tws_route *r, const struct tws_client_config *cfg,
                  const struct tws_endpoint *e)
{
    return r->tls == e->tls && r->insecure == cfg->insecure && r->server.port == e->server.port &&
           same_text(r->server.host, e->server.host) && same_text(r->path, e->path) &&
           same_text(r->proxy, e->proxy) && same_text(r->ca_file, cfg->ca_file) &&
           same_text(r->name, cfg->name) && memcmp(r->key.id, cfg->key.id, sizeof r->key.id) == 0 &&
           tws_equal_secret(r->key.psk, cfg->key.psk, sizeof r->key.psk);
}

void tws_route_fini(struct tws_route *r)
{
    free(r->path);
    free(r->proxy);
    free(r->ca_file);
    free(r->name);
    tws_wipe(r, sizeof *r);
}
