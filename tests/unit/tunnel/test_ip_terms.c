/* test_ip_terms.c - which addresses, with which lengths, a client takes from any server. */
#include "ip_terms_priv.h"
#include "suite.h"

#include <check.h>

static const struct {
    const char *ip;
    uint8_t bits;
    bool fine;
} terms[] = {
    {"10.9.0.2", 24, true},      {"10.9.0.2", 16, true},     {"10.9.0.2", 15, false},
    {"10.9.0.2", 8, false},      {"10.9.0.2", 1, false},     {"172.16.5.2", 16, true},
    {"172.16.5.2", 12, false},   {"172.32.0.2", 24, false},  {"192.168.1.2", 16, true},
    {"192.168.1.2", 15, false},  {"100.64.0.2", 24, true},   {"198.18.0.2", 24, true},
    {"198.51.100.2", 24, false}, {"8.8.8.9", 31, false},     {"8.8.8.9", 32, true},
    {"169.254.1.1", 32, false},  {"169.254.1.1", 24, false}, {"128.0.0.1", 1, false},
    {"fd09::2", 64, true},       {"fd09::2", 48, true},      {"fd09::2", 47, false},
    {"2001:db8::2", 64, false},  {"2001:db8::2", 128, true}, {"2001:db8::2", 32, false},
    {"fe80::2", 64, false},      {"fe80::2", 128, false},
};

START_TEST(a_server_gives_private_networks_of_ordinary_size_and_addresses)
{
    for (size_t i = 0; i < sizeof terms / sizeof *terms; i++) {
        struct tws_prefix p = {.bits = terms[i].bits};
        ck_assert_int_eq(tws_ip_parse(terms[i].ip, &p.ip), TWS_OK);
        ck_assert_msg((tws_ip_terms_doubt(&p) == NULL) == terms[i].fine, "%s/%u", terms[i].ip,
                      (unsigned)p.bits);
    }
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("ip_terms");

    tcase_add_test(tc, a_server_gives_private_networks_of_ordinary_size_and_addresses);
    return run_suite("tunnel/ip_terms", tc);
}
