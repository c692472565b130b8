/* test_remote.c - the command line's forwards: chisel's grammar, and what is said of what is not.
 */
#include "suite.h"

#include "tws/proto/remote.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *text, *canonical;
    enum tws_remote_kind kind;
} remotes[] = {
    /* chisel's own examples, with loopback where it listens on every address */
    {"3000", "127.0.0.1:3000:127.0.0.1:3000", TWS_REMOTE_TCP},
    {"example.com:3000", "127.0.0.1:3000:example.com:3000", TWS_REMOTE_TCP},
    {"3000:google.com:80", "127.0.0.1:3000:google.com:80", TWS_REMOTE_TCP},
    {"192.168.0.5:3000:google.com:80", "192.168.0.5:3000:google.com:80", TWS_REMOTE_TCP},
    {"socks", "127.0.0.1:1080:socks", TWS_REMOTE_SOCKS},
    {"5000:socks", "127.0.0.1:5000:socks", TWS_REMOTE_SOCKS},
    {"127.0.0.1:1081:socks", "127.0.0.1:1081:socks", TWS_REMOTE_SOCKS},
    {"R:2222:localhost:22", "R:127.0.0.1:2222:localhost:22", TWS_REMOTE_TCP},
    {"R:socks", "R:127.0.0.1:1080:socks", TWS_REMOTE_SOCKS},
    {"R:5000:socks", "R:127.0.0.1:5000:socks", TWS_REMOTE_SOCKS},
    {"stdio:example.com:22", "stdio:example.com:22", TWS_REMOTE_TCP},
    {"1.1.1.1:53/udp", "127.0.0.1:53:1.1.1.1:53/udp", TWS_REMOTE_UDP},
    {"localhost:5353:1.1.1.1:53/udp", "localhost:5353:1.1.1.1:53/udp", TWS_REMOTE_UDP},
    {"[::1]:8080:google.com:80", "[::1]:8080:google.com:80", TWS_REMOTE_TCP},
    {"R:[::]:3000:[::1]:3000", "R:[::]:3000:[::1]:3000", TWS_REMOTE_TCP},
    /* every address */
    {"*:3000:h:80", "*:3000:h:80", TWS_REMOTE_TCP},
    {"0.0.0.0:3000:h:80", "0.0.0.0:3000:h:80", TWS_REMOTE_TCP},
    {"[::]:3000:[::1]:80", "[::]:3000:[::1]:80", TWS_REMOTE_TCP},
    {"R:*:3000:h:80", "R:*:3000:h:80", TWS_REMOTE_TCP},
    /* protocols */
    {"53/udp", "127.0.0.1:53:127.0.0.1:53/udp", TWS_REMOTE_UDP},
    {"5353:53/udp", "127.0.0.1:5353:127.0.0.1:53/udp", TWS_REMOTE_UDP},
    {"5353:1.1.1.1:53/udp", "127.0.0.1:5353:1.1.1.1:53/udp", TWS_REMOTE_UDP},
    {"R:5353:[2001:db8::1]:53/udp", "R:127.0.0.1:5353:[2001:db8::1]:53/udp", TWS_REMOTE_UDP},
    {"3000:h:80/tcp", "127.0.0.1:3000:h:80", TWS_REMOTE_TCP},
    /* short forms */
    {"3000:80", "127.0.0.1:3000:127.0.0.1:80", TWS_REMOTE_TCP},
    {"[::1]:80", "127.0.0.1:80:[::1]:80", TWS_REMOTE_TCP},
    {"R:3000", "R:127.0.0.1:3000:127.0.0.1:3000", TWS_REMOTE_TCP},
    {"R:example.com:3000", "R:127.0.0.1:3000:example.com:3000", TWS_REMOTE_TCP},
    {"R:0:localhost:22", "R:127.0.0.1:0:localhost:22", TWS_REMOTE_TCP},
    /* ranges */
    {"8000-8010:h:9000-9010", "127.0.0.1:8000-8010:h:9000-9010", TWS_REMOTE_TCP},
    {"8000-8010", "127.0.0.1:8000-8010:127.0.0.1:8000-8010", TWS_REMOTE_TCP},
    {"h:8000-8010", "127.0.0.1:8000-8010:h:8000-8010", TWS_REMOTE_TCP},
    {"53-54:h:53-54/udp", "127.0.0.1:53-54:h:53-54/udp", TWS_REMOTE_UDP},
    {"5-5:h:80", "127.0.0.1:5:h:80", TWS_REMOTE_TCP},
    /* proxies */
    {"http", "127.0.0.1:8080:http", TWS_REMOTE_HTTP},
    {"3128:http", "127.0.0.1:3128:http", TWS_REMOTE_HTTP},
    {"proxy", "127.0.0.1:1080:proxy", TWS_REMOTE_PROXY},
    {"[::1]:1080:proxy", "[::1]:1080:proxy", TWS_REMOTE_PROXY},
    {"1080-1082:socks", "127.0.0.1:1080-1082:socks", TWS_REMOTE_SOCKS},
    {"unix:/run/s.sock:socks", "unix:/run/s.sock:socks", TWS_REMOTE_SOCKS},
    {"fd:proxy:socks", "fd:proxy:socks", TWS_REMOTE_SOCKS},
    /* a word that is not last is a host */
    {"socks:1080", "127.0.0.1:1080:socks:1080", TWS_REMOTE_TCP},
    {"3000:http:80", "127.0.0.1:3000:http:80", TWS_REMOTE_TCP},
    /* sockets of other kinds */
    {"unix:/run/a.sock:h:80", "unix:/run/a.sock:h:80", TWS_REMOTE_TCP},
    {"unix:/run/a.sock:80", "unix:/run/a.sock:127.0.0.1:80", TWS_REMOTE_TCP},
    {"3000:unix:/run/b.sock", "127.0.0.1:3000:unix:/run/b.sock", TWS_REMOTE_TCP},
    {"*:3000:unix:/run/udp", "*:3000:unix:/run/udp", TWS_REMOTE_TCP},
    {"unix:/a:unix:/b", "unix:/a:unix:/b", TWS_REMOTE_TCP},
    {"unix:@a:unix:@b", "unix:@a:unix:@b", TWS_REMOTE_TCP},
    {"R:unix:/a:unix:/b", "R:unix:/a:unix:/b", TWS_REMOTE_TCP},
    {"R:unix:/a:localhost:22", "R:unix:/a:localhost:22", TWS_REMOTE_TCP},
    {"fd:web:h:80", "fd:web:h:80", TWS_REMOTE_TCP},
    {"fd:dns:h:53/udp", "fd:dns:h:53/udp", TWS_REMOTE_UDP},
    {"fd:web:80", "fd:web:127.0.0.1:80", TWS_REMOTE_TCP},
    {"fd:web:unix:/b", "fd:web:unix:/b", TWS_REMOTE_TCP},
    {"fd:80:h:80", "fd:80:h:80", TWS_REMOTE_TCP},
    /* stdio; ssh's %h comes without brackets */
    {"stdio:22", "stdio:127.0.0.1:22", TWS_REMOTE_TCP},
    {"stdio:[::1]:22", "stdio:[::1]:22", TWS_REMOTE_TCP},
    {"stdio:::1:22", "stdio:[::1]:22", TWS_REMOTE_TCP},
    {"stdio:fe80::1:2:22", "stdio:[fe80::1:2]:22", TWS_REMOTE_TCP},
    {"stdio:unix:/run/x", "stdio:unix:/run/x", TWS_REMOTE_TCP},
    {"stdio:unix:/run/a:b", "stdio:unix:/run/a:b", TWS_REMOTE_TCP},
};

