/* config_tun.c - IP links, of both sides; see config.h. */
#include "config_priv.h"

#include "tws/base/text.h"

#include <stdlib.h>
#include <string.h>

#define MTU_V6    1280u
#define ADDRESSES 16u

/* ---- values ---- */

static tws_err copy_items(const struct tws_items *from, size_t size, void *out, size_t *n)
{
    void *copy = NULL;

    if (from->n > 0) {
        copy = malloc(from->n * size);
        if (copy == NULL)
            return TWS_NOMEM;
        memcpy(copy, from->p, from->n * size);
    }
    memcpy(out, &copy, sizeof copy);
    *n = from->n;
    return TWS_OK;
}

void tws_config_free_tun(struct tws_tun_config *t)
{
    if (t == NULL)
        return;
    free(t->device);
    free(t->addresses);
    free(t->routes);
    free(t->behind);
    free(t->sources);
    free(t->exclude);
    free(t->dns);
    free(t);
}

/* What is wrong with an end, or NULL. */
static const char *judge(const char *device, const struct tws_items *address, uint32_t mtu)
{
    const struct tws_prefix *list = address->p;

    if (device != NULL &&
        (strpbrk(device, "/ %:") != NULL || strcmp(device, ".") == 0 || strcmp(device, "..") == 0))
        return "device: a name of letters, digits, dashes, dots and underscores is expected";
    if (address->n > ADDRESSES)
        return "address: at most 16";
    for (size_t i = 0; i < address->n; i++) {
        const struct tws_ip *ip = &list[i].ip;

        if (tws_ip_is_unspecified(ip) || tws_ip_is_multicast(ip) || tws_ip_is_loopback(ip))
            return "address: no host can have this one";
        if (ip->family == 6 && mtu < MTU_V6)
            return "mtu: IPv6 needs at least 1280";
    }
    return NULL;
}

/* ---- the client ---- */

static tws_err fill(const struct tws_forward_settings *f, struct tws_tun_config *t)
{
    tws_err err = tws_config_copy(f->device, &t->device);

    t->mtu = f->mtu;
    t->all = f->all;
    if (err == TWS_OK)
        err = copy_items(&f->address, sizeof *t->addresses, &t->addresses, &t->naddresses);
    if (err == TWS_OK)
        err = copy_items(&f->routes, sizeof *t->routes, &t->routes, &t->nroutes);
    if (err == TWS_OK)
        err = copy_items(&f->behind, sizeof *t->behind, &t->behind, &t->nbehind);
    if (err == TWS_OK)
        err = copy_items(&f->sources, sizeof *t->sources, &t->sources, &t->nsources);
    if (err == TWS_OK)
        err = copy_items(&f->exclude, sizeof *t->exclude, &t->exclude, &t->nexclude);
    if (err == TWS_OK)
        err = copy_items(&f->dns, sizeof *t->dns, &t->dns, &t->ndns);
    return err;
}

const char *tws_config_judge_tun(const struct tws_forward_settings *f, bool is_tun)
{
    if (!is_tun)
        return f->device != NULL || f->address.n > 0 || f->routes.n > 0 || f->behind.n > 0 ||
                       f->sources.n > 0 || f->dns.n > 0 || f->all
                   ? "device, address, routes, behind, sources, all and dns are for kind tun"
                   : NULL;
    if (f->listen.type != TWS_SPOT_NONE)
        return "a tun listens nowhere: leave listen out";
    if (!f->all && (f->exclude.n > 0 || f->dns.n > 0))
        return "exclude and dns go with all: true";
    return judge(f->device, &f->address, f->mtu);
}

tws_err tws_config_take_tun(const struct tws_forward_settings *f, struct tws_tun_config **out)
{
    struct tws_tun_config *t = calloc(1, sizeof *t);

    if (t == NULL || fill(f, t) != TWS_OK) {
        tws_config_free_tun(t);
        return TWS_NOMEM;
    }
    *out = t;
    return TWS_OK;
}

/* ---- the server ---- */

tws_err tws_config_take_hub(const struct tws_settings *s, struct tws_diag *diag,
                            struct tws_server_config *c)
{
    const struct tws_tun_settings *f = s->tun.p;
    const char *wrong = NULL;

    if (s->tun.n == 0)
        return TWS_OK;
    wrong = judge(f->device, &f->address, f->mtu);
    if (wrong == NULL && f->address.n == 0)
        wrong = "address: at least one is needed";
    if (wrong != NULL)
        tws_diag_error(diag, "%s:%u: tun: %s", s->config, f->line, wrong);
    c->tun = calloc(1, sizeof *c->tun);
    if (c->tun == NULL || tws_config_copy(f->device, &c->tun->device) != TWS_OK)
        return TWS_NOMEM;
    c->tun->mtu = f->mtu;
    return copy_items(&f->address, sizeof *c->tun->addresses, &c->tun->addresses,
                      &c->tun->naddresses);
}

tws_err tws_config_take_grants(const char *path, const struct tws_user_settings *from,
                               struct tws_diag *diag, struct tws_user *to)
{
    char *const *list = from->tun.p;

    to->tun = calloc(from->tun.n + 1, sizeof *to->tun);
    if (to->tun == NULL)
        return TWS_NOMEM;
    for (size_t i = 0; i < from->tun.n; i++) {
        if (strcmp(list[i], "pool") == 0)
            to->tun_pool = true;
        else if (tws_prefix_parse(list[i], &to->tun[to->ntun]) == TWS_OK)
            to->ntun++;
        else
            tws_diag_error(diag,
                           "%s:%u: user \"%s\": tun: found \"%.40s\", expected pool, an address "
                           "such as 10.9.0.2, or a network such as 192.168.7.0/24 (no bits set "
                           "behind the /)",
                           path, from->line, from->name, list[i]);
    }
    return TWS_OK;
}
