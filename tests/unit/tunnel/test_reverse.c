/*
 * test_reverse.c - a client's reverse forwards against a server that is made up here: what it is
 * asked, and that nothing it sends makes the client connect to what its configuration does not say.
 *
 * The server is a list of frames put into the client's session; where the client went is in the
 * audit line that each of its channels leaves.
 */
#include "pool_priv.h"
#include "suite.h"

#include "tws/base/log.h"
#include "tws/proto/code.h"
#include "tws/proto/frame.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TO_REMOTE = 1, BY_RULES = 3, NOWHERE = 5 }; /* the listening channels, in this order */

static struct tws_loop *loop;
static struct tws_pool pool;
static struct tws_link *link;
static struct tws_forward forwards[2];
static struct tws_rule rule;
static struct tws_client_config config;
static uint32_t next_channel;
static char log_text[1 << 20];
static unsigned warnings;

static const struct tws_link_limits limits = {
    .grace_ms = 30000, .heartbeat_ms = 15000, .give_up_ms = 10000, .memory = 64 << 20};

static void keep_line(void *ctx, enum tws_log_level level, const char *line, size_t len)
{
    size_t at = strlen(log_text);

    (void)ctx;
    warnings += level == TWS_LOG_WARN;
    if (at + len + 2 > sizeof log_text)
        return;
    memcpy(log_text + at, line, len);
    memcpy(log_text + at + len, "\n", 2);
}

static unsigned count_log(const char *text)
{
    unsigned n = 0;

    for (const char *p = log_text; (p = strstr(p, text)) != NULL; p++)
        n++;
    return n;
}

/* ---- the client ---- */

static void on_open(void *arg, struct tws_channel *ch, struct tws_span payload)
{
    (void)arg;
    tws_reverse_open(&pool.reverse, ch, payload);
}

static void on_over(void *arg, uint16_t code, const char *text)
{
    (void)arg;
    ck_abort_msg("session over: %u %s", code, text);
}

static const struct tws_carrier_events events = {.on_open = on_open, .on_over = on_over};

static struct tws_carrier *new_session(void)
{
    static const uint8_t id[16] = {1};
    struct tws_hs_params peer;
    struct tws_carrier_config cfg = {.client = true,
                                     .limits = &limits,
                                     .peer = &peer,
                                     .session_id = id,
                                     .user = "test",
                                     .audit_level = TWS_LOG_DEBUG,
                                     .events = &events};
    struct tws_carrier *c = NULL;

    tws_hs_params_init(&peer);
    ck_assert_int_eq(tws_carrier_new(loop, &cfg, &c), TWS_OK);
    return c;
}

static void begin_session(void)
{
    struct tws_link_config cfg = {.id = 1};

    pool.carrier = new_session();
    pool.carrier->nlinks = 1; /* the one below */
    ck_assert_int_eq(tws_session_link_add(pool.carrier->session, &cfg, tws_loop_now(loop), &link),
                     TWS_OK);
    tws_reverse_begin(&pool.reverse, pool.carrier);
    tws_reverse_ready(&pool.reverse);
}

static void set_up(void)
{

    log_text[0] = '\0';
    warnings = 0;
    tws_log_set(TWS_LOG_DEBUG, keep_line, NULL);
    ck_assert_int_eq(tws_loop_new(&loop), TWS_OK);
    const struct tws_spot listen = {.type = TWS_SPOT_INET, .port = 2222, .last = 2222};
    forwards[0] = (struct tws_forward){.listen = listen, .remote = listen};
    memcpy(forwards[0].remote.name, "127.0.0.1", sizeof "127.0.0.1");
    forwards[1] = (struct tws_forward){.listen = listen, .kind = TWS_FORWARD_SOCKS};
    memcpy(forwards[1].listen.name, "127.0.0.1", sizeof "127.0.0.1");
    forwards[1].listen.port = forwards[1].listen.last = 0;
    rule = (struct tws_rule){.port_min = 80, .port_max = 80};
    ck_assert_int_eq(tws_prefix_parse("10.0.0.0/8", &rule.prefix), TWS_OK);
    forwards[1].allow = &rule;
    forwards[1].nallow = 1;
    config = (struct tws_client_config){
        .reverses = forwards, .nreverses = 2, .connect_timeout_ms = 10000, .link = limits};
    pool = (struct tws_pool){.loop = loop};
    tws_reverse_init(&pool.reverse, &pool, 1);
    ck_assert_int_eq(tws_reverse_set(&pool.reverse, &config), TWS_OK);
    begin_session();
    next_channel = 2;
}

