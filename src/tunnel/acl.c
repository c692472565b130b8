/* acl.c - see acl.h. */
#include "tws/tunnel/acl.h"

#include <string.h>
#include <strings.h>

enum kind { ORDINARY, LINK_LOCAL, MULTICAST, UNSPECIFIED };

static enum kind kind_of(const struct tws_ip *ip)
{
    if (tws_ip_is_link_local(ip))
        return LINK_LOCAL;
    if (tws_ip_is_multicast(ip))
        return MULTICAST;
    if (tws_ip_is_unspecified(ip))
        return UNSPECIFIED;
    return ORDINARY;
}

/* A rule may be spelled as IPv4 within IPv6 too; what is compared is always the IPv4. */
static struct tws_prefix unmap_prefix(struct tws_prefix p)
{
    struct tws_ip ip = tws_ip_unmap(p.ip);

    if (p.ip.family == 6 && ip.family == 4 && p.bits >= 96) {
        p.ip = ip;
        p.bits = (uint8_t)(p.bits - 96);
    }
    return p;
}

static struct tws_ip last_address(const struct tws_prefix *p)
{
    struct tws_ip last = p->ip;
    unsigned bits = last.family == 4 ? 32 : 128;

    for (unsigned i = p->bits; i < bits; i++)
        last.bytes[i / 8] |= (uint8_t)(0x80u >> i % 8);
    return last;
}

/* A kind is a block of addresses (multicast ends with broadcast): a prefix lies within it when
 * both its ends do. */
static bool lies_within(const struct tws_prefix *p, enum kind kind)
{
    struct tws_ip last = last_address(p);

    return kind_of(&p->ip) == kind && kind_of(&last) == kind;
}

static bool port_matches(const struct tws_rule *r, uint16_t port)
{
    return port >= r->port_min && port <= r->port_max;
}

static bool prefix_matches(const struct tws_rule *r, const struct tws_ip *ip, uint16_t port)
{
    if (r->name != NULL || !port_matches(r, port))
        return false;
    struct tws_prefix p = unmap_prefix(r->prefix);
    enum kind kind = kind_of(ip);
    return tws_prefix_contains(&p, ip) && (kind == ORDINARY || lies_within(&p, kind));
}

static bool prefix_allows(const struct tws_user *u, const struct tws_ip *ip, uint16_t port)
{
    for (size_t i = 0; i < u->nallow; i++)
        if (prefix_matches(&u->allow[i], ip, port))
            return true;
    return false;
}

/* "db.example." is the same name as "db.example" (RFC 1034, 3.1). */
static size_t name_length(const char *name)
{
    size_t n = strlen(name);

    return n > 0 && name[n - 1] == '.' ? n - 1 : n;
}

static bool name_matches(const char *rule, const char *name)
{
    size_t rn = name_length(rule), n = name_length(name);

    if (rule[0] == '*' && rule[1] == '.') {
        rule++;
        rn--;
        if (n <= rn)
            return false;
        name += n - rn;
        n = rn;
    }
    return n == rn && strncasecmp(rule, name, n) == 0;
}

static enum tws_acl_verdict judge_name(const struct tws_user *u, const struct tws_target *t)
{
    enum tws_acl_verdict verdict = TWS_ACL_DENY;

    for (size_t i = 0; i < u->nallow; i++) {
        const struct tws_rule *r = &u->allow[i];
        if (!port_matches(r, t->port))
            continue;
        if (r->name == NULL)
            verdict = TWS_ACL_BY_ADDRESS;
        else if (name_matches(r->name, t->name))
            return TWS_ACL_BY_NAME;
    }
    return verdict;
}

static enum tws_acl_verdict judge_address(const struct tws_user *u, const struct tws_target *t)
{
    return tws_acl_address(u, TWS_ACL_BY_ADDRESS, &t->ip, t->port) ? TWS_ACL_BY_ADDRESS
                                                                   : TWS_ACL_DENY;
}

enum tws_acl_verdict tws_acl_target(const struct tws_user *u, const struct tws_target *t)
{
    if (t->type == TWS_TARGET_IPV4 || t->type == TWS_TARGET_IPV6)
        return judge_address(u, t);
    if (t->type != TWS_TARGET_NAME)
        return TWS_ACL_DENY;
    return u->allow_all ? TWS_ACL_BY_NAME : judge_name(u, t);
}

bool tws_acl_address(const struct tws_user *u, enum tws_acl_verdict verdict,
                     const struct tws_ip *ip, uint16_t port)
{
    struct tws_ip real = tws_ip_unmap(*ip);

    if (verdict == TWS_ACL_DENY)
        return false;
    if (kind_of(&real) == ORDINARY && (verdict == TWS_ACL_BY_NAME || u->allow_all))
        return true;
    return prefix_allows(u, &real, port);
}
