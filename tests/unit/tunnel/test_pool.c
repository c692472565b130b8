/*
 * test_pool.c - what a pool replaces before it is worn out, links and sessions, and what it says
 * when the server takes no more sessions. Wear is put on by hand.
 */
#include "client_priv.h"
#include "live_link_priv.h"
#include "server_priv.h"
#include "session_priv.h"
#include "suite.h"
#include "tunnel_world.h"

#define IDS_MAX (UINT32_MAX / 4 * 3 - 65536) /* as in pool.c */

/* ---- when a link is worn ---- */

#define DAY_US (UINT64_C(24) * 3600 * 1000000)

static const struct {
    struct tws_live_link link;
    uint64_t now;
    bool worn;
} wear[] = {
    {{.sealed = true, .bytes = 1, .since_us = 7}, 8, false},
    {{.sealed = true, .bytes = (UINT64_C(1) << 40) - 1, .since_us = 7}, DAY_US + 6, false},
    {{.sealed = true, .bytes = UINT64_C(1) << 40, .since_us = 7}, 8, true},
    {{.sealed = true, .bytes = 1, .since_us = 7}, DAY_US + 7, true},
    {{.sealed = false, .bytes = UINT64_MAX, .since_us = 7}, 10 * DAY_US, false},
    {{.terms.retire_at_us = 100}, 99, false},
    {{.terms.retire_at_us = 100}, 100, true},
};

START_TEST(keys_are_worn_after_2_to_the_40_bytes_or_a_day)
{
    ck_assert_int_eq(tws_live_link_worn(&wear[_i].link, wear[_i].now), wear[_i].worn);
}
END_TEST

/* ---- replacing ---- */

static struct tws_pool *pool_of(struct world *w)
{
    return w->client->current[0];
}

/* What each link has carried so far; the least of them. */
static uint64_t carried;

static void weigh_links(struct world *w)
{
    struct tws_node *it, *next;

    carried = 0;
    TWS_LIST_EACH(it, next, &pool_of(w)->carrier->links)
    carried += TWS_CONTAINER(it, struct tws_live_link, live_node)->bytes;
}

static void wear_keys(struct world *w)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &pool_of(w)->carrier->links)
    TWS_CONTAINER(it, struct tws_live_link, live_node)->bytes += TWS_RECORD_BYTES_MAX;
    tws_pool_look_at(pool_of(w), 0);
}

static void age_keys(struct world *w)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &pool_of(w)->carrier->links)
    TWS_CONTAINER(it, struct tws_live_link, live_node)->since_us -= TWS_RECORD_AGE_MAX_US;
    tws_pool_look_at(pool_of(w), 0);
}

/* The time for which a replaced link goes on is over. */
static void end_overlap(struct world *w)
{
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &pool_of(w)->carrier->links)
    {
        struct tws_live_link *l = TWS_CONTAINER(it, struct tws_live_link, live_node);
        if (l->close_at_us != 0)
            l->close_at_us = 1;
    }
    tws_pool_look_at(pool_of(w), 0);
}

START_TEST(worn_links_give_way_to_fresh_ones_and_channels_stay)
{
    struct world *w = world_new();

    w->server_cfg.link.encrypt = TWS_ENCRYPT_REQUIRE;
    world_do(w, world_start_server);
    world_do(w, world_start_client);
    world_await_log(w, "link up", 4);
    struct ends e = world_open(w);
    exchange(&e, 1000000);
    world_do(w, weigh_links);
    ck_assert_uint_ge(carried, 2000000); /* both ways count */
    world_do(w, _i == 0 ? wear_keys : age_keys);
    world_await_log(w, "link up", 8);
    ck_assert_uint_eq(world_count_log(w, "link down"), 0); /* first the successor */
    exchange(&e, 1000000);
    world_do(w, end_overlap);
    world_await_log(w, "replaced by a fresh one", 2);
    exchange(&e, 1000000);
    ck_assert_uint_eq(world_count_log(w, "session new"), 1);
    ends_close(&e);
    world_free(w);
}
END_TEST

/* ---- ids ---- */

static void use_up_client_ids(struct world *w)
{
    pool_of(w)->carrier->session->next_id = IDS_MAX | 1;
}

START_TEST(at_three_quarters_of_the_ids_a_new_session_begins)
{
    struct world *w = world_ready();
    struct ends old = world_open(w);

    world_do(w, use_up_client_ids);
    struct ends last = world_open(w);
    world_await_log(w, "the session's channel ids run out", 1);
    world_await_log(w, "session new", 2);
    struct ends fresh = world_open(w);
    exchange(&fresh, 1000);
    exchange(&old, 1000);
    exchange(&last, 1000);
    ends_close(&old);
    ck_assert_uint_eq(world_count_log(w, "session over"), 0);
    ends_close(&last);
    world_await_log(w, "session over", 2); /* on both sides */
    exchange(&fresh, 1000);
    ends_close(&fresh);
    world_free(w);
}
END_TEST

static struct tws_carrier *server_carrier(struct world *w)
{
    struct tws_node *accounts = &w->server->accounts;
    struct tws_account *a = TWS_CONTAINER(accounts->next, struct tws_account, account_node);

    return TWS_CONTAINER(a->sessions.next, struct tws_held, held_node)->carrier;
}