static void end_session(void)
{
    pool.carrier->nlinks = 0;
    tws_carrier_free(pool.carrier);
    pool.carrier = NULL;
    tws_reverse_forget(&pool.reverse);
}

static void tear_down(void)
{
    if (pool.carrier != NULL)
        end_session();
    tws_reverse_fini(&pool.reverse);
    tws_loop_free(loop);
    tws_log_set(TWS_LOG_INFO, NULL, NULL);
}

/* ---- the server ---- */

static void put(uint8_t type, uint32_t channel, const uint8_t *payload, size_t n)
{
    static uint8_t message[TWS_FRAME_HDR + 1024];
    const struct tws_frame f = {.type = type, .channel = channel, .len = (uint16_t)n};

    tws_frame_put_header(message, &f);
    if (n > 0)
        memcpy(message + TWS_FRAME_HDR, payload, n);
    tws_session_recv(pool.carrier->session, link, (struct tws_span){message, TWS_FRAME_HDR + n},
                     tws_loop_now(loop));
    tws_carrier_hand_out(pool.carrier);
}

/* The client's next frame of `type`; its payload is copied. False: there is none. */
static bool get(uint8_t type, struct tws_frame *f, uint8_t payload[1024])
{
    uint64_t now = tws_loop_now(loop);
    struct tws_session *s = pool.carrier->session;
    struct tws_pull p;
    struct tws_span m;
    size_t used = 0;
    bool found = false;

    while (tws_session_pull(s, link, now, &p))
        tws_session_pulled(s, 0, 0);
    while (!found && tws_session_next_message(s, link, now, &m)) {
        for (; m.n > 0 && tws_frame_decode(m, f, &used) == TWS_OK; m.p += used, m.n -= used)
            if (!found && f->type == type) {
                found = true;
                memcpy(payload, f->payload, f->len);
                break;
            }
        tws_session_sent(s, link, now);
    }
    return found;
}

static void open_with(const struct tws_open *open)
{
    uint8_t payload[TWS_OPEN_MAX];
    struct tws_writer w = tws_writer(payload, sizeof payload);

    tws_open_write(&w, open);
    ck_assert(!w.failed);
    put(TWS_FRAME_OPEN, next_channel, payload, w.len);
    next_channel += 2;
}

static struct tws_target target(const char *host, uint16_t port)
{
    struct tws_hostport hp = {.port = port};
    struct tws_target t;

    (void)snprintf(hp.host, sizeof hp.host, "%s", host);
    tws_target_from_hostport(&hp, &t);
    return t;
}

/* ---- asking ---- */

struct wishes {
    struct tws_open open[2];
    uint32_t channel[2];
    unsigned n;
};

/* What the client asked for so far; its messages are gone afterwards. */
static struct wishes take_wishes(void)
{
    struct tws_session *s = pool.carrier->session;
    struct wishes all = {.n = 0};
    struct tws_frame f;
    struct tws_span m;
    size_t used = 0;

    while (tws_session_next_message(s, link, tws_loop_now(loop), &m)) {
        for (; m.n > 0 && tws_frame_decode(m, &f, &used) == TWS_OK; m.p += used, m.n -= used) {
            if (f.type != TWS_FRAME_OPEN || all.n == 2)
                continue;
            ck_assert_int_eq(tws_open_read((struct tws_span){f.payload, f.len}, &all.open[all.n]),
                             TWS_OK);
            all.channel[all.n++] = f.channel;
        }
        tws_session_sent(s, link, tws_loop_now(loop));
    }
    return all;
}

