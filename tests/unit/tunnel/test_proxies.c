/* test_proxies.c - SOCKS and HTTP clients of a tunnel, as bytes: what they hear, and when. */
#include "suite.h"
#include "tunnel_world.h"

/* A world whose first forward is of that kind; nothing runs yet. */
static struct world *world_of_kind(enum tws_forward_kind kind)
{
    struct world *w = world_new();

    w->forwards[0].kind = kind;
    w->forwards[0].remote = (struct tws_spot){.type = TWS_SPOT_NONE};
    return w;
}

static struct world *world_ready_of_kind(enum tws_forward_kind kind)
{
    struct world *w = world_of_kind(kind);

    world_do(w, world_start_server);
    world_do(w, world_start_client);
    world_await_log(w, "link up", 4);
    return w;
}

static void put_bytes(int fd, const void *p, size_t n)
{
    ck_assert_int_eq(send(fd, p, n, MSG_NOSIGNAL), (ssize_t)n);
}

static void expect_bytes(int fd, const void *want, size_t n)
{
    uint8_t got[512];

    ck_assert_uint_le(n, sizeof got);
    ck_assert_int_eq(recv(fd, got, n, MSG_WAITALL), (ssize_t)n);
    ck_assert_mem_eq(got, want, n);
}

/* SOCKS5: CONNECT to a port of this machine, and what shall follow it at once. */
static int ask(struct world *w, uint16_t port, const char *early)
{
    uint8_t request[13] = {5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, (uint8_t)(port >> 8), (uint8_t)port};
    int fd = world_connect(w, 0);

    put_bytes(fd, request, sizeof request);
    put_text(fd, early);
    expect_bytes(fd, "\5\0", 2);
    return fd;
}

static void expect_refusal(int fd, uint8_t reply)
{
    uint8_t want[10] = {5, reply, 0, 1};

    expect_bytes(fd, want, sizeof want);
    expect_eof(fd);
    close(fd);
}

START_TEST(early_bytes_come_first_and_the_reply_before_the_target_s_own)
{
    struct world *w = world_ready_of_kind(TWS_FORWARD_SOCKS);
    uint8_t reply[10];
    int fd = ask(w, port_of(w->target), "early ");
    int far = world_accept(w);
    struct ends e = {.near = fd, .far = far};

    put_text(far, "banner");
    expect_text(far, "early ");
    ck_assert_int_eq(recv(fd, reply, sizeof reply, MSG_WAITALL), 10);
    ck_assert_mem_eq(reply, "\5\0\0\1\177\0\0\1", 8);
    expect_text(fd, "banner");
    exchange(&e, 1 << 20);
    ends_close(&e);
    world_await_log(w, "reason=\"closed\"", 2);
    world_free(w);
}
END_TEST

/* The end is there before anybody watches for it. */
START_TEST(a_request_with_all_bytes_and_the_end_behind_it)
{
    struct world *w = world_ready_of_kind(TWS_FORWARD_SOCKS);
    uint16_t port = port_of(w->target);
    uint8_t request[10] = {5, 1, 0, 1, 127, 0, 0, 1, (uint8_t)(port >> 8), (uint8_t)port};
    int fd = world_connect(w, 0);

    put_bytes(fd, "\5\1\0", 3);
    expect_bytes(fd, "\5\0", 2);
    put_bytes(fd, request, sizeof request);
    put_text(fd, "all there is");
    shutdown(fd, SHUT_WR);
    int far = world_accept(w);
    expect_text(far, "all there is");
    expect_eof(far);
    put_text(far, "answer");
    close(far);
    expect_bytes(fd, "\5\0\0\1\177\0\0\1", 8);
    uint8_t bound[2];
    ck_assert_int_eq(recv(fd, bound, sizeof bound, MSG_WAITALL), 2);
    expect_text(fd, "answer");
    expect_eof(fd);
    close(fd);
    world_free(w);
}
END_TEST

