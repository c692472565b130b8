/* test_origdst.c - a connection that nobody redirected was made to the socket's own address. */
#include "suite.h"

#include "tws/net/origdst.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

struct pair {
    int listener, near, far;
    struct tws_sockaddr bound;
};

static void open_pair(struct pair *p, const char *listen_ip, const char *connect_ip)
{
    struct tws_sockaddr sa;
    struct tws_ip ip;
    uint16_t port = 0;

    ck_assert_int_eq(tws_ip_parse(listen_ip, &ip), TWS_OK);
    tws_sockaddr_set(&sa, &ip, 0);
    p->listener = socket(sa.ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(p->listener, (struct sockaddr *)&sa.ss, sa.len), 0);
    ck_assert_int_eq(listen(p->listener, 1), 0);
    sa.len = sizeof sa.ss;
    ck_assert_int_eq(getsockname(p->listener, (struct sockaddr *)&sa.ss, &sa.len), 0);
    tws_sockaddr_get(&sa, &ip, &port);
    ck_assert_int_eq(tws_ip_parse(connect_ip, &ip), TWS_OK);
    tws_sockaddr_set(&p->bound, &ip, port);
    p->near = socket(p->bound.ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(p->near, (struct sockaddr *)&p->bound.ss, p->bound.len), 0);
    p->far = accept(p->listener, NULL, NULL);
    ck_assert_int_ge(p->far, 0);
}

static void close_pair(struct pair *p)
{
    close(p->near);
    close(p->far);
    close(p->listener);
}

static const struct {
    const char *listen, *connect;
} direct[] = {{"127.0.0.1", "127.0.0.1"}, {"::1", "::1"}, {"::", "127.0.0.1"}};

START_TEST(without_a_rule_both_ways_tell_the_listeners_own_address)
{
    struct pair p;
    struct tws_sockaddr redirected, own;
    char want[TWS_HOSTPORT_TEXT], got[TWS_HOSTPORT_TEXT];

    open_pair(&p, direct[_i].listen, direct[_i].connect);
    ck_assert_int_eq(tws_origdst_redirected(p.far, &redirected), TWS_OK);
    ck_assert_int_eq(tws_origdst_own(p.far, &own), TWS_OK);
    tws_sockaddr_format(&p.bound, want, sizeof want);
    tws_sockaddr_format(&redirected, got, sizeof got);
    ck_assert_str_eq(got, want);
    tws_sockaddr_format(&own, got, sizeof got);
    ck_assert_str_eq(got, want);
    close_pair(&p);
}
END_TEST

START_TEST(what_is_no_socket_is_an_error)
{
    struct tws_sockaddr sa;
    int pipes[2];

    ck_assert_int_eq(pipe(pipes), 0);
    ck_assert_int_eq(tws_origdst_redirected(pipes[0], &sa), TWS_SYS);
    ck_assert_int_eq(tws_origdst_own(pipes[0], &sa), TWS_SYS);
    close(pipes[0]);
    close(pipes[1]);
}
END_TEST

START_TEST(a_transparent_socket_takes_any_address_or_is_refused)
{
    struct tws_sockaddr sa;
    struct tws_ip ip;
    int fd = socket(_i == 0 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(tws_ip_parse(_i == 0 ? "192.0.2.7" : "2001:db8::7", &ip), TWS_OK);
    tws_sockaddr_set(&sa, &ip, 4000);
    if (tws_socket_set_transparent(fd, sa.ss.ss_family) == TWS_OK)
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa.ss, sa.len), 0);
    else
        ck_assert_int_eq(errno, EPERM);
    close(fd);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("origdst");
    tcase_add_loop_test(tc, without_a_rule_both_ways_tell_the_listeners_own_address, 0,
                        COUNT_OF(direct));
    tcase_add_test(tc, what_is_no_socket_is_an_error);
    tcase_add_loop_test(tc, a_transparent_socket_takes_any_address_or_is_refused, 0, 2);

    return run_suite("net/origdst", tc);
}