START_TEST(each_forward_is_asked_for_as_it_is_written)
{
    const struct wishes all = take_wishes();
    const struct tws_open *o = all.open;

    ck_assert_uint_eq(all.n, 2);
    ck_assert_uint_eq(all.channel[0], TO_REMOTE);
    ck_assert_uint_eq(o[0].kind, TWS_KIND_LISTEN);
    ck_assert_uint_eq(o[0].accepts, TWS_KIND_TCP);
    ck_assert_uint_eq(o[0].speaks, 0);
    ck_assert_uint_eq(o[0].target.type, TWS_TARGET_IPV6); /* no host: every address */
    ck_assert_uint_eq(o[0].target.ip.bytes[15], 0);
    ck_assert_uint_eq(o[0].target.port, 2222);
    ck_assert_uint_eq(all.channel[1], BY_RULES);
    ck_assert_uint_eq(o[1].speaks, TWS_SPEAKS_SOCKS);
    ck_assert_uint_eq(o[1].target.type, TWS_TARGET_IPV4);
    ck_assert_uint_eq(o[1].target.port, 0);
}
END_TEST

START_TEST(a_refusal_is_said_once_and_asked_for_again)
{
    static const uint8_t forbidden[] = {0, TWS_CODE_FORBIDDEN, 'n', 'o', '!'};

    for (unsigned i = 0; i < 2; i++) {
        ck_assert_uint_eq(take_wishes().n, 2);
        put(TWS_FRAME_RESET, TO_REMOTE, forbidden, sizeof forbidden);
        ck_assert_uint_eq(count_log("reverse forward refused"), i + 1);
        ck_assert_uint_eq(warnings, 1);
        ck_assert(tws_timer_running(&pool.reverse.timer));
        ck_assert_uint_eq(pool.carrier->nlocals, 1); /* the other one */
        end_session();
        begin_session();
    }
}
END_TEST

START_TEST(an_old_server_s_answer_says_to_update_it)
{
    static const uint8_t protocol[] = {0, TWS_CODE_PROTOCOL, 'n', 'o', 't'};

    (void)take_wishes();
    put(TWS_FRAME_RESET, TO_REMOTE, protocol, sizeof protocol);
    ck_assert_uint_eq(count_log("the server may be too old for reverse forwards: update it"), 1);
    /* Channels of a kind that it knows go on as if nothing had been. */
    struct tws_open o = {.kind = TWS_KIND_TCP, .target = target("127.0.0.1", 80)};
    uint8_t payload[TWS_OPEN_MAX];
    struct tws_writer w = tws_writer(payload, sizeof payload);
    struct tws_channel *ch = NULL;
    struct tws_frame f;
    uint8_t got[1024];
    tws_open_write(&w, &o);
    ck_assert_int_eq(tws_pool_open(&pool, (struct tws_span){payload, w.len}, &ch), TWS_OK);
    ck_assert(get(TWS_FRAME_OPEN, &f, got));
    ck_assert_uint_eq(got[0], TWS_KIND_TCP);
    tws_channel_reset(ch, TWS_CODE_NONE, NULL, tws_loop_now(loop));
}
END_TEST

/* Bytes, an end, or a stop on a listening channel end it, and nothing else. */
START_TEST(a_listening_channel_carries_nothing)
{
    static const uint8_t stop[] = {0, TWS_CODE_IDLE};
    static const uint8_t opened[] = {1, 127, 0, 0, 1, 8, 174};

    (void)take_wishes();
    put(TWS_FRAME_OPENED, TO_REMOTE, opened, sizeof opened);
    ck_assert_uint_eq(count_log("reverse listening session"), 1);
    ck_assert_uint_eq(count_log("listen=127.0.0.1:2222 remote=127.0.0.1:2222"), 1);
    if (_i == 0)
        put(TWS_FRAME_DATA, TO_REMOTE, opened, sizeof opened);
    else
        put(TWS_FRAME_STOP, TO_REMOTE, stop, sizeof stop);
    ck_assert_uint_eq(count_log("reverse listening over"), 1);
    open_with(&(struct tws_open){
        .kind = TWS_KIND_TCP, .target = target("127.0.0.1", 9), .listener = TO_REMOTE});
    ck_assert_uint_eq(pool.reverse.judge.nchannels, 0);
}
END_TEST