START_TEST(a_refusal_is_an_answer_and_an_orderly_end)
{
    struct world *w = world_ready_of_kind(TWS_FORWARD_SOCKS);

    for (int i = 0; i < 3; i++)
        expect_refusal(ask(w, free_port(), "unread bytes that would make a reset of a close"), 5);
    /* the client was told, so nobody has to read it in the log */
    ck_assert_uint_eq(world_count_log(w, "warn"), 0);
    world_free(w);
}
END_TEST

START_TEST(nonsense_is_answered_although_more_of_it_is_on_its_way)
{
    struct world *w = world_ready_of_kind(TWS_FORWARD_SOCKS);
    char much[60000] = "\5\1\0\5\1\0\5";
    int fd = world_connect(w, 0);

    put_bytes(fd, much, sizeof much);
    expect_bytes(fd, "\5\0", 2);
    expect_refusal(fd, 8);
    world_await_log(w, "not a SOCKS request", 1);
    world_free(w);
}
END_TEST

START_TEST(who_waits_for_a_link_is_answered_when_none_comes)
{
    struct world *w = world_of_kind(TWS_FORWARD_SOCKS);

    w->client_cfg.connect_timeout_ms = 100;
    world_do(w, world_start_client);
    expect_refusal(ask(w, port_of(w->target), "patience"), 1);
    world_await_log(w, "no link to the server", 1);
    world_free(w);
}
END_TEST

START_TEST(who_waited_for_the_first_link_loses_no_byte)
{
    struct world *w = world_of_kind(TWS_FORWARD_SOCKS);

    world_do(w, world_start_client);
    int fd = ask(w, port_of(w->target), "patience");
    world_do(w, world_start_server);
    int far = world_accept(w);
    expect_text(far, "patience");
    expect_bytes(fd, "\5\0\0\1\177\0\0\1", 8);
    close(fd);
    close(far);
    world_await_log(w, "link up", 4); /* no handshake is under way when all of it ends */
    world_free(w);
}
END_TEST

static void remove_the_user(struct world *w)
{
    static struct tws_server_config next;

    next = w->server_cfg;
    next.nusers = 0;
    ck_assert_int_eq(tws_server_reload(w->server, &next), TWS_OK);
}

/* A port whose kernel does not answer: its backlog is full. */
static int silent_port(int *listener)
{
    struct sockaddr_in sa;

    *listener = bind_any();
    ck_assert_int_eq(listen(*listener, 0), 0);
    sa = loopback(port_of(*listener));
    for (int i = 0; i < 4; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)!connect(fd, (struct sockaddr *)&sa, sizeof sa); /* closed with the test */
    }
    return port_of(*listener);
}

START_TEST(a_pending_request_is_answered_when_its_session_ends)
{
    struct world *w = world_ready_of_kind(TWS_FORWARD_SOCKS);
    int listener, fd = ask(w, (uint16_t)silent_port(&listener), "");

    /* another one behind it shows that the first is on its way */
    expect_refusal(ask(w, free_port(), ""), 5);
    world_do(w, remove_the_user);
    expect_refusal(fd, 1);
    close(listener);
    world_free(w);
}
END_TEST

START_TEST(a_stopped_client_answers_nobody_and_leaks_nothing)
{
    struct world *w = world_ready_of_kind(TWS_FORWARD_SOCKS);
    int listener, pending = ask(w, (uint16_t)silent_port(&listener), "");
    int halfway = world_connect(w, 0), parting = ask(w, free_port(), "x");

    put_bytes(halfway, "\5\1", 2);
    expect_bytes(parting, "\5\5\0\1", 4);
    expect_refusal(ask(w, free_port(), ""), 5);
    world_do(w, world_stop_client);
    close(pending);
    close(halfway);
    close(parting);
    close(listener);
    world_free(w);
}
END_TEST

