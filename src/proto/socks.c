/* socks.c - see tws/proto/socks.h. */
#include "tws/proto/socks.h"

#include "tws/proto/code.h"

#include <string.h>

#define VERSION_4    4
#define VERSION_5    5
#define VERSION_AUTH 1
#define USER_ID_MAX  255

#define GRANTED_4  90
#define REJECTED_4 91

static bool says(struct tws_span text, const char *words)
{
    return text.n == strlen(words) && memcmp(text.p, words, text.n) == 0;
}

enum tws_socks_reply tws_socks_reply_of(uint16_t code, struct tws_span text)
{
    switch (code) {
    case TWS_CODE_FORBIDDEN:
        return TWS_SOCKS_FORBIDDEN;
    case TWS_CODE_RESOLVE:
        return TWS_SOCKS_HOST_UNREACHABLE;
    case TWS_CODE_REFUSED:
        return TWS_SOCKS_REFUSED;
    case TWS_CODE_UNREACHABLE:
        return says(text, "Network is unreachable") ? TWS_SOCKS_NET_UNREACHABLE
                                                    : TWS_SOCKS_HOST_UNREACHABLE;
    case TWS_CODE_TIMEOUT:
        return TWS_SOCKS_TIMEOUT;
    default:
        return TWS_SOCKS_FAILURE;
    }
}

/* A host that is written as an address is one: rules for addresses hold for it. */
static void settle_name(struct tws_target *t)
{
    struct tws_hostport hp = {.port = t->port};

    memcpy(hp.host, t->name, sizeof hp.host);
    tws_target_from_hostport(&hp, t);
}

/* What is there is judged before what is missing. */
static tws_err read_version(struct tws_reader *r, uint8_t version)
{
    if (r->left == 0)
        return TWS_SHORT;
    return tws_read_u8(r) == version ? TWS_OK : TWS_E_PROTOCOL;
}

/* ---- version 5 ---- */

tws_err tws_socks5_read_methods(struct tws_reader *r, struct tws_socks_methods *out)
{
    tws_err err = read_version(r, VERSION_5);

    *out = (struct tws_socks_methods){0};
    if (err != TWS_OK)
        return err;
    struct tws_span list = tws_read_span(r, tws_read_u8(r));
    if (r->failed)
        return TWS_SHORT;
    if (list.n == 0)
        return TWS_E_PROTOCOL;
    out->none = memchr(list.p, TWS_SOCKS_METHOD_NONE, list.n) != NULL;
    out->password = memchr(list.p, TWS_SOCKS_METHOD_PASSWORD, list.n) != NULL;
    return TWS_OK;
}

tws_err tws_socks5_read_login(struct tws_reader *r, struct tws_socks_login *out)
{
    tws_err err = read_version(r, VERSION_AUTH);

    if (err != TWS_OK)
        return err;
    out->user = tws_read_span(r, tws_read_u8(r));
    out->password = tws_read_span(r, tws_read_u8(r));
    if (r->failed)
        return TWS_SHORT;
    return out->user.n == 0 ? TWS_E_PROTOCOL : TWS_OK;
}

static bool is_address_type(uint8_t type)
{
    return type == TWS_TARGET_IPV4 || type == TWS_TARGET_NAME || type == TWS_TARGET_IPV6;
}

tws_err tws_socks5_read_request(struct tws_reader *r, struct tws_socks_request *out,
                                enum tws_socks_reply *reply)
{
    tws_err err = read_version(r, VERSION_5);

    *reply = TWS_SOCKS_FAILURE;
    if (err != TWS_OK)
        return err;
    out->command = tws_read_u8(r);
    tws_read_u8(r); /* reserved; clients write what they like */
    if (r->left > 0 && !is_address_type(r->p[0])) {
        *reply = TWS_SOCKS_NO_ADDRESS_TYPE;
        return TWS_E_PROTOCOL;
    }
    err = tws_target_read(r, &out->target);
    if (err == TWS_OK && out->target.type == TWS_TARGET_NAME)
        settle_name(&out->target);
    return err;
}

