/*
 * nomem_more.h - scenes of test_nomem.c, which has what they use: those that change the machine and
 * so need one of their own, and reloading.
 */
#ifndef TWS_TESTS_NOMEM_MORE_H
#define TWS_TESTS_NOMEM_MORE_H

#include "netns.h"

#include "tws/net/rtnetlink.h"

#define CAUGHT "198.51.100.1" /* what the client catches */
#define BEHIND "198.51.101.1" /* what is behind the server */

/* False where it cannot. What it does to the machine's network is gone with the test. */
static bool may_change_machine(void)
{
    bool can = access("/usr/sbin/nft", X_OK) == 0 && access("/dev/net/tun", R_OK | W_OK) == 0;

    if (!can)
        fprintf(stderr, "skipped: no nft, or no /dev/net/tun\n");
    return can && netns_enter();
}

/* ---- both sides from their beginning, on a machine that changes with them ---- */

static void begin_both(struct world *w)
{
    world_stop_client(w);
    world_stop_server(w);
    outcome = tws_server_new(w->loop, w->ws, &w->server_cfg, &w->server);
    if (outcome == TWS_OK)
        outcome = tws_client_new(w->loop, w->ws, &w->client_cfg, &w->client);
}

static bool began(struct world *w)
{
    world_do(w, begin_both);
    ck_assert(outcome == TWS_OK || memory.failed); /* TWS_SYS, too, where it was logged: ENOMEM */
    return outcome == TWS_OK;
}

static int socket_to(int type, const char *ip, uint16_t port)
{
    struct sockaddr_in sa = loopback(port);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(inet_pton(AF_INET, ip, &sa.sin_addr), 1);
    if (connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0)
        return fd;
    close(fd);
    return -1;
}

/* The kernel leads it to the client, by rules that are made and removed each time. */
static bool caught_anew(struct world *w)
{
    if (!began(w))
        return false;
    int fd = socket_to(SOCK_STREAM, CAUGHT, 7);
    return fd >= 0 && talk(fd, "", 0, "", 0);
}

/* Packets that the server's device brought, as /proc/net/dev has them. */
static unsigned long brought(void)
{
    FILE *f = fopen("/proc/net/dev", "re");
    unsigned long found = 0;
    char line[512];

    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        char *p = strstr(line, "tun-s:");
        if (p == NULL)
            continue;
        (void)strtoul(p + strlen("tun-s:"), &p, 10); /* bytes */
        found = strtoul(p, NULL, 10);
    }
    if (f != NULL)
        (void)fclose(f);
    return found;
}

/* A packet into the client's device comes out of the server's. */
static bool linked_anew(struct world *w)
{
    bool came = false;

    if (!began(w))
        return false;
    for (int i = 0; i < WORLD_PATIENCE_S * 500 && !came; i++) {
        int fd = socket_to(SOCK_DGRAM, BEHIND, 9);
        if (fd >= 0)
            (void)!send(fd, PAYLOAD, PAYLOAD_N, MSG_NOSIGNAL);
        close(fd);
        poll(NULL, 0, 2);
        came = brought() > 0;
        if (i == SHORTAGE_MS)
            memory_disarm();
    }
    return came;
}

/* ---- the next configuration ---- */

static struct {
    struct tws_client_config client[2];
    struct tws_server_config server[2];
    int which;
} next;

static void reload_both(struct world *w)
{
    next.which ^= 1;
    outcome = tws_server_reload(w->server, &next.server[next.which]);
    if (outcome == TWS_OK)
        outcome = tws_client_reload(w->client, &next.client[next.which]);
}

/* One that fails has changed nothing. */
static bool reloaded(struct world *w)
{
    world_do(w, reload_both);
    ck_assert_int_eq(outcome, memory.failed && outcome != TWS_OK ? TWS_NOMEM : TWS_OK);
    if (outcome == TWS_OK)
        return plain(w);
    memory_disarm();
    ck_assert_msg(plain(w), "after a reload that failed: no service");
    return false;
}