START_TEST(a_wrong_password_opens_nothing)
{
    static char user[] = "alice", password[] = "secret";
    static const struct {
        const char *login;
        uint8_t status;
    } logins[] = {
        {"\1\5alice\6secret", 0}, {"\1\5alice\6secreT", 1},  {"\1\5alicE\6secret", 1},
        {"\1\5alice\5secre", 1},  {"\1\5alice\7secrets", 1},
    };
    struct world *w = world_of_kind(TWS_FORWARD_SOCKS);

    w->forwards[0].user = user;
    w->forwards[0].password = password;
    world_do(w, world_start_server);
    world_do(w, world_start_client);
    for (int i = 0; i < COUNT_OF(logins); i++) {
        uint8_t want[4] = {5, 2, 1, logins[i].status};
        int fd = world_connect(w, 0);
        put_bytes(fd, "\5\2\0\2", 4);
        put_text(fd, logins[i].login);
        expect_bytes(fd, want, sizeof want);
        if (logins[i].status != 0)
            expect_eof(fd);
        close(fd);
    }
    int fd = world_connect(w, 0);
    put_bytes(fd, "\5\1\0", 3);
    expect_bytes(fd, "\5\377", 2);
    expect_eof(fd);
    close(fd);
    ck_assert_uint_eq(world_count_log(w, "secre"), 0);
    world_await_log(w, "link up", 4);
    world_free(w);
}
END_TEST

/* ---- HTTP ---- */

/* `begin`, the target's port, `rest`. */
static int request(struct world *w, const char *begin, const char *rest)
{
    char text[512];
    int fd = world_connect(w, 0);

    snprintf(text, sizeof text, "%s127.0.0.1:%u%s", begin, (unsigned)port_of(w->target), rest);
    put_text(fd, text);
    return fd;
}

START_TEST(only_the_body_of_a_request_goes_on)
{
    struct world *w = world_ready_of_kind(TWS_FORWARD_HTTP);
    char want[256];
    int fd = request(w, "PUT http://", "/ HTTP/1.1\r\nContent-Length: 8\r\n\r\nfour");
    int far = world_accept(w);

    snprintf(want, sizeof want,
             "PUT / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Length: 8\r\n"
             "Connection: close\r\n\r\nfour",
             (unsigned)port_of(w->target));
    expect_text(far, want);
    put_text(fd, "moreGET http://127.0.0.1:1/ HTTP/1.1\r\n\r\n");
    expect_text(far, "more");
    put_text(fd, "and more");
    put_text(far, "HTTP/1.1 200 OK\r\n\r\n");
    expect_text(fd, "HTTP/1.1 200 OK\r\n\r\n");
    shutdown(fd, SHUT_WR);
    expect_eof(far);
    close(far);
    expect_eof(fd);
    close(fd);
    world_free(w);
}
END_TEST

START_TEST(broken_chunks_reset_both_ends)
{
    struct world *w = world_ready_of_kind(TWS_FORWARD_HTTP);
    int fd = request(w, "PUT http://", "/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab");
    int far = world_accept(w);
    char head[256];
    ssize_t n = recv(far, head, sizeof head, 0);

    ck_assert_int_gt(n, 0);
    put_text(far, "HTTP/1.1 100 Continue\r\n\r\n");
    expect_text(fd, "HTTP/1.1 100 Continue\r\n\r\n");
    put_text(fd, "c\n0\n\n");
    expect_reset(fd);
    expect_reset(far);
    close(fd);
    close(far);
    world_await_log(w, "reason=\"protocol error\"", 2);
    world_free(w);
}
END_TEST

static void reload_to_http(struct world *w)
{
    static struct tws_client_config next;
    static struct tws_forward forwards[2];

    memcpy(forwards, w->forwards, sizeof forwards);
    forwards[0].kind = TWS_FORWARD_HTTP;
    next = w->client_cfg;
    next.forwards = forwards;
    ck_assert_int_eq(tws_client_reload(w->client, &next), TWS_OK);
}

