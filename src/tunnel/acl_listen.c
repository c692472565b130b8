/* acl_listen.c - see acl.h: where a user may listen on the server. */
#include "tws/proto/frame.h"
#include "tws/tunnel/acl.h"
#include "tws/tunnel/rule.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FREE_PORT_MIN 1024u /* the kernel chooses no lower one */

/* Port 0 is any that the kernel chooses: the rule has to have them all. */
static bool port_matches(const struct tws_rule *r, uint8_t kind, uint16_t port)
{
    if (port == 0)
        return tws_rule_has_port(r, kind, FREE_PORT_MIN) && tws_rule_has_port(r, kind, UINT16_MAX);
    return tws_rule_has_port(r, kind, port);
}

static bool is_zero(const struct tws_ip *ip)
{
    static const struct tws_ip zero;

    return memcmp(ip->bytes, zero.bytes, sizeof ip->bytes) == 0;
}

/* 0.0.0.0 or :: itself, not a network. */
static bool names_every(const struct tws_rule *r)
{
    return is_zero(&r->prefix.ip) && r->prefix.bits == (r->prefix.ip.family == 4 ? 32 : 128);
}

/* Every address of a family is allowed by a rule for all of them, or one that names it so. */
static bool allows_every(const struct tws_user *u, uint8_t kind, uint8_t family, uint16_t port)
{
    for (size_t i = 0; i < u->nlisten; i++) {
        const struct tws_rule *r = &u->listen[i];
        if (r->name == NULL && r->prefix.ip.family == family && port_matches(r, kind, port) &&
            (r->prefix.bits == 0 || names_every(r)))
            return true;
    }
    return false;
}

/* "::" is every address of both families, as a rule and as a wish. */
static bool allows_both(const struct tws_user *u, uint8_t kind, uint16_t port)
{
    for (size_t i = 0; i < u->nlisten; i++) {
        const struct tws_rule *r = &u->listen[i];
        if (r->name == NULL && r->prefix.ip.family == 6 && names_every(r) &&
            port_matches(r, kind, port))
            return true;
    }
    return allows_every(u, kind, 4, port) && allows_every(u, kind, 6, port);
}

static bool allows_one(const struct tws_user *u, uint8_t kind, const struct tws_ip *ip,
                       uint16_t port)
{
    for (size_t i = 0; i < u->nlisten; i++) {
        const struct tws_rule *r = &u->listen[i];
        if (r->name == NULL && port_matches(r, kind, port) && tws_prefix_contains(&r->prefix, ip))
            return true;
    }
    return false;
}

static bool allows_localhost(const struct tws_user *u, uint8_t kind, uint16_t port)
{
    for (size_t i = 0; i < u->nlisten; i++) {
        const struct tws_rule *r = &u->listen[i];
        if (r->name != NULL && strcasecmp(r->name, "localhost") == 0 && port_matches(r, kind, port))
            return true;
    }
    return false;
}

static void set_host(struct tws_spot *out, const char *host)
{
    (void)snprintf(out->name, sizeof out->name, "%s", host);
}

/* Both loopback addresses, or the one that is allowed. */
static bool judge_localhost(const struct tws_user *u, uint8_t kind, struct tws_spot *out)
{
    static const struct tws_ip loop4 = {.family = 4, .bytes = {127, 0, 0, 1}};
    static const struct tws_ip loop6 = {.family = 6, .bytes = {[15] = 1}};
    bool v4 = allows_one(u, kind, &loop4, out->port), v6 = allows_one(u, kind, &loop6, out->port);

    set_host(out, "localhost");
    if (allows_localhost(u, kind, out->port) || (v4 && v6))
        return true;
    set_host(out, v6 ? "::1" : "127.0.0.1");
    return v4 || v6;
}

static bool judge_ip(const struct tws_user *u, uint8_t kind, const struct tws_ip *asked,
                     struct tws_spot *out)
{
    struct tws_ip ip = tws_ip_unmap(*asked);

    if (ip.family == 6 && is_zero(&ip)) {
        set_host(out, "");
        return allows_both(u, kind, out->port);
    }
    tws_ip_format(&ip, out->name, sizeof out->name);
    if (!is_zero(&ip))
        return allows_one(u, kind, &ip, out->port);
    return allows_every(u, kind, 4, out->port) || allows_both(u, kind, out->port);
}

/* A unix socket carries connections; its name fits what a spot holds, if a rule covers it. */
static bool judge_path(const struct tws_user *u, uint8_t kind, const char *path,
                       struct tws_spot *out)
{
    if (kind != TWS_KIND_TCP || strlen(path) > TWS_SPOT_PATH_MAX)
        return false;
    *out = (struct tws_spot){.type = TWS_SPOT_UNIX};
    memcpy(out->name, path, strlen(path) + 1);
    for (size_t i = 0; i < u->nlisten; i++)
        if (tws_rule_covers_path(&u->listen[i], path))
            return true;
    return false;
}

bool tws_acl_listen(const struct tws_user *u, uint8_t kind, const struct tws_target *t,
                    struct tws_spot *out)
{
    *out = (struct tws_spot){.type = TWS_SPOT_INET, .port = t->port, .last = t->port};
    if (t->type == TWS_TARGET_UNIX)
        return judge_path(u, kind, t->name, out);
    if (t->type == TWS_TARGET_IPV4 || t->type == TWS_TARGET_IPV6)
        return judge_ip(u, kind, &t->ip, out);
    if (t->type != TWS_TARGET_NAME || strcasecmp(t->name, "localhost") != 0)
        return false;
    return judge_localhost(u, kind, out);
}
