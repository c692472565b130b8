/* config_egress.c - how the server goes out; see config.h. */
#include "config_priv.h"

#include "tws/base/secret.h"
#include "tws/net/connector.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a record is judged with. */
struct job {
    const struct tws_settings *s;
    struct tws_diag *diag;
    const struct tws_egress_settings *from;
    struct tws_outlet *to;
};

__attribute__((format(printf, 2, 3))) static void complain(const struct job *j, const char *fmt,
                                                           ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    tws_diag_error(j->diag, "%s:%u: egress: %s", j->s->config, j->from->line, text);
}

static tws_err take_targets(const struct job *j)
{
    const struct tws_rule *rules = j->from->to.p;
    size_t n = j->from->to.n;

    j->to->to = calloc(n + 1, sizeof *j->to->to);
    if (j->to->to == NULL)
        return TWS_NOMEM;
    for (size_t i = 0; i < n; i++) {
        j->to->to[i] = rules[i];
        j->to->to[i].name = NULL;
        j->to->nto++;
        if (tws_config_copy(rules[i].name, &j->to->to[i].name) != TWS_OK)
            return TWS_NOMEM;
    }
    return TWS_OK;
}

static tws_err take_clients(const struct job *j)
{
    size_t bytes = j->from->from.n * sizeof *j->to->from;

    if (bytes == 0)
        return TWS_OK;
    j->to->from = malloc(bytes);
    if (j->to->from == NULL)
        return TWS_NOMEM;
    memcpy(j->to->from, j->from->from.p, bytes);
    j->to->nfrom = j->from->from.n;
    return TWS_OK;
}

static tws_err take_bind(const struct job *j)
{
    const char *bind = j->from->bind;

    if (bind == NULL || tws_ip_parse(bind, &j->to->bind) == TWS_OK)
        return TWS_OK;
    if (strlen(bind) > TWS_CONNECT_INTERFACE || strpbrk(bind, ":/ ") != NULL)
        complain(j, "bind: found \"%s\", expected an address or a network device such as eth1",
                 bind);
    return tws_config_copy(bind, &j->to->interface);
}

static tws_err take_via(const struct job *j)
{
    const char *why = NULL;

    if (j->from->via == NULL)
        return TWS_OK;
    j->to->via = calloc(1, sizeof *j->to->via);
    if (j->to->via == NULL)
        return TWS_NOMEM;
    if (tws_proxy_url_parse(j->from->via, j->to->via, &why) != TWS_OK)
        complain(j, "via: %s", why);
    return TWS_OK;
}

static void take_instead(const struct job *j, const char *key, uint8_t family,
                         const struct tws_hostport *from, struct tws_ip_port *to)
{
    if (from->port == 0)
        return;
    bool is_ip = tws_ip_parse(from->host, &to->ip) == TWS_OK;
    to->ip = tws_ip_unmap(to->ip);
    if (!is_ip || to->ip.family != family)
        complain(j, "%s: found the host \"%.64s\", expected an IPv%u address", key, from->host,
                 family);
    to->port = from->port;
}

static void judge_together(const struct job *j)
{
    const struct tws_outlet *o = j->to;

    if (o->spoof && o->bind.family != 0)
        complain(j, "spoof and bind with an address: a connection starts at one of them only");
    if (o->spoof && o->via != NULL)
        complain(j, "spoof and via: the proxy connects from its own address");
    if (o->via != NULL && (o->ipv4.port != 0 || o->ipv6.port != 0))
        complain(j, "via and ipv4 or ipv6: give the proxy's target, or none");
}

static tws_err take_outlet(const struct job *j)
{
    tws_err err = take_targets(j);

    j->to->send_proxy = (enum tws_send_proxy)j->from->send_proxy;
    j->to->spoof = j->from->spoof;
    j->to->mark = j->from->mark;
    if (err == TWS_OK)
        err = take_clients(j);
    if (err == TWS_OK)
        err = take_bind(j);
    if (err == TWS_OK)
        err = take_via(j);
    take_instead(j, "ipv4", 4, &j->from->ipv4, &j->to->ipv4);
    take_instead(j, "ipv6", 6, &j->from->ipv6, &j->to->ipv6);
    judge_together(j);
    return err;
}

tws_err tws_config_take_egress(const struct tws_settings *s, struct tws_diag *diag,
                               struct tws_server_config *c)
{
    const struct tws_egress_settings *list = s->egress.p;
    tws_err err = TWS_OK;

    c->outlets = calloc(s->egress.n + 1, sizeof *c->outlets);
    if (c->outlets == NULL)
        return TWS_NOMEM;
    for (size_t i = 0; i < s->egress.n && err == TWS_OK; i++) {
        const struct job j = {s, diag, &list[i], &c->outlets[i]};
        c->noutlets++;
        err = take_outlet(&j);
    }
    return err;
}

static void free_outlet(struct tws_outlet *o)
{
    for (size_t i = 0; i < o->nto; i++)
        free(o->to[i].name);
    free(o->to);
    free(o->from);
    free(o->interface);
    if (o->via != NULL)
        tws_wipe(o->via, sizeof *o->via);
    free(o->via);
}

void tws_config_free_egress(struct tws_server_config *c)
{
    for (size_t i = 0; i < c->noutlets; i++)
        free_outlet(&c->outlets[i]);
    free(c->outlets);
}