START_TEST(a_reload_changes_the_kind_of_a_port_and_no_connection)
{
    struct world *w = world_ready_of_kind(TWS_FORWARD_SOCKS);
    int halfway = world_connect(w, 0);
    int fd = ask(w, port_of(w->target), "");
    struct ends e = {.near = fd, .far = world_accept(w)};
    uint8_t reply[10];

    ck_assert_int_eq(recv(fd, reply, sizeof reply, MSG_WAITALL), 10);
    put_bytes(halfway, "\5\1", 2);
    world_do(w, reload_to_http);
    exchange(&e, 1000);
    put_bytes(halfway, "\0", 1); /* who began as SOCKS ends as SOCKS */
    expect_bytes(halfway, "\5\0", 2);
    int other = request(w, "CONNECT ", " HTTP/1.1\r\n\r\nhello");
    int far = world_accept(w);
    expect_text(other, "HTTP/1.1 200 Connection established\r\n\r\n");
    expect_text(far, "hello");
    close(other);
    close(far);
    close(halfway);
    ends_close(&e);
    world_free(w);
}
END_TEST

#define CHATTER 200000

static struct {
    struct tws_task task;
    struct tws_loop *loop;
    int fd;
    unsigned turns; /* until it was closed */
} listening;

static void on_turn(struct tws_task *t)
{
    char c;

    listening.turns++;
    if (recv(listening.fd, &c, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN)
        tws_task_post_next(listening.loop, t);
}

/* All of it is there before the loop looks. */
static void chatter(struct world *w)
{
    static const char words[CHATTER];

    ck_assert_int_eq(send(listening.fd, words, sizeof words, MSG_DONTWAIT), CHATTER);
    shutdown(listening.fd, SHUT_WR);
    listening.loop = w->loop;
    listening.turns = 0;
    tws_task_init(&listening.task, on_turn);
    tws_task_post_next(w->loop, &listening.task);
}

static void nothing(struct world *w)
{
    (void)w;
}

START_TEST(an_association_that_talks_leaves_others_their_turns)
{
    struct world *w = world_ready_of_kind(TWS_FORWARD_SOCKS);
    uint8_t reply[10];

    listening.fd = world_connect(w, 0);
    put_bytes(listening.fd, "\5\1\0\5\3\0\1\0\0\0\0\0\0", 13);
    expect_bytes(listening.fd, "\5\0", 2);
    ck_assert_int_eq(recv(listening.fd, reply, sizeof reply, MSG_WAITALL), 10);
    ck_assert_uint_eq(reply[1], 0);
    world_do(w, chatter);
    expect_eof(listening.fd);
    world_do(w, nothing); /* the turn of the end is over */
    ck_assert_uint_gt(listening.turns, CHATTER / 32768);
    close(listening.fd);
    world_free(w);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("proxies");

    tcase_set_timeout(tc, 90);
    tcase_add_test(tc, early_bytes_come_first_and_the_reply_before_the_target_s_own);
    tcase_add_test(tc, a_request_with_all_bytes_and_the_end_behind_it);
    tcase_add_test(tc, a_refusal_is_an_answer_and_an_orderly_end);
    tcase_add_test(tc, nonsense_is_answered_although_more_of_it_is_on_its_way);
    tcase_add_test(tc, who_waits_for_a_link_is_answered_when_none_comes);
    tcase_add_test(tc, who_waited_for_the_first_link_loses_no_byte);
    tcase_add_test(tc, a_pending_request_is_answered_when_its_session_ends);
    tcase_add_test(tc, a_stopped_client_answers_nobody_and_leaks_nothing);
    tcase_add_test(tc, a_wrong_password_opens_nothing);
    tcase_add_test(tc, only_the_body_of_a_request_goes_on);
    tcase_add_test(tc, broken_chunks_reset_both_ends);
    tcase_add_test(tc, a_reload_changes_the_kind_of_a_port_and_no_connection);
    tcase_add_test(tc, an_association_that_talks_leaves_others_their_turns);
    return run_suite("tunnel/proxies", tc);
}
