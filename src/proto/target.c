/* target.c - see target.h; reading accepts exactly what writing can make, so both are inverses. */
#include "tws/proto/target.h"

#include "param_priv.h"

#include "tws/base/log.h"
#include "tws/proto/frame.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum open_param {
    OPEN_SOURCE = 1,
    OPEN_ORIGINAL = 2,
    OPEN_ACCEPTS = 3,
    OPEN_LISTENER = 4,
    OPEN_SPEAKS = 5,
    OPEN_WANTED4 = 6,
    OPEN_WANTED6 = 7,
};

struct tws_target tws_target_from_ip(const struct tws_ip *ip, uint16_t port)
{
    uint8_t type = ip->family == 4 ? TWS_TARGET_IPV4 : ip->family == 6 ? TWS_TARGET_IPV6 : 0;

    return (struct tws_target){.type = type, .ip = *ip, .port = port};
}

void tws_target_from_hostport(const struct tws_hostport *hp, struct tws_target *out)
{
    struct tws_ip ip;

    *out = (struct tws_target){.type = TWS_TARGET_NAME, .port = hp->port};
    if (tws_ip_parse(hp->host, &ip) == TWS_OK)
        *out = tws_target_from_ip(&ip, hp->port);
    else
        memcpy(out->name, hp->host, sizeof out->name);
}

void tws_target_from_spot(const struct tws_spot *s, struct tws_target *out)
{
    struct tws_hostport hp;

    if (s->type == TWS_SPOT_UNIX) {
        *out = (struct tws_target){.type = TWS_TARGET_UNIX};
        memcpy(out->name, s->name, sizeof out->name);
        return;
    }
    tws_spot_hostport(s, 0, &hp);
    tws_target_from_hostport(&hp, out);
}

/* Not empty, without what ends a C string or moves a terminal. */
static bool is_clean(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] < 0x20 || p[i] == 0x7f)
            return false;
    return n > 0;
}

static void write_name(struct tws_writer *w, const char *name)
{
    size_t n = strlen(name);

    if (!is_clean((const uint8_t *)name, n))
        w->failed = true;
    tws_write_u8(w, (uint8_t)n);
    tws_write_bytes(w, name, n);
}

void tws_target_write(struct tws_writer *w, const struct tws_target *t)
{
    tws_write_u8(w, t->type);
    switch (t->type) {
    case TWS_TARGET_IPV4:
        tws_write_bytes(w, t->ip.bytes, 4);
        break;
    case TWS_TARGET_IPV6:
        tws_write_bytes(w, t->ip.bytes, 16);
        break;
    case TWS_TARGET_NAME:
    case TWS_TARGET_UNIX:
        write_name(w, t->name);
        break;
    default:
        w->failed = true;
    }
    tws_write_u16(w, t->type == TWS_TARGET_UNIX ? 0 : t->port);
}

static tws_err read_ip(struct tws_reader *r, uint8_t family, struct tws_ip *ip)
{
    *ip = (struct tws_ip){.family = family};
    tws_read_bytes(r, ip->bytes, family == 4 ? 4 : 16);
    return TWS_OK;
}

static tws_err read_name(struct tws_reader *r, char *name)
{
    uint8_t n = tws_read_u8(r);
    size_t have = n <= r->left ? n : r->left; /* what is there is judged before what is missing */

    if ((n == 0 && !r->failed) || (have > 0 && !is_clean(r->p, have)))
        return TWS_E_PROTOCOL;
    tws_read_bytes(r, name, n);
    return TWS_OK;
}

static tws_err read_address(struct tws_reader *r, struct tws_target *t)
{
    switch (t->type) {
    case TWS_TARGET_IPV4:
        return read_ip(r, 4, &t->ip);
    case TWS_TARGET_IPV6:
        return read_ip(r, 6, &t->ip);
    case TWS_TARGET_NAME:
    case TWS_TARGET_UNIX:
        return read_name(r, t->name);
    default:
        return r->failed ? TWS_SHORT : TWS_E_PROTOCOL;
    }
}

tws_err tws_target_read(struct tws_reader *r, struct tws_target *out)
{
    struct tws_target t = {.type = tws_read_u8(r)};
    tws_err err = read_address(r, &t);

    if (err != TWS_OK)
        return err;
    t.port = tws_read_u16(r);
    if (r->failed)
        return TWS_SHORT;
    if (t.type == TWS_TARGET_UNIX && t.port != 0)
        return TWS_E_PROTOCOL;
    *out = t;
    return TWS_OK;
}

void tws_target_format(const struct tws_target *t, char *out, size_t cap)
{
    struct tws_hostport hp = {.port = t->port};

    assert(cap >= TWS_HOSTPORT_TEXT);
    if (t->type == TWS_TARGET_UNIX) {
        (void)snprintf(out, cap, "unix:%s", t->name);
        tws_log_word(out);
        return;
    }
    if (t->type == TWS_TARGET_NAME)
        memcpy(hp.host, t->name, sizeof hp.host);
    else
        tws_ip_format(&t->ip, hp.host, sizeof hp.host);
    tws_hostport_format(&hp, out, cap);
    tws_log_word(out);
}

