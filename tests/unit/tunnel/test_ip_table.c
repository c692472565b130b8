/* test_ip_table.c - who an address belongs to. */
#include "suite.h"

#include "tws/tunnel/ip_table.h"

#include <stdio.h>

static struct tws_ip ip(const char *text)
{
    struct tws_ip out;

    ck_assert_int_eq(tws_ip_parse(text, &out), TWS_OK);
    return out;
}

static struct tws_prefix prefix(const char *text, uint8_t bits)
{
    return (struct tws_prefix){.ip = ip(text), .bits = bits};
}

static const char *find(const struct tws_ip_table *t, const char *text)
{
    struct tws_ip a = ip(text);
    const char *owner = tws_ip_table_find(t, &a);

    return owner != NULL ? owner : "nobody";
}

START_TEST(the_longest_prefix_wins)
{
    static struct {
        const char *net;
        uint8_t bits;
        char owner[8];
    } routes[] = {
        {"10.0.0.0", 8, "eight"},      {"10.9.0.0", 24, "net"}, {"10.9.0.2", 32, "host"},
        {"0.0.0.0", 0, "rest"},        {"fd09::", 64, "net6"},  {"fd09::2", 128, "host6"},
        {"192.168.4.0", 23, "twenty"},
    };
    struct tws_ip_entry entries[COUNT_OF(routes)];
    struct tws_ip_table t;

    ck_assert_int_eq(tws_ip_table_init(&t), TWS_OK);
    for (int i = 0; i < COUNT_OF(routes); i++) {
        struct tws_prefix p = prefix(routes[i].net, routes[i].bits);
        ck_assert_int_eq(tws_ip_table_add(&t, &entries[i], &p, routes[i].owner), TWS_OK);
    }
    ck_assert_str_eq(find(&t, "10.9.0.2"), "host");
    ck_assert_str_eq(find(&t, "10.9.0.3"), "net");
    ck_assert_str_eq(find(&t, "10.9.1.2"), "eight");
    ck_assert_str_eq(find(&t, "192.168.5.255"), "twenty");
    ck_assert_str_eq(find(&t, "192.168.6.0"), "rest");
    ck_assert_str_eq(find(&t, "fd09::2"), "host6");
    ck_assert_str_eq(find(&t, "fd09::3"), "net6");
    ck_assert_str_eq(find(&t, "fd0a::3"), "nobody");
    tws_ip_table_remove(&t, &entries[2]);
    tws_ip_table_remove(&t, &entries[2]);
    ck_assert_str_eq(find(&t, "10.9.0.2"), "net");
    for (int i = 0; i < COUNT_OF(routes); i++)
        tws_ip_table_remove(&t, &entries[i]);
    ck_assert_str_eq(find(&t, "10.9.0.3"), "nobody");
    tws_ip_table_fini(&t);
}
END_TEST

START_TEST(a_prefix_belongs_to_one)
{
    struct tws_ip_entry a, b;
    struct tws_ip_table t;
    struct tws_prefix p = prefix("10.9.0.7", 24), q = prefix("10.9.0.9", 24),
                      r = prefix("10.9.0.0", 25);
    char one, two;

    ck_assert_int_eq(tws_ip_table_init(&t), TWS_OK);
    ck_assert_int_eq(tws_ip_table_add(&t, &a, &p, &one), TWS_OK);
    ck_assert_int_eq(tws_ip_table_add(&t, &b, &q, &two), TWS_FULL);
    ck_assert_ptr_eq(tws_ip_table_exact(&t, &q), &one);
    ck_assert_ptr_null(tws_ip_table_exact(&t, &r));
    tws_ip_table_remove(&t, &b); /* it is not there */
    tws_ip_table_remove(&t, &a);
    ck_assert_int_eq(tws_ip_table_add(&t, &b, &q, &two), TWS_OK);
    tws_ip_table_remove(&t, &b);
    tws_ip_table_fini(&t);
}
END_TEST

START_TEST(many_addresses_are_found_each)
{
    enum { N = 5000 };
    static struct tws_ip_entry entries[N];
    static int owners[N];
    struct tws_ip_table t;
    char text[32];

    ck_assert_int_eq(tws_ip_table_init(&t), TWS_OK);
    for (int i = 0; i < N; i++) {
        snprintf(text, sizeof text, "10.%d.%d.%d", i % 7, i / 256 % 256, i % 256);
        struct tws_prefix p = prefix(text, 32);
        ck_assert_int_eq(tws_ip_table_add(&t, &entries[i], &p, &owners[i]), TWS_OK);
    }
    ck_assert_uint_gt(t.mask, N / 2); /* it grew */
    for (int i = 0; i < N; i++) {
        snprintf(text, sizeof text, "10.%d.%d.%d", i % 7, i / 256 % 256, i % 256);
        struct tws_ip a = ip(text);
        ck_assert_ptr_eq(tws_ip_table_find(&t, &a), &owners[i]);
    }
    for (int i = 0; i < N; i++)
        tws_ip_table_remove(&t, &entries[i]);
    tws_ip_table_fini(&t);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("ip_table");

    tcase_add_test(tc, the_longest_prefix_wins);
    tcase_add_test(tc, a_prefix_belongs_to_one);
    tcase_add_test(tc, many_addresses_are_found_each);
    return run_suite("ip_table", tc);
}
