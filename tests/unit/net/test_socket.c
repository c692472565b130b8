/* test_socket.c - addresses there and back, and options that really are set. */
#include "driver.h"

#include "tws/net/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

static const struct {
    const char *ip;
    uint16_t port;
    const char *text;
    int family;
} addresses[] = {
    {"127.0.0.1", 80, "127.0.0.1:80", AF_INET},
    {"255.255.255.255", 65535, "255.255.255.255:65535", AF_INET},
    {"::1", 443, "[::1]:443", AF_INET6},
    {"2001:db8::2", 1, "[2001:db8::2]:1", AF_INET6},
    {"203.0.113.7", 0, "203.0.113.7", AF_INET},
    {"2001:db8::2", 0, "2001:db8::2", AF_INET6},
};

START_TEST(an_ip_and_port_go_there_and_back)
{
    struct tws_sockaddr sa;
    struct tws_ip ip, back;
    uint16_t port = 0;
    char text[TWS_HOSTPORT_TEXT];

    ck_assert_int_eq(tws_ip_parse(addresses[_i].ip, &ip), TWS_OK);
    tws_sockaddr_set(&sa, &ip, addresses[_i].port);
    ck_assert_int_eq(sa.ss.ss_family, addresses[_i].family);
    tws_sockaddr_get(&sa, &back, &port);
    ck_assert(tws_ip_equal(&ip, &back));
    ck_assert_uint_eq(port, addresses[_i].port);
    tws_sockaddr_format(&sa, text, sizeof text);
    ck_assert_str_eq(text, addresses[_i].text);
}
END_TEST

static struct tws_sockaddr address(const char *text, uint16_t port)
{
    struct tws_sockaddr sa;
    struct tws_ip ip;

    ck_assert_int_eq(tws_ip_parse(text, &ip), TWS_OK);
    tws_sockaddr_set(&sa, &ip, port);
    return sa;
}

START_TEST(equal_is_the_same_ip_and_port_once_unmapped)
{
    struct tws_sockaddr plain = address("10.1.2.3", 80), mapped = address("::ffff:10.1.2.3", 80);
    struct tws_sockaddr v6 = address("::1", 80), other = address("10.1.2.3", 81), unix_socket;

    ck_assert_int_eq(tws_sockaddr_set_unix(&unix_socket, "/run/x.sock"), TWS_OK);
    ck_assert(!tws_sockaddr_equal(&plain, &mapped) && !tws_sockaddr_equal(&plain, &other));
    ck_assert(!tws_sockaddr_equal(&unix_socket, &unix_socket));
    tws_sockaddr_unmap(&mapped);
    ck_assert(tws_sockaddr_equal(&plain, &mapped));
    tws_sockaddr_unmap(&v6);
    ck_assert_int_eq(v6.ss.ss_family, AF_INET6);
    tws_sockaddr_unmap(&unix_socket);
    ck_assert_int_eq(unix_socket.ss.ss_family, AF_UNIX);
}
END_TEST

START_TEST(a_unix_address_has_no_ip_and_is_written_as_its_path)
{
    struct tws_sockaddr sa;
    struct tws_ip ip;
    uint16_t port = 1;
    char text[TWS_HOSTPORT_TEXT];

    ck_assert_int_eq(tws_sockaddr_set_unix(&sa, "/run/x.sock"), TWS_OK);
    tws_sockaddr_get(&sa, &ip, &port);
    ck_assert_uint_eq(ip.family, 0);
    ck_assert_uint_eq(port, 0);
    tws_sockaddr_format(&sa, text, sizeof text);
    ck_assert_str_eq(text, "unix:/run/x.sock");
    ck_assert_int_eq(tws_sockaddr_set_unix(&sa, "@name"), TWS_OK);
    tws_sockaddr_format(&sa, text, sizeof text);
    ck_assert_str_eq(text, "unix:@name");
}
END_TEST