/* ---- what the world looks like for them ---- */

static struct tws_prefix prefix_of(const char *text)
{
    struct tws_prefix p;

    ck_assert_int_eq(tws_prefix_parse(text, &p), TWS_OK);
    return p;
}

/* Connections to the network begin, at an address that is no loopback one. */
static void has_way_to(const char *network)
{
    const struct tws_prefix own = prefix_of("10.99.0.1");
    const struct tws_ip_route route = {.to = prefix_of(network), .device = if_nametoindex("lo")};
    struct tws_rtnl r;

    ck_assert_int_eq(tws_rtnl_open(&r), TWS_OK);
    ck_assert_int_eq(tws_rtnl_address(&r, TWS_RTNL_ADD, route.device, &own), TWS_OK);
    ck_assert_int_eq(tws_rtnl_route(&r, TWS_RTNL_ADD, &route), TWS_OK);
    tws_rtnl_close(&r);
}

/* The server leads it on to the target. */
static void is_transparent(struct world *w)
{
    static struct tws_prefix networks;

    has_way_to(CAUGHT);
    networks = prefix_of(CAUGHT);
    outlet = (struct tws_outlet){.ipv4 = {prefix_of("127.0.0.1").ip, port_of(w->target)}};
    w->server_cfg.outlets = &outlet;
    w->server_cfg.noutlets = 1;
    w->forwards[0].kind = TWS_FORWARD_TRANSPARENT;
    w->forwards[0].remote = (struct tws_spot){.type = TWS_SPOT_NONE};
    w->forwards[0].networks = &networks;
    w->forwards[0].nnetworks = 1;
    w->forwards[0].local = true;
    w->client_cfg.nforwards = 1;
}

static void is_ip_link(struct world *w)
{
    static struct tws_prefix own, theirs, route;
    static struct tws_tun_config server, client;
    static char names[2][8] = {"tun-s", "tun-c"};

    own = (struct tws_prefix){prefix_of("10.9.0.1").ip, 24};
    theirs = prefix_of("10.10.0.2");
    route = prefix_of(BEHIND);
    server = (struct tws_tun_config){
        .device = names[0], .addresses = &own, .naddresses = 1, .mtu = 1500};
    client =
        (struct tws_tun_config){.device = names[1], .routes = &route, .nroutes = 1, .mtu = 1500};
    w->server_cfg.tun = &server;
    w->user.tun = &theirs;
    w->user.ntun = 1;
    w->forwards[0] = (struct tws_forward){.kind = TWS_FORWARD_TUN, .tun = &client};
    w->client_cfg.nforwards = 1;
}

/* With more forwards, another user, and other ways out; and back. */
static void has_a_next(struct world *w)
{
    static struct tws_forward forwards[3];
    static struct tws_user users[2];
    static char bob[] = "bob";

    next.client[0] = next.client[1] = w->client_cfg;
    next.server[0] = next.server[1] = w->server_cfg;
    memcpy(forwards, w->forwards, sizeof w->forwards);
    forwards[1] =
        (struct tws_forward){.listen = local_spot(free_port()), .kind = TWS_FORWARD_PROXY};
    forwards[2] = (struct tws_forward){.listen = local_spot(free_port()),
                                       .remote = local_spot(port_of(datagram_target)),
                                       .kind = TWS_FORWARD_UDP};
    next.client[1].forwards = forwards;
    next.client[1].nforwards = 3;
    users[0] = w->user;
    users[1] = (struct tws_user){.name = bob, .key = {.id = {7}, .psk = {7}}};
    outlet = (struct tws_outlet){.bind = prefix_of("127.0.0.1").ip};
    next.server[1].users = users;
    next.server[1].nusers = 2;
    next.server[1].outlets = &outlet;
    next.server[1].noutlets = 1;
}

#endif
