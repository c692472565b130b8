/* test_stream.c - writing through an SSL to a peer that does not read: what was taken is told, and
 * the rest may come from another place, as a log that grows gives it. Reading what a peer cut into
 * the smallest records, which takes the longest: others have their turns between. */
#include "pair.h"
#include "stream_priv.h"
#include "suite.h"
#include "tls_front.h"
#include "tls_pipe_priv.h"
#include "wire_priv.h"

#include <fcntl.h>

#define MESSAGE (1 << 20) /* more than the sockets hold */

static int fds[2];
static SSL_CTX *server_ctx, *client_ctx;
static SSL *ours, *peers;

static void *accept_main(void *arg)
{
    SSL_accept(arg);
    return NULL;
}

/* `ours` has shaken hands and does not block; `peers` blocks. */
static void setup(void)
{
    struct cert cert = cert_make("DNS:localhost", NULL, 60);
    pthread_t thread;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    server_ctx = SSL_CTX_new(TLS_server_method());
    client_ctx = SSL_CTX_new(TLS_client_method());
    ck_assert_int_eq(SSL_CTX_use_certificate(server_ctx, cert.x509), 1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey(server_ctx, cert.key), 1);
    ours = SSL_new(client_ctx);
    peers = SSL_new(server_ctx);
    SSL_set_fd(ours, fds[0]);
    SSL_set_fd(peers, fds[1]);
    ck_assert_int_eq(pthread_create(&thread, NULL, accept_main, peers), 0);
    ck_assert_int_eq(SSL_connect(ours), 1);
    pthread_join(thread, NULL);
    ck_assert_int_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    /* What other code's SSL has is not what ours needs: OpenSSL's own default. */
    SSL_clear_mode(ours, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    tws_stream_adopt_ssl(ours);
    cert_free(&cert);
}

static void teardown(void)
{
    SSL_free(ours);
    SSL_free(peers);
    SSL_CTX_free(server_ctx);
    SSL_CTX_free(client_ctx);
    close(fds[0]);
    close(fds[1]);
}

/* The peer reads once. */
static size_t hear(uint8_t *to)
{
    int n = SSL_read(peers, to, 16384);

    ck_assert_int_gt(n, 0);
    return (size_t)n;
}

START_TEST(what_a_stalled_peer_leaves_over_goes_on_from_another_buffer)
{
    uint8_t *message = malloc(MESSAGE), *heard = malloc(MESSAGE + 16384);
    struct tws_stream stream = {fds[0], ours};
    size_t sent = 0, got = 0;
    unsigned stalls = 0;

    for (size_t i = 0; i < MESSAGE; i++)
        message[i] = (uint8_t)(i * 131 >> 3);
    while (sent < MESSAGE) {
        uint8_t *moved = malloc(MESSAGE - sent);
        const char *why = "";
        long n;

        memcpy(moved, message + sent, MESSAGE - sent);
        n = tws_stream_write(&stream, moved, MESSAGE - sent, &why);
        memset(moved, 0xee, MESSAGE - sent);
        free(moved);
        ck_assert_msg(n >= 0, "%s", why);
        /* The first try cannot have been for nothing: the sockets hold some records. */
        ck_assert(sent > 0 || n > 0);
        sent += (size_t)n;
        if (sent == MESSAGE)
            break;
        stalls++;
        while (got < sent && got < MESSAGE - 16384) /* never all, so that a record hangs halfway */
            got += hear(heard + got);
    }
    ck_assert_uint_gt(stalls, 1);
    while (got < MESSAGE)
        got += hear(heard + got);
    ck_assert_mem_eq(heard, message, MESSAGE);
    free(message);
    free(heard);
}
END_TEST

/* ---- the smallest records ---- */

#define RECORDS 4000

/* The peer's records of a byte each (of empty messages, if somebody reads them), then its end: all
 * of it is in the socket before anybody looks. */
static void send_crumbs(void)
{
    BIO *all = BIO_new(BIO_s_mem());
    char *bytes;
    long n;

    SSL_set0_wbio(peers, all);
    for (int i = 0; i < RECORDS; i++)
        ck_assert_int_eq(SSL_write(peers, i % 2 == 0 ? "\x82" : "", 1), 1);
    SSL_shutdown(peers);
    n = BIO_get_mem_data(all, &bytes);
    ck_assert_int_eq(send(fds[1], bytes, (size_t)n, MSG_DONTWAIT), n);
    shutdown(fds[1], SHUT_WR);
}

struct turns {
    struct tws_task task;
    struct tws_loop *loop;
    unsigned count;
};

static void on_turn(struct tws_task *task)
{
    struct turns *t = TWS_CONTAINER(task, struct turns, task);

    t->count++;
    tws_task_post_next(t->loop, task);
}

static void count_turns(struct turns *t, struct tws_loop *loop)
{
    *t = (struct turns){.loop = loop};
    tws_task_init(&t->task, on_turn);
    tws_task_post(loop, &t->task);
    pair_run(loop);
    tws_task_cancel(&t->task);
}

static void ready(void *arg, int plain)
{
    (void)arg;
    close(plain); /* nobody wants to hear it */
}

static void pipe_over(void *arg, const char *why)
{
    (void)why;
    tws_loop_stop(arg);
}

START_TEST(what_nobody_reads_is_thrown_away_in_many_turns)
{
    static const struct tws_tls_pipe_events events = {ready, pipe_over};
    struct tws_tls_pipe *pipe = NULL;
    struct tws_loop *loop = NULL;
    struct turns turns;

    ck_assert_int_eq(tws_loop_new(&loop), TWS_OK);
    send_crumbs();
    ck_assert_int_eq(tws_tls_pipe_new(loop, ours, UINT64_MAX, &events, loop, &pipe), TWS_OK);
    ours = NULL;
    fds[0] = -1;
    count_turns(&turns, loop);
    ck_assert_uint_gt(turns.count, 20);
    tws_loop_free(loop);
}
END_TEST

static unsigned messages;

static void on_message(void *arg, uint8_t *msg, size_t n)
{
    (void)arg;
    (void)msg;
    ck_assert_uint_eq(n, 0);
    messages++;
}

static void on_nothing(void *arg)
{
    (void)arg;
}

static void on_wire_over(void *arg, uint16_t code, const char *why)
{
    (void)code;
    (void)why;
    tws_loop_stop(arg);
}

START_TEST(crumbs_for_a_wire_are_taken_in_several_turns)
{
    static const struct tws_wire_events events = {
        .on_message = on_message,
        .on_burst_end = on_nothing,
        .on_writable = on_nothing,
        .on_over = on_wire_over,
    };
    struct tws_wire_parts parts = {.fd = fds[0], .ssl = ours, .client = true};
    struct tws_wire *wire = NULL;
    struct tws_loop *loop = NULL;
    struct turns turns;

    ck_assert_int_eq(tws_loop_new(&loop), TWS_OK);
    ck_assert_int_eq(tws_wire_make(loop, &parts, &wire), TWS_OK);
    send_crumbs();
    tws_wire_start(wire, &events, loop);
    messages = 0;
    count_turns(&turns, loop);
    ck_assert_uint_eq(messages, RECORDS / 2);
    ck_assert_uint_ge(turns.count, 4);
    tws_wire_close(wire, 1000);
    fds[0] = -1;
    tws_loop_free(loop);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("stream");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, what_a_stalled_peer_leaves_over_goes_on_from_another_buffer);
    tcase_add_test(t, what_nobody_reads_is_thrown_away_in_many_turns);
    tcase_add_test(t, crumbs_for_a_wire_are_taken_in_several_turns);
    return run_suite("ws/stream", t);
}