START_TEST(a_unix_path_that_does_not_fit_is_refused)
{
    struct tws_sockaddr sa;
    char path[200];

    ck_assert_int_eq(tws_sockaddr_set_unix(&sa, ""), TWS_SYS);
    ck_assert_int_eq(errno, EINVAL);
    memset(path, 'x', sizeof path);
    path[sizeof((struct sockaddr_un *)0)->sun_path] = '\0';
    ck_assert_int_eq(tws_sockaddr_set_unix(&sa, path), TWS_SYS);
    ck_assert_int_eq(errno, ENAMETOOLONG);
    path[sizeof((struct sockaddr_un *)0)->sun_path - 1] = '\0';
    ck_assert_int_eq(tws_sockaddr_set_unix(&sa, path), TWS_OK);
}
END_TEST

START_TEST(an_unnamed_unix_peer_and_an_unknown_family_can_be_written)
{
    struct tws_sockaddr sa = {.len = sizeof(sa_family_t)};
    char text[TWS_HOSTPORT_TEXT];

    sa.ss.ss_family = AF_UNIX;
    tws_sockaddr_format(&sa, text, sizeof text);
    ck_assert_str_eq(text, "unix:");
    sa.ss.ss_family = AF_UNSPEC;
    tws_sockaddr_format(&sa, text, sizeof text);
    ck_assert_str_eq(text, "unknown");
}
END_TEST

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;

    ck_assert_int_eq(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

START_TEST(options_are_set_on_tcp_and_ignored_elsewhere)
{
    int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    tws_socket_set_nodelay(tcp);
    tws_socket_set_keepalive(tcp);
    tws_socket_set_notsent_lowat(tcp, 16384);
    tws_socket_set_nodelay(local);
    tws_socket_set_keepalive(local);
    ck_assert_int_eq(option(tcp, IPPROTO_TCP, TCP_NODELAY), 1);
    ck_assert_int_eq(option(tcp, SOL_SOCKET, SO_KEEPALIVE), 1);
    ck_assert_int_eq(option(tcp, IPPROTO_TCP, TCP_KEEPIDLE), 60);
    ck_assert_int_eq(option(tcp, IPPROTO_TCP, TCP_KEEPINTVL), 15);
    ck_assert_int_eq(option(tcp, IPPROTO_TCP, TCP_KEEPCNT), 4);
    ck_assert_int_eq(option(tcp, IPPROTO_TCP, TCP_NOTSENT_LOWAT), 16384);
    ck_assert_int_eq(tws_socket_error(tcp), 0);
    ck_assert_int_eq(tws_socket_error(-1), EBADF);
    tws_socket_close(tcp);
    tws_socket_close(local);
}
END_TEST

START_TEST(closing_keeps_errno)
{
    errno = EADDRINUSE;
    tws_socket_close(-1);
    tws_socket_close(1000000);
    ck_assert_int_eq(errno, EADDRINUSE);
}
END_TEST

START_TEST(the_descriptor_limit_is_raised_to_the_hard_one)
{
    struct rlimit limit = {.rlim_cur = 100, .rlim_max = 500};

    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_uint_eq(tws_raise_fd_limit(), 500);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_uint_eq(limit.rlim_cur, 500);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("socket");
    tcase_add_loop_test(tc, an_ip_and_port_go_there_and_back, 0, COUNT_OF(addresses));
    tcase_add_test(tc, equal_is_the_same_ip_and_port_once_unmapped);
    tcase_add_test(tc, a_unix_address_has_no_ip_and_is_written_as_its_path);
    tcase_add_test(tc, a_unix_path_that_does_not_fit_is_refused);
    tcase_add_test(tc, an_unnamed_unix_peer_and_an_unknown_family_can_be_written);
    tcase_add_test(tc, options_are_set_on_tcp_and_ignored_elsewhere);
    tcase_add_test(tc, closing_keeps_errno);
    tcase_add_test(tc, the_descriptor_limit_is_raised_to_the_hard_one);

    return run_suite("net/socket", tc);
}