START_TEST(a_forward_is_read_with_its_defaults)
{
    char shown[TWS_REMOTE_TEXT];
    const char *why = NULL;
    struct tws_remote r, again;

    ck_assert_msg(tws_remote_parse(remotes[_i].text, &r, &why) == TWS_OK, "%s: %s",
                  remotes[_i].text, why);
    tws_remote_format(&r, shown, sizeof shown);
    ck_assert_str_eq(shown, remotes[_i].canonical);
    ck_assert_int_eq(r.kind, remotes[_i].kind);
    ck_assert(r.reverse == (strncmp(remotes[_i].text, "R:", 2) == 0));
    /* What is shown means the same, except that a path with a colon cannot be told from its end. */
    if (strcmp(shown, "stdio:unix:/run/a:b") != 0) {
        ck_assert_msg(tws_remote_parse(shown, &again, &why) == TWS_OK, "%s: %s", shown, why);
        tws_remote_format(&again, shown, sizeof shown);
        ck_assert_str_eq(shown, remotes[_i].canonical);
    }
}
END_TEST

static const struct {
    const char *text;
    const char *says; /* a part of why */
} bad[] = {
    {"", "empty"},
    {"R:", "empty"},
    {":", "empty"},
    {":3000:h:80", "empty"},
    {"3000::80", "empty"},
    {"3000:h:80:", "empty"},
    {"stdio", "no port"},
    {"stdio:", "no port"},
    {"example.com", "no port"},
    {"3000:example.com", "no port"},
    {"10.0.0.1:3000:example.com", "no port"},
    {"h:3000:80", "two meanings"},
    {"127.0.0.1:3000:80", "two meanings"},
    {"h:socks", "PORT:socks"},
    {"unix:/run/x", "not where to listen"},
    {"fd:web", "where to connect"},
    {"3000:h:80:90:100", "expected"},
    {"a:b:c", "expected"},
    {"3000:a b:80", "neither an address nor a name"},
    {"[::1:80", "not closed"},
    {"[::1]80", "not closed"},
    {"3000:[::1]x:80", "not closed"},
    {"::1:80", "empty"},
    {"3000:fe80::1:80", "empty"},
    {"3000:[10.0.0.1]:80", "neither an address nor a name"},
    {"3000:h\xc3\xb6st:80", "xn--"},
    {"3000:h:0", "1 to 65535"},
    {"3000:h:65536", "1 to 65535"},
    {"0:h:80", "1 to 65535"},
    {"0", "1 to 65535"},
    {"R:3000:h:0", "1 to 65535"},
    {"3000:h:8080808080", "1 to 65535"},
    {"3000:*:80", "needs a host"},
    {"*:80", "needs a host"},
    {"8000-8010:h:80", "as many ports"},
    {"8000:h:80-90", "as many ports"},
    {"8000-8010:h:9000-9011", "as many ports"},
    {"8000-8010:unix:/x", "as many ports"},
    {"unix:/x:h:80-81", "as many ports"},
    {"fd:web:h:80-81", "as many ports"},
    {"stdio:h:80-81", "as many ports"},
    {"8010-8000:h:9010-9000", "higher"},
    {"1-2000:h:1-2000", "1024"},
    {"53/udp:1.1.1.1:53", "once, at the end"},
    {"53/udp:1.1.1.1:53/udp", "once, at the end"},
    {"53:1.1.1.1/udp:53", "neither an address nor a name"},
    {"unix:80", "not where to listen"},
    {"unix:80:h:80", "begins with /"},
    {"3000:unix:80", "begins with /"},
    {"fd:80", "where to connect"},
    {"fd::80", "FileDescriptorName"},
    {"53:1.1.1.1:53/sctp", "tcp or udp"},
    {"53:1.1.1.1:53/", "tcp or udp"},
    {"53:1.1.1.1:53/UDP", "tcp or udp"},
    {"53:1.1.1.1:53/udp/udp", "tcp or udp"},
    {"socks/udp", "no port"},
    {"R:stdio:h:22", "cannot be reversed"},
    {"R:fd:web:h:22", "cannot be reversed"},
    {"unix:/x:h:53/udp", "streams"},
    {"stdio:h:53/udp", "streams"},
    {"unix:x:h:80", "begins with /"},
    {"3000:unix:x", "begins with /"},
    {"stdio:unix:x", "begins with /"},
    {"stdio:a:b:22", "neither an address nor a name"},
    {"wss://example.com/tws", "expected"},
};