/* A server that listens for its client opens channels, too, with ids of its own. */
static void use_up_server_ids(struct world *w)
{
    server_carrier(w)->session->next_id = (IDS_MAX + 1) & ~1u;
}

static struct ends reversed(struct world *w, uint16_t port)
{
    struct sockaddr_in sa = loopback(port);
    struct ends e = {.near = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};

    be_patient(e.near);
    ck_assert_int_eq(connect(e.near, (struct sockaddr *)&sa, sizeof sa), 0);
    e.far = world_accept(w);
    return e;
}

START_TEST(the_ids_of_what_the_server_opens_run_out_as_well)
{
    struct world *w = world_new();
    const uint16_t port = free_port();
    struct tws_forward forward = {.listen = local_spot(port),
                                  .remote = local_spot(port_of(w->target))};
    struct tws_rule rule = {.port_min = 1, .port_max = 65535};

    ck_assert_int_eq(tws_prefix_parse("127.0.0.0/8", &rule.prefix), TWS_OK);
    w->user.listen = &rule;
    w->user.nlisten = 1;
    w->client_cfg.reverses = &forward;
    w->client_cfg.nreverses = 1;
    world_do(w, world_start_server);
    world_do(w, world_start_client);
    world_await_log(w, "reverse listening session", 2); /* on both sides */
    struct ends old = reversed(w, port);
    world_do(w, use_up_server_ids);
    struct ends last = reversed(w, port);
    world_await_log(w, "the session's channel ids run out", 1);
    world_await_log(w, "reverse listening session", 4);
    struct ends fresh = reversed(w, port);
    exchange(&fresh, 1000);
    exchange(&old, 1000);
    exchange(&last, 1000);
    ends_close(&old);
    ends_close(&last);
    world_await_log(w, "session over", 2);
    exchange(&fresh, 1000);
    ends_close(&fresh);
    world_free(w);
}
END_TEST

/* ---- draining ---- */

static void on_drained(void *arg, bool settled)
{
    (void)arg;
    tws_log(TWS_LOG_INFO, "test: drained", "settled=%d", settled);
}

static void drain(struct world *w)
{
    tws_client_drain(w->client, on_drained, w);
}

static uint32_t nwaiting;
static bool server_knows;

static void look(struct world *w)
{
    nwaiting = w->client->ingress.nwaiting;
    server_knows = server_carrier(w)->peer_drains;
}

START_TEST(who_waits_for_a_channel_has_it_before_the_session_drains)
{
    struct world *w = world_new();

    w->server_cfg.link.max_channels = 1;
    world_do(w, world_start_server);
    world_do(w, world_start_client);
    world_await_log(w, "link up", 4);
    struct ends first = world_open(w), last = {.near = world_connect(w, 0)};
    for (nwaiting = 0; nwaiting == 0;)
        world_do(w, look);
    world_do(w, drain);
    ends_close(&first);
    last.far = world_accept(w);
    exchange(&last, 1000);
    for (server_knows = false; !server_knows;)
        world_do(w, look);
    ends_close(&last);
    world_await_log(w, "test: drained settled=1", 1);
    world_free(w);
}
END_TEST

/* ---- the server's limit ---- */

static struct tws_client *first;

/* Another client of the same user. */
static void start_second_client(struct world *w)
{
    static struct tws_client_config second;
    static char name[] = "desktop";

    second = w->client_cfg;
    second.name = name;
    second.forwards = NULL;
    second.nforwards = 0;
    first = w->client;
    ck_assert_int_eq(tws_client_new(w->loop, w->ws, &second, &w->client), TWS_OK);
}

static void stop_first_client(struct world *w)
{
    (void)w;
    tws_client_free(first);
}

START_TEST(a_session_above_the_user_s_limit_is_refused_until_there_is_room)
{
    struct world *w = world_new();

    w->user.max_sessions = 1;
    world_do(w, world_start_server);
    world_do(w, world_start_client);
    struct ends e = world_open(w);
    world_do(w, start_second_client);
    world_await_log(w, "reason=\"the user's max_sessions is reached\"", 1);
    world_await_log(w, "the server refused (14): the user's max_sessions is reached", 1);
    exchange(&e, 1000);
    ck_assert_uint_eq(world_count_log(w, "session new"), 1);
    ends_close(&e);
    world_do(w, stop_first_client);
    world_await_log(w, "session new", 2);
    ck_assert_uint_eq(world_count_log(w, "cannot connect"), 1); /* said once */
    world_free(w);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("pool");

    tcase_set_timeout(tc, 90);
    tcase_add_loop_test(tc, keys_are_worn_after_2_to_the_40_bytes_or_a_day, 0, COUNT_OF(wear));
    tcase_add_loop_test(tc, worn_links_give_way_to_fresh_ones_and_channels_stay, 0, 2);
    tcase_add_test(tc, at_three_quarters_of_the_ids_a_new_session_begins);
    tcase_add_test(tc, the_ids_of_what_the_server_opens_run_out_as_well);
    tcase_add_test(tc, who_waits_for_a_channel_has_it_before_the_session_drains);
    tcase_add_test(tc, a_session_above_the_user_s_limit_is_refused_until_there_is_room);
    return run_suite("tunnel/pool", tc);
}
