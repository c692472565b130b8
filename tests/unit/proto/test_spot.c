/* test_spot.c - spots: each form is read and shown again, and what is none is told why. */
#include "suite.h"

#include "tws/proto/spot.h"

#include <string.h>

static const struct {
    const char *text, *shown;
    uint8_t type;
    const char *name;
    uint16_t port, last;
} spots[] = {
    {"127.0.0.1:8080", "127.0.0.1:8080", TWS_SPOT_INET, "127.0.0.1", 8080, 8080},
    {"[::1]:80", "[::1]:80", TWS_SPOT_INET, "::1", 80, 80},
    {"*:80", "*:80", TWS_SPOT_INET, "", 80, 80},
    {":80", "*:80", TWS_SPOT_INET, "", 80, 80},
    {"localhost:1-1024", "localhost:1-1024", TWS_SPOT_INET, "localhost", 1, 1024},
    {"[fd00::1]:65534-65535", "[fd00::1]:65534-65535", TWS_SPOT_INET, "fd00::1", 65534, 65535},
    {"h:7-7", "h:7", TWS_SPOT_INET, "h", 7, 7},
    {"h:0", "h:0", TWS_SPOT_INET, "h", 0, 0},
    {"unix:/run/x.sock", "unix:/run/x.sock", TWS_SPOT_UNIX, "/run/x.sock", 0, 0},
    {"unix:/a b:c", "unix:/a b:c", TWS_SPOT_UNIX, "/a b:c", 0, 0},
    {"unix:@tws", "unix:@tws", TWS_SPOT_UNIX, "@tws", 0, 0},
    {"fd:web", "fd:web", TWS_SPOT_FD, "web", 0, 0},
    {"fd:tws-client@home.socket", "fd:tws-client@home.socket", TWS_SPOT_FD,
     "tws-client@home.socket", 0, 0},
    {"stdio", "stdio", TWS_SPOT_STDIO, "", 0, 0},
};

START_TEST(a_spot_is_read_and_shown)
{
    char shown[TWS_SPOT_TEXT];
    const char *why = NULL;
    struct tws_spot s;

    ck_assert_msg(tws_spot_parse(spots[_i].text, TWS_SPOT_LISTEN, &s, &why) == TWS_OK, "%s: %s",
                  spots[_i].text, why);
    ck_assert_uint_eq(s.type, spots[_i].type);
    ck_assert_str_eq(s.name, spots[_i].name);
    ck_assert_uint_eq(s.port, spots[_i].port);
    ck_assert_uint_eq(s.last, spots[_i].last);
    tws_spot_format(&s, shown, sizeof shown);
    ck_assert_str_eq(shown, spots[_i].shown);
}
END_TEST

#define PATH_100                                                                                   \
    "/2345678901234567890123456789012345678901234567890"                                           \
    "01234567890123456789012345678901234567890123456789"

static const struct {
    const char *text;
    enum tws_spot_use use;
    const char *says; /* a part of why */
} bad[] = {
    {"", TWS_SPOT_LISTEN, "expected host:port"},
    {"8080", TWS_SPOT_LISTEN, "expected host:port"},
    {"::1:80", TWS_SPOT_LISTEN, "brackets"},
    {"[::1:80", TWS_SPOT_LISTEN, "neither an address nor a name"},
    {"[10.0.0.1]:80", TWS_SPOT_LISTEN, "neither an address nor a name"},
    {"h\xc3\xa9:80", TWS_SPOT_LISTEN, "xn--"},
    {"a b:80", TWS_SPOT_LISTEN, "neither an address nor a name"},
    {"h:", TWS_SPOT_LISTEN, "1 to 65535"},
    {"h:65536", TWS_SPOT_LISTEN, "1 to 65535"},
    {"h:080", TWS_SPOT_LISTEN, "1 to 65535"},
    {"h:80-", TWS_SPOT_LISTEN, "1 to 65535"},
    {"h:-80", TWS_SPOT_LISTEN, "1 to 65535"},
    {"h:1-2-3", TWS_SPOT_LISTEN, "1 to 65535"},
    {"h:0-5", TWS_SPOT_LISTEN, "1 to 65535"},
    {"h:0", TWS_SPOT_TARGET, "1 to 65535"},
    {"h:9-8", TWS_SPOT_LISTEN, "higher"},
    {"h:1-1025", TWS_SPOT_LISTEN, "1024"},
    {"*:80", TWS_SPOT_TARGET, "needs a host"},
    {":80", TWS_SPOT_TARGET, "needs a host"},
    {"unix:", TWS_SPOT_LISTEN, "begins with /"},
    {"unix:/", TWS_SPOT_LISTEN, "begins with /"},
    {"unix:run/x", TWS_SPOT_LISTEN, "begins with /"},
    {"unix:/a\nb", TWS_SPOT_LISTEN, "control"},
    {"unix:" PATH_100 "12345678", TWS_SPOT_LISTEN, "107"},
    {"fd:", TWS_SPOT_LISTEN, "FileDescriptorName"},
    {"fd:a:b", TWS_SPOT_LISTEN, "FileDescriptorName"},
    {"fd:a b", TWS_SPOT_LISTEN, "FileDescriptorName"},
    {"fd:web", TWS_SPOT_TARGET, "where to listen"},
    {"stdio", TWS_SPOT_TARGET, "where to listen"},
};

