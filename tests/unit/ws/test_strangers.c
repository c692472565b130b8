/* test_strangers.c - the server against peers that are not our client: by hand on raw sockets. */
#include "listener_priv.h"
#include "peers.h"
#include "suite.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct peers *p;
static struct tws_upgrade_server server;
static int fd;
static char got[65536];

static void setup(void)
{
    p = peers_new();
    server = (struct tws_upgrade_server){.path = NULL};
    got[0] = '\0';
}

static void teardown(void)
{
    close(fd);
    peers_free(p);
}

static int dial(void)
{
    return pair_connect(p->port);
}

static void listen_and_dial(void)
{
    peers_listen_as(p, &server);
    fd = dial();
}

static void say_on(int s, const char *text)
{
    ck_assert_int_eq(send(s, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void say(const char *text)
{
    say_on(fd, text);
}

/* Runs the loop until the server has ended the connection; what it said is in `got`. */
static size_t hear_all(int s)
{
    size_t n = 0;

    for (int i = 0; i < 5000; i++) {
        ssize_t k = recv(s, got + n, sizeof(got) - 1 - n, MSG_DONTWAIT);

        if (k == 0 || (k < 0 && errno != EAGAIN)) {
            got[n] = '\0';
            return n;
        }
        n += k > 0 ? (size_t)k : 0;
        if (k < 0)
            pair_run_for(p->loop, 1000);
    }
    ck_abort_msg("the server does not end the connection");
}

/* Runs the loop until something was said. */
static size_t hear_some(int s)
{
    for (int i = 0; i < 5000; i++) {
        ssize_t k = recv(s, got, sizeof(got) - 1, MSG_DONTWAIT);

        if (k > 0) {
            got[k] = '\0';
            return (size_t)k;
        }
        ck_assert(k < 0 && errno == EAGAIN);
        pair_run_for(p->loop, 1000);
    }
    ck_abort_msg("the server says nothing");
}

#define REST                                                                                       \
    "Host: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"                         \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
#define OURS REST "Sec-WebSocket-Protocol: tws.2\r\nTws-Session: " PEERS_SESSION "\r\n"

/* ---- what is ours ---- */

START_TEST(our_upgrade_by_hand_is_answered_with_101_and_the_first_message)
{
    listen_and_dial();
    say("GET /any?x=1 HTTP/1.1\r\n" OURS "\r\n");
    while (strstr(got, "challenge") == NULL)
        (void)hear_some(fd);
    ck_assert_uint_eq(p->server.opens, 1);
    ck_assert_str_eq(p->server.session, PEERS_SESSION);
}
END_TEST

struct stranger {
    const char *request, *status;
};

static const struct stranger strangers[] = {
    {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 "},
    {"GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 404 "},
    {"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 404 "},
    {"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 "},
    {"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n"
     "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
     "HTTP/1.1 404 "},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 400 "},
    {"GET /tws HTTP/1.1\r\n" REST "\r\n", "HTTP/1.1 404 "},
    {"GET /tws HTTP/1.1\r\n" REST "Sec-WebSocket-Protocol: chat\r\n"
     "Tws-Session: " PEERS_SESSION "\r\n\r\n",
     "HTTP/1.1 404 "},
    {"GET /tws HTTP/1.1\r\n" REST "Sec-WebSocket-Protocol: tws.2\r\n"
     "Tws-Session: AAAA\r\n\r\n",
     "HTTP/1.1 404 "},
    {"GET /other HTTP/1.1\r\n" OURS "\r\n", "HTTP/1.1 404 "},
    {"POST /tws HTTP/1.1\r\n" OURS "\r\n", "HTTP/1.1 404 "},
    {"GET /tws HTTP/1.0\r\n" OURS "\r\n", "HTTP/1.1 404 "},
    {"SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 400 "},
    {"\x16\x03\x01\x02\n\n", "HTTP/1.1 400 "},
    {"GET / HTTP/1.1\r\n folded: x\r\n\r\n", "HTTP/1.1 400 "},
    {"\r\n", "HTTP/1.1 400 "},
};

START_TEST(anything_else_gets_an_ordinary_answer_and_never_libwebsockets)
{
    const struct stranger *k = &strangers[_i];

    server.path = "/tws";
    listen_and_dial();
    say(k->request);
    shutdown(fd, SHUT_WR);
    (void)hear_all(fd);
    ck_assert_msg(strncmp(got, k->status, strlen(k->status)) == 0, "%s", got);
    ck_assert_ptr_null(strcasestr(got, "libwebsockets"));
    ck_assert_ptr_null(strcasestr(got, "tws"));
    ck_assert_ptr_null(strcasestr(got, "server:"));
    ck_assert_uint_eq(p->server.opens, 0);
}
END_TEST

START_TEST(a_head_that_never_ends_is_refused)
{
    listen_and_dial();
    say("GET / HTTP/1.1\r\n");
    for (int i = 0; i < 100; i++)
        say("X-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aaaaaaaaaaaaaaaa\r\n");
    (void)hear_all(fd);
    ck_assert(strncmp(got, "HTTP/1.1 400 ", 13) == 0);
}
END_TEST

START_TEST(an_upgrade_drop_by_drop_is_an_upgrade)
{
    static const char request[] = "GET / HTTP/1.1\r\n" OURS "\r\n";

    listen_and_dial();
    for (size_t i = 0; i < sizeof(request) - 1; i++) {
        ck_assert_int_eq(send(fd, request + i, 1, MSG_NOSIGNAL), 1);
        if (i % 16 == 0)
            pair_run_for(p->loop, 200);
    }
    (void)hear_some(fd);
    ck_assert(strncmp(got, "HTTP/1.1 101 ", 13) == 0);
}
END_TEST

/* ---- deadlines and limits ---- */

START_TEST(a_slow_head_ends_with_the_handshake_time)
{
    server.handshake_timeout_us = 50000;
    listen_and_dial();
    say("GET / HTTP/1.1\r\nHost:");
    ck_assert_uint_eq(hear_all(fd), 0);
}
END_TEST

START_TEST(a_client_that_never_answers_the_challenge_is_ended)
{
    server.handshake_timeout_us = 100000;
    listen_and_dial();
    say("GET / HTTP/1.1\r\n" OURS "\r\n");
    pair_run(p->loop);
    ck_assert_str_eq(p->server.why, "handshake: timed out");
    (void)hear_all(fd);
}
END_TEST

START_TEST(of_more_than_max_pending_the_oldest_that_said_nothing_is_closed)
{
    int more[3];

    server.max_pending = 3;
    listen_and_dial();
    for (int i = 0; i < 3; i++) {
        more[i] = dial();
        pair_run_for(p->loop, 20000);
    }
    ck_assert_uint_eq(hear_all(fd), 0);
    ck_assert_int_eq(recv(more[0], got, 1, MSG_DONTWAIT), -1);
    close(fd);
    fd = more[2];
    say("GET / HTTP/1.1\r\n" OURS "\r\n");
    (void)hear_some(fd);
    ck_assert(strncmp(got, "HTTP/1.1 101 ", 13) == 0);
    close(more[0]);
    close(more[1]);
}
END_TEST

START_TEST(sources_are_counted_as_the_trusted_proxy_names_them)
{
    static const char ask[] =
        "GET / HTTP/1.1\r\nX-Forwarded-For: 9.9.9.9, 203.0.113.7\r\n" OURS "\r\n";
    static const char other[] = "GET / HTTP/1.1\r\nX-Forwarded-For: 203.0.113.8\r\n" OURS "\r\n";
    char peer[TWS_HOSTPORT_TEXT];
    int second, third;

    server.max_pending_per_source = 1;
    listen_and_dial();
    say(ask);
    (void)hear_some(fd);
    tws_sockaddr_format(&p->server.peer, peer, sizeof(peer));
    ck_assert_str_eq(peer, "203.0.113.7");
    second = dial();
    say_on(second, ask);
    ck_assert_uint_eq(hear_all(second), 0);
    third = dial();
    say_on(third, other);
    (void)hear_some(third);
    ck_assert_uint_eq(p->server.opens, 2);
    close(second);
    close(third);
}
END_TEST

START_TEST(a_peer_that_is_no_trusted_proxy_cannot_name_another_source)
{
    struct tws_prefix prefix;
    struct tws_ip ip;
    uint16_t port;

    ck_assert_int_eq(tws_prefix_parse("10.0.0.0/8", &prefix), TWS_OK);
    server.trusted = &prefix;
    server.ntrusted = 1;
    listen_and_dial();
    say("GET / HTTP/1.1\r\nX-Forwarded-For: 203.0.113.7\r\n" OURS "\r\n");
    (void)hear_some(fd);
    tws_sockaddr_get(&p->server.peer, &ip, &port);
    ck_assert(tws_ip_is_loopback(&ip));
}
END_TEST

/* The connection is with libwebsockets, which has not read the request. */
static bool is_between(void)
{
    return tws_list_empty(&p->listener->guests) && p->listener->npending == 2 &&
           p->server.opens == 1;
}

static const struct {
    const char *before, *after;
    bool between;
} strangers_met_by_the_end[] = {
    {"", "GET / HTTP/1.1\r\n" OURS "\r\n", false},
    {"GET / HTTP/1.1\r\n", OURS "\r\n", false},
    {"GET / HTTP/1.1\r\n" OURS "\r\n", "", true},
};

/* False: a timer of libwebsockets' was due, so it read the request in the turn that it was given
 * it. That is rare. */
static bool meet_between(void)
{
    while (!is_between() && p->server.opens == 1)
        tws_loop_turn(p->loop);
    return p->server.opens == 1;
}

START_TEST(a_listener_that_ends_cuts_off_whoever_its_owner_never_heard_of)
{
    const char *after = strangers_met_by_the_end[_i].after;
    int known;

    p->server.silent = true;
    listen_and_dial();
    known = dial();
    say_on(known, "GET / HTTP/1.1\r\n" OURS "\r\n");
    (void)hear_some(known);
    say(strangers_met_by_the_end[_i].before);
    if (strangers_met_by_the_end[_i].between && !meet_between())
        return;
    tws_ws_listener_end(p->listener);
    (void)!send(fd, after, strlen(after), MSG_NOSIGNAL); /* may be cut off already */
    ck_assert_uint_eq(hear_all(fd), 0);
    ck_assert_uint_eq(p->server.opens, 1);
    /* What was told of is its owner's as before. */
    ck_assert_uint_eq(p->server.failures, 0);
    tws_upgrade_close(p->server.u, 4416);
    (void)hear_some(known);
    ck_assert_mem_eq(got, "\x88\x02\x11\x40", 4);
    close(known);
}
END_TEST

/* ---- between upgrade and take-over ---- */

START_TEST(a_message_before_the_take_over_closes_the_link)
{
    const uint8_t two[22] = "\x82\x85\0\0\0\0hello\x82\x85\0\0\0\0early";

    listen_and_dial();
    say("GET / HTTP/1.1\r\n" OURS "\r\n");
    (void)hear_some(fd);
    /* In one piece, so that libwebsockets has read both when it tells of the first. */
    ck_assert_int_eq(send(fd, two, sizeof(two), MSG_NOSIGNAL), sizeof(two));
    pair_run(p->loop);
    ck_assert_str_eq(p->server.why, "handshake: a message came before the take-over");
    ck_assert_uint_eq(p->server.wires, 0);
}
END_TEST

START_TEST(garbage_instead_of_frames_ends_the_connection)
{
    listen_and_dial();
    say("GET / HTTP/1.1\r\n" OURS "\r\n");
    (void)hear_some(fd);
    say("GET / HTTP/1.1\r\n\r\n");
    pair_run(p->loop);
    ck_assert_uint_eq(p->server.failures, 1);
    (void)hear_all(fd);
}
END_TEST

START_TEST(a_handshake_message_above_the_limit_ends_the_connection)
{
    uint8_t frame[8 + 2000] = {0x82, 0xfe, 0x07, 0xd0};

    listen_and_dial();
    say("GET / HTTP/1.1\r\n" OURS "\r\n");
    (void)hear_some(fd);
    ck_assert_int_eq(send(fd, frame, sizeof(frame), MSG_NOSIGNAL), sizeof(frame));
    pair_run(p->loop);
    ck_assert_uint_eq(p->server.failures, 1);
    ck_assert_uint_eq(p->server.messages, 0);
}
END_TEST

START_TEST(a_client_that_vanishes_is_told_once)
{
    struct linger reset = {1, 0};

    listen_and_dial();
    say("GET / HTTP/1.1\r\n" OURS "\r\n");
    (void)hear_some(fd);
    if (_i == 1)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fd);
    fd = -1;
    pair_run(p->loop);
    ck_assert_uint_eq(p->server.failures, 1);
    pair_run_for(p->loop, 20000);
    ck_assert_uint_eq(p->server.failures, 1);
}
END_TEST

START_TEST(the_servers_close_code_reaches_a_raw_client)
{
    size_t n;

    p->server.silent = true;
    listen_and_dial();
    say("GET / HTTP/1.1\r\n" OURS "\r\n");
    n = hear_some(fd);
    ck_assert(strstr(got, "\r\n\r\n") != NULL);
    ck_assert_ptr_null(strcasestr(got, "server:"));
    ck_assert_ptr_null(strcasestr(got, "extensions"));
    (void)n;
    tws_upgrade_close(p->server.u, 4419);
    n = hear_some(fd);
    ck_assert_uint_ge(n, 4);
    ck_assert_mem_eq(got, "\x88\x02\x11\x43", 4);
    ck_assert_uint_eq(p->server.failures, 0);
}
END_TEST

/* ---- decoys ---- */

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[256];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

struct page {
    const char *path, *expect;
};

static const struct page pages[] = {
    {"/", "\r\n\r\nwelcome page"},
    {"/?q=1", "\r\n\r\nwelcome page"},
    {"/style.css", "Content-Type: text/css"},
    {"/sub%64ir/a.txt", "\r\n\r\nbelow"},
    {"/missing", "404 Not Found"},
    {"/subdir", "404 Not Found"},
    {"/../secret", "404 Not Found"},
    {"/subdir/../../secret", "404 Not Found"},
    {"/%2e%2e/secret", "404 Not Found"},
    {"/..%2fsecret", "404 Not Found"},
    {"/.hidden", "404 Not Found"},
    {"//etc/passwd", "404 Not Found"},
    {"/a%00b", "404 Not Found"},
    {"/%zz", "404 Not Found"},
    {"http://x/", "404 Not Found"},
};

START_TEST(a_directory_of_files_is_served_and_nothing_outside_it)
{
    char top[] = "/tmp/tws-test-decoy-XXXXXX", root[64], sub[80], request[256];

    ck_assert_ptr_nonnull(mkdtemp(top));
    snprintf(root, sizeof(root), "%s/root", top);
    snprintf(sub, sizeof(sub), "%s/subdir", root);
    ck_assert_int_eq(mkdir(root, 0700), 0);
    ck_assert_int_eq(mkdir(sub, 0700), 0);
    write_file(top, "secret", "do not tell");
    write_file(root, "index.html", "welcome page");
    write_file(root, "style.css", "body{}");
    write_file(root, ".hidden", "do not tell");
    write_file(sub, "a.txt", "below");
    server.decoy = root;
    listen_and_dial();
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", pages[_i].path);
    say(request);
    (void)hear_all(fd);
    ck_assert_msg(strstr(got, pages[_i].expect) != NULL, "%s", got);
    ck_assert_ptr_null(strstr(got, "do not tell"));
    snprintf(request, sizeof(request), "rm -r %s", top);
    ck_assert_int_eq(WEXITSTATUS(pclose(popen(request, "r"))), 0);
}
END_TEST

START_TEST(a_proxied_decoy_answers_for_itself_and_is_asked_to_close)
{
    uint16_t port;
    int l = pair_listen(&port), s;
    char site[64];

    snprintf(site, sizeof(site), "http://127.0.0.1:%u/", port);
    server.decoy = site;
    listen_and_dial();
    say("POST /x HTTP/1.1\r\nHost: y\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nbody");
    pair_run_for(p->loop, 20000);
    s = accept(l, NULL, NULL);
    while (strstr(got, "body") == NULL)
        (void)hear_some(s);
    ck_assert_str_eq(got, "POST /x HTTP/1.1\r\nConnection: close\r\nHost: y\r\n"
                          "Content-Length: 4\r\n\r\nbody");
    say_on(s, "HTTP/1.1 200 OK\r\nServer: another\r\n\r\nfine");
    close(s);
    (void)hear_all(fd);
    ck_assert_str_eq(got, "HTTP/1.1 200 OK\r\nServer: another\r\n\r\nfine");
    close(l);
}
END_TEST

START_TEST(a_decoy_that_is_down_is_a_bad_gateway)
{
    server.decoy = "http://127.0.0.1:1/";
    listen_and_dial();
    say("GET / HTTP/1.1\r\nHost: y\r\n\r\n");
    (void)hear_all(fd);
    ck_assert(strncmp(got, "HTTP/1.1 502 ", 13) == 0);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("strangers");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, our_upgrade_by_hand_is_answered_with_101_and_the_first_message);
    tcase_add_loop_test(t, anything_else_gets_an_ordinary_answer_and_never_libwebsockets, 0,
                        sizeof(strangers) / sizeof(strangers[0]));
    tcase_add_test(t, a_head_that_never_ends_is_refused);
    tcase_add_test(t, an_upgrade_drop_by_drop_is_an_upgrade);
    tcase_add_test(t, a_slow_head_ends_with_the_handshake_time);
    tcase_add_test(t, a_client_that_never_answers_the_challenge_is_ended);
    tcase_add_test(t, of_more_than_max_pending_the_oldest_that_said_nothing_is_closed);
    tcase_add_test(t, sources_are_counted_as_the_trusted_proxy_names_them);
    tcase_add_test(t, a_peer_that_is_no_trusted_proxy_cannot_name_another_source);
    tcase_add_loop_test(t, a_listener_that_ends_cuts_off_whoever_its_owner_never_heard_of, 0, 3);
    tcase_add_test(t, a_message_before_the_take_over_closes_the_link);
    tcase_add_test(t, garbage_instead_of_frames_ends_the_connection);
    tcase_add_test(t, a_handshake_message_above_the_limit_ends_the_connection);
    tcase_add_loop_test(t, a_client_that_vanishes_is_told_once, 0, 2);
    tcase_add_test(t, the_servers_close_code_reaches_a_raw_client);
    tcase_add_loop_test(t, a_directory_of_files_is_served_and_nothing_outside_it, 0,
                        sizeof(pages) / sizeof(pages[0]));
    tcase_add_test(t, a_proxied_decoy_answers_for_itself_and_is_asked_to_close);
    tcase_add_test(t, a_decoy_that_is_down_is_a_bad_gateway);
    return run_suite("ws/strangers", t);
}
