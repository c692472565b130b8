/*
 * rtnetlink.c - see rtnetlink.h.
 *
 * What is to be deleted by its mark is deleted by the kernel's own words: the message of the dump
 * goes back with the other type. So nothing has to be taken apart and put together again.
 */
#include "tws/net/rtnetlink.h"

#include "tws/net/socket.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_BYTES 256
#define REPLY_BYTES   65536 /* a dump comes in pieces of at most 32 KiB */

#ifndef IFA_PROTO /* Linux 5.18; older ones take it and forget it */
#define IFA_PROTO 11
#endif

/* Room for every request there is, aligned as the kernel's structures want it. */
struct request {
    struct nlmsghdr hdr;
    uint8_t body[REQUEST_BYTES];
};

/* What is behind a message's header; NLMSG_DATA() casts const away. */
static const void *data_of(const struct nlmsghdr *m)
{
    return (const uint8_t *)m + NLMSG_HDRLEN;
}

/* ---- one request, one answer ---- */

tws_err tws_rtnl_open(struct tws_rtnl *r)
{
    *r = (struct tws_rtnl){.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
    return r->fd >= 0 ? TWS_OK : TWS_SYS;
}

void tws_rtnl_close(struct tws_rtnl *r)
{
    tws_socket_close(r->fd);
    r->fd = -1;
}

static struct request begin(uint16_t type, uint16_t flags, const void *body, size_t n)
{
    struct request q = {.hdr = {.nlmsg_len = (uint32_t)NLMSG_LENGTH(n),
                                .nlmsg_type = type,
                                .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags)}};

    memcpy(q.body, body, n);
    return q;
}

static void add(struct request *q, uint16_t type, const void *value, size_t n)
{
    size_t at = NLMSG_ALIGN(q->hdr.nlmsg_len) - sizeof q->hdr;
    struct rtattr head = {.rta_len = (uint16_t)RTA_LENGTH(n), .rta_type = type};

    memcpy(q->body + at, &head, sizeof head);
    memcpy(q->body + at + sizeof head, value, n);
    q->hdr.nlmsg_len = (uint32_t)(sizeof q->hdr + at + RTA_LENGTH(n));
}

static void add_u32(struct request *q, uint16_t type, uint32_t value)
{
    add(q, type, &value, sizeof value);
}

static tws_err send_message(struct tws_rtnl *r, struct nlmsghdr *hdr)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

    hdr->nlmsg_seq = ++r->seq;
    hdr->nlmsg_pid = 0;
    return sendto(r->fd, hdr, hdr->nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0
               ? TWS_SYS
               : TWS_OK;
}

/* One message of an answer. False: it is the last one. */
typedef bool message_fn(void *ctx, const struct nlmsghdr *m);

static bool is_last(const struct nlmsghdr *m, int *error)
{
    if (m->nlmsg_type == NLMSG_ERROR && m->nlmsg_len >= NLMSG_LENGTH(sizeof(struct nlmsgerr)))
        *error = -((const struct nlmsgerr *)data_of(m))->error;
    return m->nlmsg_type == NLMSG_ERROR || m->nlmsg_type == NLMSG_DONE;
}

