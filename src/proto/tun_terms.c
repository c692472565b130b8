/* tun_terms.c - see tun_terms.h. */
#include "tws/proto/tun_terms.h"

#include "param_priv.h"

#include <string.h>

enum tun_param { TUN_ADDRESS4 = 1, TUN_ADDRESS6 = 2, TUN_MTU = 3 };

static size_t size_of(int family)
{
    return family == TWS_TUN_V4 ? 4 : 16;
}

static void write_address(struct tws_writer *w, const struct tws_tun_terms *t, int family)
{
    const struct tws_prefix *a = &t->address[family];

    if (a->ip.family == 0)
        return;
    size_t begin = tws_param_begin(w, family == TWS_TUN_V4 ? TUN_ADDRESS4 : TUN_ADDRESS6, 0);
    tws_write_bytes(w, a->ip.bytes, size_of(family));
    tws_write_u8(w, a->bits);
    tws_param_end(w, begin);
}

void tws_tun_terms_write(struct tws_writer *w, const struct tws_tun_terms *t)
{
    write_address(w, t, TWS_TUN_V4);
    write_address(w, t, TWS_TUN_V6);
    if (t->mtu == 0)
        return;
    size_t begin = tws_param_begin(w, TUN_MTU, 0);
    tws_write_u16(w, t->mtu);
    tws_param_end(w, begin);
}

static tws_err read_address(struct tws_span value, int family, struct tws_prefix *out)
{
    struct tws_reader r = tws_reader(value);
    size_t n = size_of(family);
    struct tws_prefix a = {.ip = {.family = family == TWS_TUN_V4 ? 4 : 6}};

    tws_read_bytes(&r, a.ip.bytes, n);
    a.bits = tws_read_u8(&r);
    if (r.failed || r.left > 0 || a.bits == 0 || a.bits > 8 * n)
        return TWS_E_PROTOCOL;
    if (tws_ip_is_unspecified(&a.ip) || tws_ip_is_multicast(&a.ip) || tws_ip_is_loopback(&a.ip))
        return TWS_E_PROTOCOL;
    *out = a;
    return TWS_OK;
}

static tws_err read_param(const struct tws_param *p, struct tws_tun_terms *t)
{
    switch (p->type) {
    case TUN_ADDRESS4:
        return read_address(p->value, TWS_TUN_V4, &t->address[TWS_TUN_V4]);
    case TUN_ADDRESS6:
        return read_address(p->value, TWS_TUN_V6, &t->address[TWS_TUN_V6]);
    case TUN_MTU:
        if (p->value.n != 2 || tws_get16(p->value.p) < TWS_TUN_MTU_MIN)
            return TWS_E_PROTOCOL;
        t->mtu = tws_get16(p->value.p);
        return TWS_OK;
    default:
        return tws_param_unknown(p);
    }
}

tws_err tws_tun_terms_read(struct tws_span in, struct tws_tun_terms *out)
{
    struct tws_param_list list = tws_param_list(in);
    struct tws_tun_terms t = {.mtu = 0};
    struct tws_param p;
    tws_err err;

    while ((err = tws_param_next(&list, &p)) == TWS_OK) {
        err = read_param(&p, &t);
        if (err != TWS_OK)
            return err;
    }
    if (err != TWS_ABSENT)
        return err;
    if (t.address[TWS_TUN_V4].ip.family == 0 && t.address[TWS_TUN_V6].ip.family == 0)
        return TWS_E_PROTOCOL;
    *out = t;
    return TWS_OK;
}
