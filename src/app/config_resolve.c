/*
 * config_resolve.c - addresses that are given for names, as curl's --resolve has it; see config.h.
 *
 *      example.com:443:192.0.2.7[,2001:db8::7]    [::1]:443:192.0.2.7    *:443:192.0.2.7
 *      192.0.2.7[,...]                            of every server
 */
#include "config_priv.h"

#include "tws/app/value.h"
#include "tws/base/secret.h"
#include "tws/proto/proxy_url.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

struct entry {
    bool any; /* of every server, of none of the proxies */
    struct tws_hostport of;
    struct tws_addresses at;
};

/* "a[,b...]", of which n characters count. */
static bool parse_addresses(const char *text, struct tws_addresses *out)
{
    char word[TWS_IP_TEXT + 2];

    out->n = 0;
    while (out->n < TWS_UPGRADE_IPS) {
        size_t n = strcspn(text, ","), strip = 0;

        if (n == 0 || n >= sizeof word)
            return false;
        memcpy(word, text, n);
        word[n] = '\0';
        if (word[0] == '[' && word[n - 1] == ']') {
            word[n - 1] = '\0';
            strip = 1;
        }
        if (tws_ip_parse(word + strip, &out->ips[out->n]) != TWS_OK)
            return false;
        out->n++;
        if (text[n] == '\0')
            return true;
        text += n + 1;
    }
    return false;
}

/* Behind "host:port" in "host:port:...", or NULL. */
static const char *find_addresses(const char *text)
{
    const char *host_end = text[0] == '[' ? strchr(text, ']') : text;
    const char *colon = host_end != NULL ? strchr(host_end, ':') : NULL;

    colon = colon != NULL ? strchr(colon + 1, ':') : NULL;
    return colon != NULL ? colon + 1 : NULL;
}

static bool parse(const char *text, struct entry *e)
{
    const char *addresses = find_addresses(text);
    char of[TWS_HOSTPORT_TEXT];
    size_t n = 0;

    memset(e, 0, sizeof *e);
    e->any = parse_addresses(text, &e->at);
    if (e->any)
        return true;
    n = addresses != NULL ? (size_t)(addresses - text) - 1 : 0;
    if (n == 0 || n >= sizeof of)
        return false;
    memcpy(of, text, n);
    of[n] = '\0';
    return tws_hostport_parse(of, &e->of) == TWS_OK && e->of.port != 0 &&
           parse_addresses(addresses, &e->at);
}

static bool is_for(const struct entry *e, const struct tws_hostport *hp)
{
    return e->of.port == hp->port &&
           (e->of.host[0] == '\0' || strcasecmp(e->of.host, hp->host) == 0);
}

/* Whether the entry was of use. */
static bool apply(const struct entry *e, struct tws_endpoint *to)
{
    struct tws_proxy_url url;
    const char *why = NULL;
    bool used = e->any || is_for(e, &to->server);

    if (used)
        to->at = e->at;
    if (e->any || to->proxy == NULL || tws_proxy_url_parse(to->proxy, &url, &why) != TWS_OK)
        return used;
    if (is_for(e, &url.address)) {
        to->proxy_at = e->at;
        used = true;
    }
    tws_wipe(&url, sizeof url);
    return used;
}

void tws_config_take_resolve(const struct tws_settings *s, struct tws_diag *diag,
                             struct tws_client_config *c)
{
    char *const *list = s->resolve.p;
    char found[TWS_FOUND];
    struct entry e;

    for (size_t i = 0; i < s->resolve.n; i++) {
        bool used = false;

        tws_value_found(NULL, list[i], found, sizeof found);
        if (!parse(list[i], &e)) {
            tws_config_error(s, diag, "resolve",
                             "resolve: found %s, expected host:port:address[,address...], at "
                             "most %d addresses",
                             found, TWS_UPGRADE_IPS);
            continue;
        }
        for (size_t k = 0; k < c->nservers; k++)
            used = apply(&e, &c->servers[k]) || used;
        if (!used)
            tws_config_error(s, diag, "resolve", "resolve: %s is for no server and no proxy here",
                             found);
    }
}