START_TEST(what_is_no_spot_is_told_why)
{
    struct tws_spot s = {.type = 77};
    const char *why = NULL;

    ck_assert_msg(tws_spot_parse(bad[_i].text, bad[_i].use, &s, &why) == TWS_ABSENT, "%s",
                  bad[_i].text);
    ck_assert_ptr_nonnull(why);
    ck_assert_msg(strstr(why, bad[_i].says) != NULL, "%s: %s", bad[_i].text, why);
    ck_assert_uint_eq(s.type, 77);
}
END_TEST

START_TEST(the_longest_path_and_host_are_taken)
{
    char text[TWS_SPOT_TEXT] = "unix:" PATH_100 "1234567", shown[TWS_SPOT_TEXT];
    const char *why = NULL;
    struct tws_spot s;

    ck_assert_uint_eq(strlen(text), 5 + TWS_SPOT_PATH_MAX);
    ck_assert_int_eq(tws_spot_parse(text, TWS_SPOT_TARGET, &s, &why), TWS_OK);
    memset(text, 'n', TWS_HOST_MAX);
    memcpy(text + TWS_HOST_MAX, ":64512-65535", sizeof ":64512-65535");
    ck_assert_int_eq(tws_spot_parse(text, TWS_SPOT_TARGET, &s, &why), TWS_OK);
    tws_spot_format(&s, shown, sizeof shown);
    ck_assert_str_eq(shown, text);
    memset(text, 'n', TWS_HOST_MAX + 1);
    memcpy(text + TWS_HOST_MAX + 1, ":1", sizeof ":1");
    ck_assert_int_eq(tws_spot_parse(text, TWS_SPOT_TARGET, &s, &why), TWS_ABSENT);
}
END_TEST

START_TEST(a_range_is_its_ports_one_by_one)
{
    const char *why = NULL;
    struct tws_hostport hp;
    struct tws_spot s;

    ck_assert_int_eq(tws_spot_parse("[::1]:8000-8002", TWS_SPOT_TARGET, &s, &why), TWS_OK);
    ck_assert_uint_eq(tws_spot_count(&s), 3);
    tws_spot_hostport(&s, 2, &hp);
    ck_assert_str_eq(hp.host, "::1");
    ck_assert_uint_eq(hp.port, 8002);
    ck_assert_int_eq(tws_spot_parse("unix:/x", TWS_SPOT_TARGET, &s, &why), TWS_OK);
    ck_assert_uint_eq(tws_spot_count(&s), 1);
}
END_TEST

static const struct {
    const char *a, *b;
    bool overlap;
} pairs[] = {
    {"h:80", "h:80", true},        {"h:80", "H:80", true},       {"h:80", "h:81", false},
    {"h:80", "g:80", false},       {"h:80-90", "h:90-99", true}, {"h:80-90", "h:91", false},
    {"h:85", "h:80-90", true},     {"h:0", "h:0", false},        {"unix:/x", "unix:/x", true},
    {"unix:/x", "unix:/X", false}, {"fd:x", "fd:x", true},       {"fd:x", "unix:/x", false},
    {"stdio", "stdio", true},      {"*:80", ":80", true},
};

START_TEST(spots_overlap_where_two_would_listen_at_once)
{
    const char *why = NULL;
    struct tws_spot a, b;

    ck_assert_int_eq(tws_spot_parse(pairs[_i].a, TWS_SPOT_LISTEN, &a, &why), TWS_OK);
    ck_assert_int_eq(tws_spot_parse(pairs[_i].b, TWS_SPOT_LISTEN, &b, &why), TWS_OK);
    ck_assert_msg(tws_spot_overlaps(&a, &b) == pairs[_i].overlap, "%s %s", pairs[_i].a,
                  pairs[_i].b);
    ck_assert(tws_spot_overlaps(&b, &a) == pairs[_i].overlap);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("spot");

    tcase_add_loop_test(tc, a_spot_is_read_and_shown, 0, COUNT_OF(spots));
    tcase_add_loop_test(tc, what_is_no_spot_is_told_why, 0, COUNT_OF(bad));
    tcase_add_test(tc, the_longest_path_and_host_are_taken);
    tcase_add_test(tc, a_range_is_its_ports_one_by_one);
    tcase_add_loop_test(tc, spots_overlap_where_two_would_listen_at_once, 0, COUNT_OF(pairs));
    return run_suite("proto/spot", tc);
}
