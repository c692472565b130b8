/* test_stream.c - writing through an SSL to a peer that does not read: what was taken is told, and
 * the rest may come from another place, as a log that grows gives it. */
#include "stream_priv.h"
#include "suite.h"
#include "tls_front.h"

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

int main(void)
{
    TCase *t = tcase_create("stream");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, what_a_stalled_peer_leaves_over_goes_on_from_another_buffer);
    return run_suite("ws/stream", t);
}