START_TEST(what_is_no_forward_is_told_why)
{
    struct tws_remote r = {.kind = TWS_REMOTE_PROXY};
    const char *why = NULL;

    ck_assert_msg(tws_remote_parse(bad[_i].text, &r, &why) == TWS_ABSENT, "%s", bad[_i].text);
    ck_assert_ptr_nonnull(why);
    ck_assert_msg(strstr(why, bad[_i].says) != NULL, "%s: %s", bad[_i].text, why);
    ck_assert_int_eq(r.kind, TWS_REMOTE_PROXY);
}
END_TEST

START_TEST(nothing_is_too_long_to_be_refused)
{
    char text[4 * TWS_REMOTE_TEXT];
    const char *why = NULL;
    struct tws_remote r;

    memset(text, 'n', sizeof text);
    text[sizeof text - 1] = '\0';
    ck_assert_int_eq(tws_remote_parse(text, &r, &why), TWS_ABSENT);
    ck_assert_int_eq(tws_remote_parse_stdio(text, &r, &why), TWS_ABSENT);
    memcpy(text + sizeof text - 4, ":80", 4);
    ck_assert_int_eq(tws_remote_parse(text, &r, &why), TWS_ABSENT);
    memcpy(text, "unix:/", 6);
    ck_assert_int_eq(tws_remote_parse(text, &r, &why), TWS_ABSENT);
    memset(text, ':', sizeof text - 4);
    ck_assert_int_eq(tws_remote_parse(text, &r, &why), TWS_ABSENT);
    memset(text, '[', sizeof text - 4);
    ck_assert_int_eq(tws_remote_parse(text, &r, &why), TWS_ABSENT);
}
END_TEST

START_TEST(the_longest_forward_fits_in_the_announced_size)
{
    char text[TWS_REMOTE_TEXT], shown[TWS_REMOTE_TEXT], host[TWS_HOST_MAX + 1];
    const char *why = NULL;
    struct tws_remote r;

    memset(host, 'n', sizeof host);
    host[TWS_HOST_MAX] = '\0';
    snprintf(text, sizeof text, "R:%s:64512-65535:%s:64512-65535/udp", host, host);
    ck_assert_msg(tws_remote_parse(text, &r, &why) == TWS_OK, "%s", why);
    tws_remote_format(&r, shown, sizeof shown);
    ck_assert_str_eq(shown, text);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("remote");

    tcase_add_loop_test(tc, a_forward_is_read_with_its_defaults, 0, COUNT_OF(remotes));
    tcase_add_loop_test(tc, what_is_no_forward_is_told_why, 0, COUNT_OF(bad));
    tcase_add_test(tc, nothing_is_too_long_to_be_refused);
    tcase_add_test(tc, the_longest_forward_fits_in_the_announced_size);
    return run_suite("proto/remote", tc);
}