void tws_socks5_write_reply(struct tws_writer *w, enum tws_socks_reply reply, struct tws_span bound)
{
    struct tws_reader r = tws_reader(bound);
    struct tws_target t;

    /* Many clients read no names here. */
    if (tws_target_read(&r, &t) != TWS_OK || t.ip.family == 0)
        t = (struct tws_target){.type = TWS_TARGET_IPV4, .ip = {.family = 4}};
    tws_write_u8(w, VERSION_5);
    tws_write_u8(w, (uint8_t)reply);
    tws_write_u8(w, 0);
    tws_target_write(w, &t);
}

tws_err tws_socks5_read_datagram(struct tws_span in, struct tws_target *out, size_t *header)
{
    struct tws_reader r = tws_reader(in);

    tws_read_u16(&r); /* reserved */
    uint8_t fragment = tws_read_u8(&r);
    if (fragment != 0 || r.left == 0 || !is_address_type(r.p[0]) ||
        tws_target_read(&r, out) != TWS_OK)
        return TWS_E_PROTOCOL;
    if (out->type == TWS_TARGET_NAME)
        settle_name(out);
    *header = in.n - r.left;
    return TWS_OK;
}

/* ---- version 4 and 4a ---- */

/* A text that ends with NUL, without it. */
static tws_err read_text(struct tws_reader *r, size_t max, struct tws_span *out)
{
    const uint8_t *end = r->left == 0 ? NULL : memchr(r->p, 0, r->left);

    if (end == NULL)
        return r->left > max ? TWS_E_PROTOCOL : TWS_SHORT;
    *out = tws_read_span(r, (size_t)(end - r->p));
    tws_read_u8(r);
    return out->n > max ? TWS_E_PROTOCOL : TWS_OK;
}

static bool is_clean(struct tws_span name)
{
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] < 0x20 || name.p[i] == 0x7f)
            return false;
    return name.n > 0;
}

/* 0.0.0.x, x not 0: a name follows the user id (SOCKS4a). */
static bool is_placeholder(const struct tws_ip *ip)
{
    return ip->bytes[0] == 0 && ip->bytes[1] == 0 && ip->bytes[2] == 0 && ip->bytes[3] != 0;
}

static tws_err read_name(struct tws_reader *r, struct tws_target *t)
{
    struct tws_span name;
    tws_err err = read_text(r, TWS_HOST_MAX, &name);

    if (err != TWS_OK)
        return err;
    if (!is_clean(name))
        return TWS_E_PROTOCOL;
    *t = (struct tws_target){.type = TWS_TARGET_NAME, .port = t->port};
    memcpy(t->name, name.p, name.n);
    settle_name(t);
    return TWS_OK;
}

tws_err tws_socks4_read_request(struct tws_reader *r, struct tws_socks_request *out)
{
    struct tws_target *t = &out->target;
    struct tws_span user;
    tws_err err = read_version(r, VERSION_4);

    if (err != TWS_OK)
        return err;
    *t = (struct tws_target){.type = TWS_TARGET_IPV4, .ip = {.family = 4}};
    out->command = tws_read_u8(r);
    t->port = tws_read_u16(r);
    tws_read_bytes(r, t->ip.bytes, 4);
    if (r->failed)
        return TWS_SHORT;
    err = read_text(r, USER_ID_MAX, &user);
    if (err != TWS_OK || !is_placeholder(&t->ip))
        return err;
    return read_name(r, t);
}

void tws_socks4_write_reply(struct tws_writer *w, bool granted, struct tws_span bound)
{
    struct tws_reader r = tws_reader(bound);
    struct tws_target t;

    if (tws_target_read(&r, &t) != TWS_OK || t.type != TWS_TARGET_IPV4)
        t = (struct tws_target){0};
    tws_write_u8(w, 0);
    tws_write_u8(w, granted ? GRANTED_4 : REJECTED_4);
    tws_write_u16(w, t.port);
    tws_write_bytes(w, t.ip.bytes, 4);
}