/* ---- what the server opens ---- */

static const struct {
    const char *about;
    uint8_t kind;
    uint32_t listener;
    const char *host;
    uint16_t port;
    const char *goes_to; /* as the audit line has it; NULL: it has none, nothing was allowed */
} openings[] = {
    {"to the forward's remote", TWS_KIND_TCP, TO_REMOTE, "127.0.0.1", 2222, "127.0.0.1:2222"},
    {"another target", TWS_KIND_TCP, TO_REMOTE, "10.9.9.9", 80, "127.0.0.1:2222"},
    {"another kind", TWS_KIND_UNIX, TO_REMOTE, "10.9.9.9", 80, "127.0.0.1:2222"},
    {"another kind, with datagrams", TWS_KIND_UDP, TO_REMOTE, "10.9.9.9", 80, "127.0.0.1:2222"},
    {"to listen", TWS_KIND_LISTEN, TO_REMOTE, "10.9.9.9", 80, "127.0.0.1:2222"},
    {"no listener", TWS_KIND_TCP, 0, "127.0.0.1", 2222, NULL},
    {"no listener of ours", TWS_KIND_TCP, NOWHERE, "127.0.0.1", 2222, NULL},
    {"a listener of its own", TWS_KIND_TCP, 2, "127.0.0.1", 2222, NULL},
    {"to listen, by nothing", TWS_KIND_LISTEN, 0, "127.0.0.1", 2222, NULL},
};

START_TEST(nothing_the_server_says_chooses_where_the_client_connects_to)
{
    struct tws_frame f;
    uint8_t payload[1024];
    char line[96];

    open_with(&(struct tws_open){.kind = openings[_i].kind,
                                 .target = target(openings[_i].host, openings[_i].port),
                                 .listener = openings[_i].listener});
    ck_assert_uint_eq(pool.reverse.judge.nchannels, openings[_i].goes_to != NULL);
    if (openings[_i].goes_to == NULL) {
        ck_assert(get(TWS_FRAME_RESET, &f, payload));
        ck_assert_uint_eq(payload[1], TWS_CODE_FORBIDDEN);
        ck_assert_uint_eq(count_log("channel refused"), 1);
    }
    end_session();
    ck_assert_uint_eq(count_log("channel session="), openings[_i].goes_to != NULL);
    if (openings[_i].goes_to == NULL)
        return;
    (void)snprintf(line, sizeof line, " target=%s ", openings[_i].goes_to);
    ck_assert_uint_eq(count_log(line), 1);
}
END_TEST

static const struct {
    uint8_t kind;
    const char *host;
    uint16_t port;
    bool allowed;
} asked[] = {
    {TWS_KIND_TCP, "10.1.2.3", 80, true},          {TWS_KIND_TCP, "10.1.2.3", 81, false},
    {TWS_KIND_TCP, "127.0.0.1", 80, false},        {TWS_KIND_TCP, "::ffff:10.1.2.3", 80, true},
    {TWS_KIND_TCP, "::ffff:127.0.0.1", 80, false}, {TWS_KIND_TCP, "169.254.169.254", 80, false},
    {TWS_KIND_LISTEN, "10.1.2.3", 80, false},      {TWS_KIND_TUN, "10.1.2.3", 80, false},
    {TWS_KIND_UNIX, "10.1.2.3", 80, false},
};

