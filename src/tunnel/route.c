/* route.c - see client_handshake_priv.h: where the server is, as a value of its own. */
#include "client_handshake_priv.h"

#include "tws/base/secret.h"
#include "tws/base/text.h"

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
        .tls = e->tls, .server = e->server, .at = e->at, .proxy_at = e->proxy_at, .key = cfg->key};
    if (copy_text(e->path, &out->path) && copy_text(e->proxy, &out->proxy) &&
        copy_text(cfg->name, &out->name) &&
        tws_outbound_copy(&cfg->outbound, &out->outbound) == TWS_OK)
        return TWS_OK;
    tws_route_fini(out);
    return TWS_NOMEM;
}

static bool same_addresses(const struct tws_addresses *a, const struct tws_addresses *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!tws_ip_equal(&a->ips[i], &b->ips[i]))
            return false;
    return true;
}

bool tws_route_is(const struct tws_route *r, const struct tws_client_config *cfg,
                  const struct tws_endpoint *e)
{
    return r->tls == e->tls && r->server.port == e->server.port &&
           tws_text_equal(r->server.host, e->server.host) && tws_text_equal(r->path, e->path) &&
           tws_text_equal(r->proxy, e->proxy) && same_addresses(&r->at, &e->at) &&
           same_addresses(&r->proxy_at, &e->proxy_at) &&
           tws_outbound_equal(&r->outbound, &cfg->outbound) && tws_text_equal(r->name, cfg->name) &&
           memcmp(r->key.id, cfg->key.id, sizeof r->key.id) == 0 &&
           tws_equal_secret(r->key.psk, cfg->key.psk, sizeof r->key.psk);
}

void tws_route_fini(struct tws_route *r)
{
    if (r->proxy != NULL)
        tws_wipe(r->proxy, strlen(r->proxy));
    free(r->path);
    free(r->proxy);
    tws_outbound_fini(&r->outbound);
    free(r->name);
    tws_wipe(r, sizeof *r);
}
