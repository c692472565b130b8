/*
 * test_context.c - what libwebsockets does by default to a link that it no longer reads, and to a
 * process with many descriptors. The program's own clock_gettime() and sysconf() stand before
 * libc's, so that five minutes and a limit of 10^9 descriptors are there at once.
 */
#include "peers.h"
#include "suite.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#define DEFAULT_PING_S   300 /* of libwebsockets, without a word from the peer */
#define DEFAULT_HANGUP_S 310
#define BEFORE_LIBC      __attribute__((visibility("default")))

static long ahead_s;
static struct rlimit descriptors; /* rlim_max 0: the true ones */
static struct peers *p;

BEFORE_LIBC int clock_gettime(clockid_t id, struct timespec *tp)
{
    int failed = (int)syscall(SYS_clock_gettime, id, tp);

    if (id != CLOCK_BOOTTIME) /* that is our loop's, whose timers are the kernel's */
        tp->tv_sec += ahead_s;
    return failed;
}

long __sysconf(int name); // NOLINT(bugprone-reserved-identifier)

BEFORE_LIBC long sysconf(int name)
{
    return descriptors.rlim_max > 0 && name == _SC_OPEN_MAX ? (long)descriptors.rlim_cur
                                                            : __sysconf(name);
}

BEFORE_LIBC int getrlimit(__rlimit_resource_t resource, struct rlimit *rlimits)
{
    if (descriptors.rlim_max == 0 || resource != RLIMIT_NOFILE)
        return prlimit(0, resource, NULL, rlimits);
    *rlimits = descriptors;
    return 0;
}

BEFORE_LIBC int setrlimit(__rlimit_resource_t resource, const struct rlimit *rlimits)
{
    if (descriptors.rlim_max == 0 || resource != RLIMIT_NOFILE)
        return prlimit(0, resource, rlimits, NULL);
    descriptors = *rlimits;
    return 0;
}

/* ---- pings ---- */

static void both_up(void)
{
    p = peers_new();
    peers_listen(p);
    peers_connect(p);
    pair_run(p->loop);
    ck_assert_uint_eq(p->wires, 2);
}

/* Time for what libwebsockets does then. */
static void pass(long seconds)
{
    ahead_s += seconds;
    pair_run_for(p->loop, 30000);
}

START_TEST(a_silent_link_is_not_ended_by_libwebsockets)
{
    both_up();
    pass(DEFAULT_PING_S + 1);
    pass(DEFAULT_HANGUP_S - DEFAULT_PING_S);
    pass(DEFAULT_HANGUP_S + 1);
    ck_assert_uint_eq(p->client.end->overs, 0);
    ck_assert_uint_eq(p->server.end->overs, 0);
    p->client.end->to_send = p->server.end->stop_at = 1000;
    ck_assert_int_eq(end_pump(p->client.end), TWS_OK);
    pair_run(p->loop);
    ck_assert_uint_eq(p->server.end->hash, p->client.end->sent_hash);
    peers_free(p);
}
END_TEST

/* A connection of a client that is no program of ours; the server's side has its wire. */
static int raw_client(void)
{
    static const char request[] =
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: tws.2\r\nTws-Session: " PEERS_SESSION "\r\n\r\n";

    p = peers_new();
    p->server.stop_at_wires = 1;
    peers_listen(p);
    int fd = pair_connect(p->port);
    ck_assert_int_eq(send(fd, request, sizeof(request) - 1, 0), (ssize_t)sizeof(request) - 1);
    while (p->server.opens == 0)
        pair_run_for(p->loop, 1000);
    ck_assert_int_eq(send(fd, "\x82\x85\0\0\0\0hello", 11, 0), 11);
    pair_run(p->loop);
    ck_assert_uint_eq(p->server.wires, 1);
    return fd;
}

START_TEST(libwebsockets_writes_nothing_into_a_link_after_the_take_over)
{
    char got[1024];
    int fd = raw_client();
    ssize_t n = recv(fd, got, sizeof(got), MSG_DONTWAIT); /* the 101, challenge, welcome */

    ck_assert_int_gt(n, 0);
    ck_assert_mem_eq(got + n - 7, "welcome", 7);
    pass(DEFAULT_PING_S + 1);
    ck_assert_int_eq(recv(fd, got, sizeof(got), MSG_DONTWAIT), -1);
    ck_assert_int_eq(errno, EAGAIN);
    close(fd);
    peers_free(p);
}
END_TEST

START_TEST(a_server_that_does_not_answer_is_given_up_by_our_clock)
{
    p = peers_new();
    int fd = pair_listen(&p->port);
    peers_connect(p);
    int peer = accept(fd, NULL, NULL);
    pair_run_for(p->loop, 30000); /* the request is on its way */
    pass(60);
    ck_assert_uint_eq(p->client.failures, 0);
    close(peer);
    close(fd);
    peers_free(p);
}
END_TEST

/* ---- descriptors ---- */

static size_t address_space(void)
{
    char line[128] = "";
    FILE *f = fopen("/proc/self/statm", "r");

    ck_assert_ptr_nonnull(f);
    ck_assert_ptr_nonnull(fgets(line, sizeof(line), f));
    fclose(f);
    return strtoul(line, NULL, 10) * (size_t)getpagesize();
}

/* It has 16 bytes for each descriptor; and as it takes more than 10^7 for a mistake and goes on
 * with 2560, too little is as wrong as too much. */
START_TEST(tables_are_for_a_million_descriptors_whatever_the_limit_is)
{
    static const rlim_t limits[] = {5000000, 1000000000};
    struct tws_loop *loop = NULL;
    struct tws_ws *ws = NULL;
    size_t before, grown;

    descriptors = (struct rlimit){limits[_i], limits[_i]};
    ck_assert_int_eq(tws_loop_new(&loop), TWS_OK);
    before = address_space();
    ck_assert_int_eq(tws_ws_new(loop, &ws), TWS_OK);
    grown = address_space() - before;
    ck_assert_uint_ge(grown, 12 << 20);
    ck_assert_uint_le(grown, 48 << 20);
    tws_ws_free(ws);
    tws_loop_free(loop);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("context");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_silent_link_is_not_ended_by_libwebsockets);
    tcase_add_test(t, libwebsockets_writes_nothing_into_a_link_after_the_take_over);
    tcase_add_test(t, a_server_that_does_not_answer_is_given_up_by_our_clock);
    tcase_add_loop_test(t, tables_are_for_a_million_descriptors_whatever_the_limit_is, 0, 2);
    return run_suite("ws/context", t);
}
