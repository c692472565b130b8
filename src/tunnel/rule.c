/* rule.c - see tws/tunnel/rule.h. */
#include "tws/tunnel/rule.h"

#include "tws/proto/frame.h"

#include <string.h>
#include <strings.h>

enum kind { ORDINARY, LINK_LOCAL, MULTICAST, UNSPECIFIED };

/* The IPv4 address that a NAT64 on the way sends to (RFC 6052's own prefix), or the address itself.
 */
static struct tws_ip behind_nat64(const struct tws_ip *ip)
{
    static const uint8_t prefix[12] = {0x00, 0x64, 0xff, 0x9b};
    struct tws_ip inner = {.family = 4};

    if (ip->family != 6 || memcmp(ip->bytes, prefix, sizeof prefix) != 0)
        return *ip;
    memcpy(inner.bytes, ip->bytes + sizeof prefix, 4);
    return inner;
}

static enum kind kind_of(const struct tws_ip *ip)
{
    struct tws_ip real = behind_nat64(ip);

    if (tws_ip_is_link_local(&real))
        return LINK_LOCAL;
    if (tws_ip_is_multicast(&real))
        return MULTICAST;
    if (tws_ip_is_unspecified(&real))
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

/* A kind is a block of addresses (multicast ends with broadcast): a prefix lies within it when
 * both its ends do. */
static bool lies_within(const struct tws_prefix *p, enum kind kind)
{
    struct tws_ip last = tws_prefix_last(p);

    return kind_of(&p->ip) == kind && kind_of(&last) == kind;
}

bool tws_rule_ordinary(const struct tws_ip *ip)
{
    return kind_of(ip) == ORDINARY;
}

static bool has_protocol(const struct tws_rule *r, uint8_t kind)
{
    if (kind == TWS_KIND_TCP)
        return r->protocol != TWS_RULE_UDP;
    return kind == TWS_KIND_UDP && r->protocol != TWS_RULE_TCP;
}

bool tws_rule_has_port(const struct tws_rule *r, uint8_t kind, uint16_t port)
{
    if (kind == TWS_KIND_TUN) /* a packet without ports */
        return !r->is_path && r->protocol == TWS_RULE_BOTH && r->port_min <= 1 &&
               r->port_max == UINT16_MAX;
    return !r->is_path && has_protocol(r, kind) && port >= r->port_min && port <= r->port_max;
}

bool tws_rule_covers_address(const struct tws_rule *r, uint8_t kind, const struct tws_ip *ip,
                             uint16_t port)
{
    struct tws_ip real = tws_ip_unmap(*ip);

    if (r->name != NULL || !tws_rule_has_port(r, kind, port))
        return false;
    struct tws_prefix p = unmap_prefix(r->prefix);
    enum kind special = kind_of(&real);
    return tws_prefix_contains(&p, &real) && (special == ORDINARY || lies_within(&p, special));
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

bool tws_rule_covers_name(const struct tws_rule *r, uint8_t kind, const char *name, uint16_t port)
{
    return r->name != NULL && tws_rule_has_port(r, kind, port) && name_matches(r->name, name);
}

/* Whether the path is the one and only spelling of where it leads, but for symbolic links. */
static bool is_plain(const char *path)
{
    if (path[0] == '@')
        return path[1] != '\0';
    if (path[0] != '/')
        return false;
    while (*path == '/') {
        size_t n = strcspn(++path, "/");
        if (n == 0 || (n == 1 && path[0] == '.') || (n == 2 && strncmp(path, "..", 2) == 0))
            return false;
        path += n;
    }
    return true;
}

bool tws_rule_covers_path(const struct tws_rule *r, const char *path)
{
    if (!r->is_path || !is_plain(path))
        return false;
    size_t n = strlen(r->name);
    if (n == 0 || r->name[n - 1] != '*')
        return strcmp(r->name, path) == 0;
    return strncmp(r->name, path, n - 1) == 0 && strchr(path + n - 1, '/') == NULL &&
           path[n - 1] != '\0';
}
