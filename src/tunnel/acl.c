/* acl.c - see acl.h. */
#include "tws/tunnel/acl.h"

#include "tws/proto/frame.h"
#include "tws/tunnel/rule.h"

static bool prefix_allows(const struct tws_user *u, uint8_t kind, const struct tws_ip *ip,
                          uint16_t port)
{
    for (size_t i = 0; i < u->nallow; i++)
        if (tws_rule_covers_address(&u->allow[i], kind, ip, port))
            return true;
    return false;
}

static enum tws_acl_verdict judge_name(const struct tws_user *u, uint8_t kind,
                                       const struct tws_target *t)
{
    enum tws_acl_verdict verdict = u->allow_all ? TWS_ACL_ANY : TWS_ACL_DENY;

    for (size_t i = 0; i < u->nallow; i++) {
        const struct tws_rule *r = &u->allow[i];
        if (tws_rule_covers_name(r, kind, t->name, t->port))
            return TWS_ACL_BY_NAME;
        if (r->name == NULL && verdict == TWS_ACL_DENY && tws_rule_has_port(r, kind, t->port))
            verdict = TWS_ACL_BY_ADDRESS;
    }
    return verdict;
}

static enum tws_acl_verdict judge_path(const struct tws_user *u, const struct tws_target *t)
{
    for (size_t i = 0; i < u->nallow; i++)
        if (tws_rule_covers_path(&u->allow[i], t->name))
            return TWS_ACL_BY_NAME;
    return TWS_ACL_DENY;
}

static enum tws_acl_verdict judge_address(const struct tws_user *u, uint8_t kind,
                                          const struct tws_target *t)
{
    return tws_acl_address(u, kind, TWS_ACL_BY_ADDRESS, &t->ip, t->port) ? TWS_ACL_BY_ADDRESS
                                                                         : TWS_ACL_DENY;
}

enum tws_acl_verdict tws_acl_target(const struct tws_user *u, uint8_t kind,
                                    const struct tws_target *t)
{
    if (kind == TWS_KIND_UNIX)
        return t->type == TWS_TARGET_UNIX ? judge_path(u, t) : TWS_ACL_DENY;
    if (kind == TWS_KIND_TUN)
        return u->ntun > 0 || u->tun_pool ? TWS_ACL_BY_ADDRESS : TWS_ACL_DENY;
    if (kind != TWS_KIND_TCP && kind != TWS_KIND_UDP)
        return TWS_ACL_DENY;
    if (t->type == TWS_TARGET_IPV4 || t->type == TWS_TARGET_IPV6)
        return judge_address(u, kind, t);
    return t->type == TWS_TARGET_NAME ? judge_name(u, kind, t) : TWS_ACL_DENY;
}

bool tws_acl_address(const struct tws_user *u, uint8_t kind, enum tws_acl_verdict verdict,
                     const struct tws_ip *ip, uint16_t port)
{
    struct tws_ip real = tws_ip_unmap(*ip);

    if (verdict == TWS_ACL_DENY ||
        (kind != TWS_KIND_TCP && kind != TWS_KIND_UDP && kind != TWS_KIND_TUN))
        return false;
    if (tws_rule_ordinary(&real) && (verdict == TWS_ACL_BY_NAME || u->allow_all))
        return true;
    return prefix_allows(u, kind, &real, port);
}
