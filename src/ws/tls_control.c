/* tls_control.c - see tls_control_priv.h. */
#include "tls_control_priv.h"

#include <stdint.h>

/* A handshake takes about ten, one cut into the smallest pieces some hundred; the tickets and
 * KeyUpdates of a whole life a few more. */
#define CONTROL_MAX 1000

static int count_index = -1; /* of ex data: how many an SSL has had */

static uintptr_t count_of(const SSL *ssl)
{
    return (uintptr_t)SSL_get_ex_data(ssl, count_index);
}

static bool is_control(int what, const void *buf, size_t n)
{
    /* Of TLS 1.3 only the inner type tells; the outer one is always that of data. */
    if (n == 0 || (what != SSL3_RT_HEADER && what != SSL3_RT_INNER_CONTENT_TYPE))
        return false;
    return *(const uint8_t *)buf != SSL3_RT_APPLICATION_DATA;
}

/* NOLINTNEXTLINE(readability-function-size): OpenSSL's own seven */
static void on_record(int sent, int version, int what, const void *buf, size_t n, SSL *ssl,
                      void *arg)
{
    (void)version;
    (void)arg;
    if (sent || !is_control(what, buf, n))
        return;
    (void)SSL_set_ex_data(ssl, count_index, (void *)(count_of(ssl) + 1));
    if (tws_tls_has_too_much_control(ssl))
        SSL_set_shutdown(ssl, SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN);
}

void tws_tls_limit_control(SSL_CTX *ctx)
{
    if (count_index < 0)
        count_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    SSL_CTX_set_msg_callback(ctx, on_record);
}

bool tws_tls_has_too_much_control(const SSL *ssl)
{
    return count_index >= 0 && count_of(ssl) > CONTROL_MAX;
}