/* Reads the answer to the last request to its end. */
static tws_err answer(struct tws_rtnl *r, message_fn *fn, void *ctx)
{
    uint8_t *buf = malloc(REPLY_BYTES);
    bool over = false;
    int error = 0;

    if (buf == NULL)
        return TWS_NOMEM;
    while (!over) {
        ssize_t n = recv(r->fd, buf, REPLY_BYTES, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            error = errno;
        over = n < 0;
        for (struct nlmsghdr *m = (void *)buf; !over && NLMSG_OK(m, (size_t)n);
             m = NLMSG_NEXT(m, n)) {
            if (m->nlmsg_seq != r->seq)
                continue;
            over = is_last(m, &error) || !fn(ctx, m);
        }
    }
    free(buf);
    errno = error;
    return error == 0 ? TWS_OK : TWS_SYS;
}

static bool ignore(void *ctx, const struct nlmsghdr *m)
{
    (void)ctx;
    (void)m;
    return true;
}

static tws_err ask(struct tws_rtnl *r, struct nlmsghdr *hdr)
{
    hdr->nlmsg_flags |= NLM_F_ACK;
    tws_err err = send_message(r, hdr);
    return err == TWS_OK ? answer(r, ignore, NULL) : err;
}

static uint16_t flags_of(enum tws_rtnl_change change)
{
    return change == TWS_RTNL_ADD ? NLM_F_CREATE | NLM_F_EXCL : 0;
}

static uint8_t family_of(const struct tws_ip *ip)
{
    return ip->family == 4 ? AF_INET : AF_INET6;
}

static size_t size_of(const struct tws_ip *ip)
{
    return ip->family == 4 ? 4 : 16;
}

/* The value of an attribute of at least `n` bytes, or NULL. */
static const void *find(const struct nlmsghdr *m, size_t body, uint16_t type, size_t n)
{
    const uint8_t *p = (const uint8_t *)data_of(m) + NLMSG_ALIGN(body);
    size_t left = m->nlmsg_len >= NLMSG_SPACE(body) ? m->nlmsg_len - NLMSG_SPACE(body) : 0;

    while (left >= sizeof(struct rtattr)) {
        struct rtattr a;
        memcpy(&a, p, sizeof a);
        if (a.rta_len < sizeof a || a.rta_len > left)
            return NULL;
        if (a.rta_type == type && a.rta_len - sizeof a >= n)
            return p + RTA_LENGTH(0);
        size_t step = RTA_ALIGN(a.rta_len) < left ? RTA_ALIGN(a.rta_len) : left;
        p += step;
        left -= step;
    }
    return NULL;
}

static uint32_t find_u32(const struct nlmsghdr *m, size_t body, uint16_t type)
{
    const void *p = find(m, body, type, 4);
    uint32_t v = 0;

    if (p != NULL)
        memcpy(&v, p, sizeof v);
    return v;
}

/* ---- devices ---- */

static bool take_device(void *ctx, const struct nlmsghdr *m)
{
    const struct ifinfomsg *info = data_of(m);
    struct tws_netdev *out = ctx;

    if (m->nlmsg_type != RTM_NEWLINK)
        return true;
    out->mtu = find_u32(m, sizeof *info, IFLA_MTU);
    out->up = (info->ifi_flags & IFF_UP) != 0;
    out->in_use = (info->ifi_flags & IFF_LOWER_UP) != 0;
    return true;
}

tws_err tws_rtnl_device(struct tws_rtnl *r, unsigned index, struct tws_netdev *out)
{
    const struct ifinfomsg info = {.ifi_index = (int)index};
    struct request q = begin(RTM_GETLINK, NLM_F_ACK, &info, sizeof info);

    *out = (struct tws_netdev){0};
    tws_err err = send_message(r, &q.hdr);
    return err == TWS_OK ? answer(r, take_device, out) : err;
}

tws_err tws_rtnl_set_mtu(struct tws_rtnl *r, unsigned index, uint32_t mtu)
{
    const struct ifinfomsg info = {.ifi_index = (int)index};
    struct request q = begin(RTM_NEWLINK, 0, &info, sizeof info);

    add_u32(&q, IFLA_MTU, mtu);
    return ask(r, &q.hdr);
}

tws_err tws_rtnl_set_up(struct tws_rtnl *r, unsigned index, bool up)
{
    const struct ifinfomsg info = {
        .ifi_index = (int)index, .ifi_flags = up ? IFF_UP : 0, .ifi_change = IFF_UP};
    struct request q = begin(RTM_NEWLINK, 0, &info, sizeof info);

    return ask(r, &q.hdr);
}

/* ---- addresses ---- */

tws_err tws_rtnl_address(struct tws_rtnl *r, enum tws_rtnl_change change, unsigned index,
                         const struct tws_prefix *a)
{
    const struct ifaddrmsg msg = {.ifa_family = family_of(&a->ip),
                                  .ifa_prefixlen = a->bits,
                                  .ifa_flags = IFA_F_NODAD,
                                  .ifa_index = index};
    struct request q = begin(change == TWS_RTNL_ADD ? RTM_NEWADDR : RTM_DELADDR, flags_of(change),
                             &msg, sizeof msg);

    add(&q, IFA_LOCAL, a->ip.bytes, size_of(&a->ip));
    add(&q, IFA_ADDRESS, a->ip.bytes, size_of(&a->ip));
    add(&q, IFA_PROTO, &(uint8_t){TWS_NET_MARK}, 1);
    return ask(r, &q.hdr);
}

struct listing {
    uint8_t family; /* 4, 6 */
    tws_rtnl_address_fn *fn;
    void *arg;
};

static bool tell_address(void *ctx, const struct nlmsghdr *m)
{
    const struct ifaddrmsg *msg = data_of(m);
    const struct listing *l = ctx;
    struct tws_rtnl_address a = {.ip = {.family = l->family}};
    size_t n = size_of(&a.ip);

    if (m->nlmsg_type != RTM_NEWADDR || msg->ifa_family != family_of(&a.ip))
        return true;
    const void *far = find(m, sizeof *msg, IFA_ADDRESS, n);
    const void *near = find(m, sizeof *msg, IFA_LOCAL, n);
    if (far == NULL || msg->ifa_prefixlen > 8 * n)
        return true;
    memcpy(a.ip.bytes, near != NULL ? near : far, n);
    a.device = msg->ifa_index;
    a.network = (struct tws_prefix){{.family = l->family}, msg->ifa_prefixlen};
    memcpy(a.network.ip.bytes, far, n);
    l->fn(l->arg, &a);
    return true;
}

tws_err tws_rtnl_addresses(struct tws_rtnl *r, uint8_t family, tws_rtnl_address_fn *fn, void *arg)
{
    struct listing l = {family, fn, arg};
    const struct tws_ip any = {.family = family};
    const struct ifaddrmsg msg = {.ifa_family = family_of(&any)};
    struct request q = begin(RTM_GETADDR, NLM_F_DUMP, &msg, sizeof msg);
    tws_err err = send_message(r, &q.hdr);

    return err == TWS_OK ? answer(r, tell_address, &l) : err;
}

struct wanted_address {
    unsigned index;
    const struct tws_ip *ip;
    bool found;
};

static void look_for_address(void *arg, const struct tws_rtnl_address *a)
{
    struct wanted_address *w = arg;

    w->found = w->found || (a->device == w->index && tws_ip_equal(&a->ip, w->ip));
}

tws_err tws_rtnl_has_address(struct tws_rtnl *r, unsigned index, const struct tws_ip *ip, bool *out)
{
    struct wanted_address w = {.index = index, .ip = ip};
    tws_err err = tws_rtnl_addresses(r, ip->family, look_for_address, &w);

    *out = w.found;
    return err;
}

/* ---- routes ---- */

tws_err tws_rtnl_route(struct tws_rtnl *r, enum tws_rtnl_change change,
                       const struct tws_ip_route *route)
{
    const struct rtmsg msg = {
        .rtm_family = family_of(&route->to.ip),
        .rtm_dst_len = route->to.bits,
        .rtm_protocol = TWS_NET_MARK,
        .rtm_scope = route->device != 0 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
        .rtm_type = route->device != 0 ? RTN_UNICAST : RTN_UNREACHABLE,
    };
    struct request q = begin(change == TWS_RTNL_ADD ? RTM_NEWROUTE : RTM_DELROUTE, flags_of(change),
                             &msg, sizeof msg);

    add(&q, RTA_DST, route->to.ip.bytes, size_of(&route->to.ip));
    add_u32(&q, RTA_TABLE, route->table != 0 ? route->table : TWS_TABLE_MAIN);
    if (route->device != 0)
        add_u32(&q, RTA_OIF, route->device);
    return ask(r, &q.hdr);
}

static bool take_route(void *ctx, const struct nlmsghdr *m)
{
    const struct rtmsg *msg = data_of(m);
    struct tws_route_answer *out = ctx;

    if (m->nlmsg_type != RTM_NEWROUTE)
        return true;
    out->local = msg->rtm_type == RTN_LOCAL;
    out->device = find_u32(m, sizeof *msg, RTA_OIF);
    return true;
}

tws_err tws_rtnl_ask_route(struct tws_rtnl *r, const struct tws_route_question *question,
                           struct tws_route_answer *out)
{
    const struct tws_ip *from = &question->from, *to = &question->to;
    const struct rtmsg msg = {.rtm_family = family_of(to),
                              .rtm_dst_len = (uint8_t)(8 * size_of(to)),
                              .rtm_src_len = (uint8_t)(from->family != 0 ? 8 * size_of(from) : 0)};
    struct request q = begin(RTM_GETROUTE, NLM_F_ACK, &msg, sizeof msg);

    *out = (struct tws_route_answer){0};
    add(&q, RTA_DST, to->bytes, size_of(to));
    if (from->family != 0)
        add(&q, RTA_SRC, from->bytes, size_of(from));
    if (question->device != 0)
        add_u32(&q, RTA_IIF, question->device);
    if (question->mark != 0)
        add_u32(&q, RTA_MARK, question->mark);
    tws_err err = send_message(r, &q.hdr);
    return err == TWS_OK ? answer(r, take_route, out) : err;
}

struct wanted_route {
    struct tws_ip_route route;
    bool found;
};

static bool look_for_route(void *ctx, const struct nlmsghdr *m)
{
    const struct rtmsg *msg = data_of(m);
    struct wanted_route *w = ctx;
    const struct tws_prefix *to = &w->route.to;

    if (m->nlmsg_type != RTM_NEWROUTE || msg->rtm_family != family_of(&to->ip) ||
        msg->rtm_dst_len != to->bits || find_u32(m, sizeof *msg, RTA_OIF) != w->route.device ||
        find_u32(m, sizeof *msg, RTA_TABLE) != w->route.table)
        return true;
    const void *p = find(m, sizeof *msg, RTA_DST, size_of(&to->ip));
    if (to->bits == 0 || (p != NULL && memcmp(p, to->ip.bytes, size_of(&to->ip)) == 0))
        w->found = true;
    return true;
}

tws_err tws_rtnl_has_route(struct tws_rtnl *r, const struct tws_ip_route *route, bool *out)
{
    struct wanted_route w = {.route = *route};
    const struct rtmsg msg = {.rtm_family = family_of(&route->to.ip)};
    struct request q = begin(RTM_GETROUTE, NLM_F_DUMP, &msg, sizeof msg);
    tws_err err = send_message(r, &q.hdr);

    if (w.route.table == 0)
        w.route.table = TWS_TABLE_MAIN;
    if (err == TWS_OK)
        err = answer(r, look_for_route, &w);
    *out = w.found;
    return err;
}

/* ---- rules ---- */

static uint8_t action_of(const struct tws_ip_rule *rule)
{
    return rule->table != 0 ? FR_ACT_TO_TBL : rule->go_to != 0 ? FR_ACT_GOTO : FR_ACT_NOP;
}

tws_err tws_rtnl_rule(struct tws_rtnl *r, enum tws_rtnl_change change,
                      const struct tws_ip_rule *rule)
{
    const struct fib_rule_hdr msg = {
        .family = rule->family == 4 ? AF_INET : AF_INET6,
        .dst_len = rule->to.ip.family != 0 ? rule->to.bits : 0,
        .action = action_of(rule),
    };
    struct request q = begin(change == TWS_RTNL_ADD ? RTM_NEWRULE : RTM_DELRULE, flags_of(change),
                             &msg, sizeof msg);

    add_u32(&q, FRA_PRIORITY, rule->priority);
    add(&q, FRA_PROTOCOL, &(uint8_t){TWS_NET_MARK}, 1);
    if (rule->to.ip.family != 0)
        add(&q, FRA_DST, rule->to.ip.bytes, size_of(&rule->to.ip));
    if (rule->table != 0)
        add_u32(&q, FRA_TABLE, rule->table);
    else if (rule->go_to != 0)
        add_u32(&q, FRA_GOTO, rule->go_to);
    if (rule->no_default)
        add_u32(&q, FRA_SUPPRESS_PREFIXLEN, 0);
    if (rule->mark != 0)
        add_u32(&q, FRA_FWMARK, rule->mark);
    if (rule->protocol != 0)
        add(&q, FRA_IP_PROTO, &rule->protocol, 1);
    if (rule->port != 0)
        add(&q, FRA_DPORT_RANGE, &(struct fib_rule_port_range){rule->port, rule->port},
            sizeof(struct fib_rule_port_range));
    return ask(r, &q.hdr);
}

/* ---- what bears our mark ---- */

/* Messages of dumps, whole, each aligned. */
struct pile {
    uint8_t *bytes;
    size_t n, cap;
    bool failed; /* out of memory */
};

static bool is_marked(const struct nlmsghdr *m)
{
    const struct rtmsg *route = data_of(m);
    const uint8_t *mark = NULL;

    if (m->nlmsg_type == RTM_NEWROUTE)
        return route->rtm_protocol == TWS_NET_MARK && !(route->rtm_flags & RTM_F_CLONED);
    if (m->nlmsg_type == RTM_NEWADDR)
        mark = find(m, sizeof(struct ifaddrmsg), IFA_PROTO, 1);
    else if (m->nlmsg_type == RTM_NEWRULE)
        mark = find(m, sizeof(struct fib_rule_hdr), FRA_PROTOCOL, 1);
    return mark != NULL && *mark == TWS_NET_MARK;
}

static bool keep(void *ctx, const struct nlmsghdr *m)
{
    size_t size = NLMSG_ALIGN(m->nlmsg_len);
    struct pile *p = ctx;

    if (!is_marked(m))
        return true;
    if (p->n + size > p->cap) {
        size_t cap = 2 * p->cap + size;
        uint8_t *grown = realloc(p->bytes, cap);
        p->failed = p->failed || grown == NULL;
        if (grown == NULL)
            return true;
        p->bytes = grown;
        p->cap = cap;
    }
    memset(p->bytes + p->n, 0, size);
    memcpy(p->bytes + p->n, m, m->nlmsg_len);
    p->n += size;
    return true;
}

static tws_err gather(struct tws_rtnl *r, uint16_t type, struct pile *p)
{
    const struct rtmsg any = {.rtm_family = AF_UNSPEC}; /* as long as the others' headers */
    struct request q = begin(type, NLM_F_DUMP, &any, sizeof any);
    tws_err err = send_message(r, &q.hdr);

    if (err == TWS_OK)
        err = answer(r, keep, p);
    return err == TWS_OK && p->failed ? TWS_NOMEM : err;
}

static struct nlmsghdr *next_message(const struct pile *p, size_t *at)
{
    if (*at >= p->n)
        return NULL;
    struct nlmsghdr *m = (void *)(p->bytes + *at);
    *at += NLMSG_ALIGN(m->nlmsg_len);
    return m;
}

/* The device it belongs to; 0: none. Unreachable routes of IPv6 are said to be loopback's. */
static unsigned device_of(const struct nlmsghdr *m)
{
    const struct ifaddrmsg *address = data_of(m);
    const struct rtmsg *route = data_of(m);

    if (m->nlmsg_type == RTM_NEWADDR)
        return address->ifa_index;
    if (m->nlmsg_type != RTM_NEWROUTE || route->rtm_type != RTN_UNICAST)
        return 0;
    return find_u32(m, sizeof *route, RTA_OIF);
}

static bool is_of_table(const struct nlmsghdr *m)
{
    if (m->nlmsg_type == RTM_NEWRULE)
        return find_u32(m, sizeof(struct fib_rule_hdr), FRA_PRIORITY) - TWS_NET_RULES <
               TWS_NET_NRULES;
    return m->nlmsg_type == RTM_NEWROUTE &&
           find_u32(m, sizeof(struct rtmsg), RTA_TABLE) == TWS_NET_TABLE;
}

static bool is_in_use(struct tws_rtnl *r, unsigned device)
{
    struct tws_netdev dev;

    return device != 0 && tws_rtnl_device(r, device, &dev) == TWS_OK && dev.in_use;
}

static bool table_is_in_use(struct tws_rtnl *r, const struct pile *p)
{
    const struct nlmsghdr *m;
    size_t at = 0;

    while ((m = next_message(p, &at)) != NULL)
        if (m->nlmsg_type == RTM_NEWROUTE && is_of_table(m) && is_in_use(r, device_of(m)))
            return true;
    return false;
}

/* What is gone already is as good as deleted. */
static tws_err send_back(struct tws_rtnl *r, struct nlmsghdr *m, unsigned *count)
{
    m->nlmsg_type = (uint16_t)(m->nlmsg_type + 1); /* RTM_NEW... -> RTM_DEL... */
    m->nlmsg_flags = NLM_F_REQUEST;
    tws_err err = ask(r, m);
    if (err == TWS_SYS && (errno == ENOENT || errno == ESRCH || errno == EADDRNOTAVAIL))
        return TWS_OK;
    *count += err == TWS_OK;
    return err;
}

enum what { OF_DEVICE, OF_TABLE, STALE };

struct sweep {
    enum what what;
    unsigned device;
    bool table_in_use;
    struct tws_rtnl_devices *devices; /* NULL: nobody asks */
};

static void note_device(struct tws_rtnl_devices *d, unsigned device)
{
    size_t i = 0;

    if (d == NULL || device == 0)
        return;
    while (i < d->n && d->index[i] != device)
        i++;
    if (i == d->n && d->n < sizeof d->index / sizeof *d->index)
        d->index[d->n++] = device;
}

static bool is_swept(struct tws_rtnl *r, const struct sweep *s, const struct nlmsghdr *m)
{
    unsigned device = device_of(m);

    if (s->what == OF_DEVICE)
        return device != 0 && device == s->device;
    if (s->what == OF_TABLE)
        return is_of_table(m);
    if (device != 0)
        return !is_in_use(r, device);
    return is_of_table(m) && !s->table_in_use;
}

static tws_err sweep_pile(struct tws_rtnl *r, struct sweep *s, const struct pile *p,
                          unsigned *count)
{
    tws_err err = TWS_OK;
    struct nlmsghdr *m;
    size_t at = 0;

    s->table_in_use = table_is_in_use(r, p);
    while (err == TWS_OK && (m = next_message(p, &at)) != NULL) {
        if (!is_swept(r, s, m))
            continue;
        note_device(s->devices, device_of(m));
        err = send_back(r, m, count);
    }
    return err;
}

static tws_err sweep(struct tws_rtnl *r, struct sweep s, unsigned *count)
{
    static const uint16_t types[] = {RTM_GETRULE, RTM_GETROUTE, RTM_GETADDR};
    struct pile p = {.bytes = NULL};
    tws_err err = TWS_OK;

    for (size_t i = 0; i < sizeof types / sizeof *types && err == TWS_OK; i++)
        err = gather(r, types[i], &p);
    if (err == TWS_OK)
        err = sweep_pile(r, &s, &p, count);
    int saved = errno;
    free(p.bytes);
    errno = saved;
    return err;
}

tws_err tws_rtnl_sweep_device(struct tws_rtnl *r, unsigned device, unsigned *count)
{
    return sweep(r, (struct sweep){.what = OF_DEVICE, .device = device}, count);
}

tws_err tws_rtnl_sweep_table(struct tws_rtnl *r, unsigned *count)
{
    return sweep(r, (struct sweep){.what = OF_TABLE}, count);
}

tws_err tws_rtnl_sweep_stale(struct tws_rtnl *r, unsigned *count, struct tws_rtnl_devices *devices)
{
    return sweep(r, (struct sweep){.what = STALE, .devices = devices}, count);
}