START_TEST(a_reversed_proxy_connects_to_what_the_client_s_rules_allow)
{
    struct tws_frame f;
    uint8_t payload[1024];

    open_with(&(struct tws_open){.kind = asked[_i].kind,
                                 .target = target(asked[_i].host, asked[_i].port),
                                 .listener = BY_RULES});
    bool refused = get(TWS_FRAME_RESET, &f, payload);
    ck_assert_int_eq(refused, !asked[_i].allowed);
    if (refused)
        ck_assert_uint_eq(payload[1], TWS_CODE_FORBIDDEN);
    ck_assert_uint_eq(pool.reverse.egress.dialling, asked[_i].allowed);
}
END_TEST

/* A name is resolved by the client, and what it resolves to is judged; here nothing is. */
START_TEST(a_forward_that_goes_ends_what_is_being_dialled_for_it)
{
    struct tws_ip ip = {4, {10, 1, 2, 3}};
    struct tws_judge *j = &pool.reverse.judge;
    struct tws_open o = {
        .kind = TWS_KIND_TCP, .target = target("10.1.2.3", 80), .listener = BY_RULES};
    struct tws_permit permit = {.kind = TWS_KIND_TCP, .listener = BY_RULES};
    const char *why = NULL;

    ck_assert_uint_eq(j->ops->opening(j, &o, &permit, &why), TWS_CODE_NONE);
    ck_assert(j->ops->address(j, &permit, &ip, 80));
    rule.port_min = rule.port_max = 81; /* as a reload would */
    ck_assert(!j->ops->address(j, &permit, &ip, 80));
    rule.port_min = 80;
    ck_assert(j->ops->address(j, &permit, &ip, 80));
    config.nreverses = 1;
    ck_assert_int_eq(tws_reverse_set(&pool.reverse, &config), TWS_OK);
    ck_assert(!j->ops->address(j, &permit, &ip, 80));
}
END_TEST

/* Whatever the bytes: only an OPEN that names a listening channel gets anywhere, and there. */
START_TEST(made_up_openings_lead_nowhere)
{
    uint32_t x = 12345;
    unsigned allowed = 0;

    for (int i = 0; i < 3000; i++) {
        uint8_t bytes[48];
        size_t n = sizeof bytes;
        struct tws_open o = {.kind = TWS_KIND_TCP, .target = target("10.9.9.9", 80)};
        struct tws_writer w = tws_writer(bytes, sizeof bytes);
        o.listener = (uint32_t)i % 8;
        o.source = target("192.0.2.1", 7);
        tws_open_write(&w, &o);
        n = w.len;
        for (int flips = i % 5; flips > 0; flips--) {
            x = x * 1664525 + 1013904223;
            bytes[(x >> 8) % n] = (uint8_t)(x >> 24);
        }
        bool reads = tws_open_read((struct tws_span){bytes, n}, &o) == TWS_OK;
        unsigned before = pool.reverse.judge.nchannels;
        put(TWS_FRAME_OPEN, next_channel, bytes, n);
        next_channel += 2;
        unsigned more = pool.reverse.judge.nchannels - before;
        bool known = reads && (o.listener == TO_REMOTE || o.listener == BY_RULES);
        ck_assert_msg(more == known, "%u", (unsigned)i);
        allowed += more;
    }
    ck_assert_uint_gt(allowed, 100);
    end_session();
    ck_assert_uint_gt(count_log(" target=127.0.0.1:2222 "), 50);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("reverse");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, each_forward_is_asked_for_as_it_is_written);
    tcase_add_test(tc, a_refusal_is_said_once_and_asked_for_again);
    tcase_add_test(tc, an_old_server_s_answer_says_to_update_it);
    tcase_add_loop_test(tc, a_listening_channel_carries_nothing, 0, 2);
    tcase_add_loop_test(tc, nothing_the_server_says_chooses_where_the_client_connects_to, 0,
                        COUNT_OF(openings));
    tcase_add_loop_test(tc, a_reversed_proxy_connects_to_what_the_client_s_rules_allow, 0,
                        COUNT_OF(asked));
    tcase_add_test(tc, a_forward_that_goes_ends_what_is_being_dialled_for_it);
    tcase_add_test(tc, made_up_openings_lead_nowhere);
    return run_suite("tunnel/reverse", tc);
}