static void write_byte(struct tws_writer *w, uint8_t type, uint8_t value)
{
    if (value == 0)
        return;
    size_t begin = tws_param_begin(w, type, 0);
    tws_write_u8(w, value);
    tws_param_end(w, begin);
}

static void write_listener(struct tws_writer *w, uint32_t channel)
{
    if (channel == 0)
        return;
    size_t begin = tws_param_begin(w, OPEN_LISTENER, 0);
    tws_write_u32(w, channel);
    tws_param_end(w, begin);
}

static void write_param(struct tws_writer *w, uint8_t type, const struct tws_target *t)
{
    if (t->type == 0)
        return;
    size_t begin = tws_param_begin(w, type, 0);
    tws_target_write(w, t);
    tws_param_end(w, begin);
}

static void write_ip(struct tws_writer *w, uint8_t type, const struct tws_ip *ip)
{
    if (ip->family == 0)
        return;
    size_t begin = tws_param_begin(w, type, 0);
    tws_write_bytes(w, ip->bytes, ip->family == 4 ? 4 : 16);
    tws_param_end(w, begin);
}

void tws_open_write(struct tws_writer *w, const struct tws_open *o)
{
    tws_write_u8(w, o->kind);
    tws_target_write(w, &o->target);
    write_param(w, OPEN_SOURCE, &o->source);
    write_param(w, OPEN_ORIGINAL, &o->original);
    write_byte(w, OPEN_ACCEPTS, o->accepts);
    write_listener(w, o->listener);
    write_byte(w, OPEN_SPEAKS, o->speaks);
    write_ip(w, OPEN_WANTED4, &o->wanted4);
    write_ip(w, OPEN_WANTED6, &o->wanted6);
}

/* A value that is one target and nothing else. */
static tws_err read_whole_target(struct tws_span value, struct tws_target *out)
{
    struct tws_reader r = tws_reader(value);

    if (tws_target_read(&r, out) != TWS_OK || r.left > 0)
        return TWS_E_PROTOCOL;
    return TWS_OK;
}

static bool is_kind(uint8_t kind)
{
    return kind >= TWS_KIND_TCP && kind <= TWS_KIND_LISTEN;
}

/* From 1 to `max`. */
static tws_err read_byte(struct tws_span value, uint8_t max, uint8_t *out)
{
    if (value.n != 1 || value.p[0] == 0 || value.p[0] > max)
        return TWS_E_PROTOCOL;
    *out = value.p[0];
    return TWS_OK;
}

static tws_err read_listener(struct tws_span value, uint32_t *out)
{
    struct tws_reader r = tws_reader(value);
    uint32_t channel = tws_read_u32(&r);

    if (r.failed || r.left > 0 || channel == 0)
        return TWS_E_PROTOCOL;
    *out = channel;
    return TWS_OK;
}

static tws_err read_wanted(struct tws_span value, uint8_t family, struct tws_ip *out)
{
    struct tws_reader r = tws_reader(value);

    tws_err err = read_ip(&r, family, out);
    return err == TWS_OK && !r.failed && r.left == 0 ? TWS_OK : TWS_E_PROTOCOL;
}

static tws_err read_param(const struct tws_param *p, struct tws_open *o)
{
    switch (p->type) {
    case OPEN_SOURCE:
        return read_whole_target(p->value, &o->source);
    case OPEN_ORIGINAL:
        return read_whole_target(p->value, &o->original);
    case OPEN_ACCEPTS:
        return read_byte(p->value, TWS_KIND_TUN, &o->accepts);
    case OPEN_LISTENER:
        return read_listener(p->value, &o->listener);
    case OPEN_SPEAKS:
        return read_byte(p->value, TWS_SPEAKS_PROXY, &o->speaks);
    case OPEN_WANTED4:
        return read_wanted(p->value, 4, &o->wanted4);
    case OPEN_WANTED6:
        return read_wanted(p->value, 6, &o->wanted6);
    default:
        return tws_param_unknown(p);
    }
}

tws_err tws_open_read(struct tws_span payload, struct tws_open *out)
{
    struct tws_reader r = tws_reader(payload);
    struct tws_open o = {.kind = tws_read_u8(&r)};
    struct tws_param p;
    tws_err err;

    if (!is_kind(o.kind) || tws_target_read(&r, &o.target) != TWS_OK)
        return TWS_E_PROTOCOL;
    struct tws_param_list list = tws_param_list((struct tws_span){r.p, r.left});
    while ((err = tws_param_next(&list, &p)) == TWS_OK) {
        err = read_param(&p, &o);
        if (err != TWS_OK)
            return err;
    }
    if (err != TWS_ABSENT)
        return err;
    *out = o;
    return TWS_OK;
}
