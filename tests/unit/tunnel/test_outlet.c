/* test_outlet.c - which record of the list a target goes out by, and where that starts and leads.
 */
#include "outlet_priv.h"
#include "suite.h"

#include "tws/proto/frame.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 3

/* A list of outlets, each by its rules and by the clients it is for. */
struct list {
    struct tws_outlet outlets[MOST];
    struct tws_rule rules[MOST][MOST];
    struct tws_prefix from[MOST];
    size_t n;
};

static void add(struct list *l, const char *to, const char *more, const char *from)
{
    struct tws_outlet *o = &l->outlets[l->n];
    const char *texts[] = {to, more};

    *o = (struct tws_outlet){.to = l->rules[l->n]};
    for (size_t i = 0; i < 2 && texts[i] != NULL; i++) {
        struct tws_rule *r = &l->rules[l->n][o->nto++];
        *r = (struct tws_rule){.port_min = 1, .port_max = 65535};
        if (texts[i][0] == '/')
            r->is_path = true;
        if (r->is_path || tws_prefix_parse(texts[i], &r->prefix) != TWS_OK)
            r->name = strdup(texts[i]);
    }
    if (from != NULL) {
        o->from = &l->from[l->n];
        o->nfrom = 1;
        ck_assert_int_eq(tws_prefix_parse(from, o->from), TWS_OK);
    }
    l->n++;
}

static void clear(struct list *l)
{
    for (size_t i = 0; i < l->n; i++)
        for (size_t k = 0; k < l->outlets[i].nto; k++)
            free(l->rules[i][k].name);
    l->n = 0;
}

static struct tws_ip ip_of(const char *text)
{
    struct tws_ip ip = {.family = 0};

    if (text != NULL)
        ck_assert_msg(tws_ip_parse(text, &ip) == TWS_OK, "%s", text);
    return ip;
}

static struct tws_target target_of(const char *text)
{
    struct tws_hostport hp = {.port = 80};
    struct tws_target t;

    snprintf(hp.host, sizeof hp.host, "%s", text);
    tws_target_from_hostport(&hp, &t);
    if (text[0] == '/')
        t.type = TWS_TARGET_UNIX;
    return t;
}

#define UNSURE (-2)
#define NONE   (-1)

/* The number of the outlet. */
static int find(const struct list *l, const char *target, const char *resolved, const char *source)
{
    struct tws_target t = target_of(target);
    struct tws_ip ip = ip_of(resolved);
    struct tws_outward o = {.kind = t.type == TWS_TARGET_UNIX ? TWS_KIND_UNIX : TWS_KIND_TCP,
                            .target = &t,
                            .resolved = resolved != NULL ? &ip : NULL,
                            .source = {.ip = ip_of(source)}};
    bool unsure;
    const struct tws_outlet *found = tws_outlet_find(l->outlets, l->n, &o, &unsure);

    if (unsure) {
        ck_assert_ptr_null(found);
        return UNSURE;
    }
    return found == NULL ? NONE : (int)(found - l->outlets);
}

START_TEST(the_first_that_covers_the_target_counts)
{
    struct list l = {.n = 0};

    add(&l, "10.0.0.0/8", "db.example", NULL);
    add(&l, "10.1.0.0/16", "/run/a", NULL);
    add(&l, "*", NULL, NULL);
    ck_assert_int_eq(find(&l, "10.1.2.3", NULL, NULL), 0);
    ck_assert_int_eq(find(&l, "::ffff:10.1.2.3", NULL, NULL), 0);
    ck_assert_int_eq(find(&l, "11.1.2.3", NULL, NULL), 2);
    ck_assert_int_eq(find(&l, "/run/a", NULL, NULL), 1);
    ck_assert_int_eq(find(&l, "/run/b", NULL, NULL), NONE);
    clear(&l);
}
END_TEST

START_TEST(a_name_is_resolved_only_if_that_matters)
{
    struct list l = {.n = 0};

    add(&l, "db.example", "10.0.0.0/8", NULL);
    add(&l, "*", NULL, NULL);
    ck_assert_int_eq(find(&l, "db.example", NULL, NULL), 0);
    ck_assert_int_eq(find(&l, "x.example", NULL, NULL), UNSURE);
    ck_assert_int_eq(find(&l, "x.example", "10.0.0.1", NULL), 0);
    ck_assert_int_eq(find(&l, "x.example", "::ffff:10.0.0.1", NULL), 0);
    ck_assert_int_eq(find(&l, "x.example", "11.0.0.1", NULL), 1);
    l.rules[0][1].port_max = 79;
    ck_assert_int_eq(find(&l, "x.example", NULL, NULL), 1);
    clear(&l);
}
END_TEST

START_TEST(an_outlet_without_targets_is_for_all_of_them)
{
    struct list l = {.n = 0};

    add(&l, NULL, NULL, NULL);
    ck_assert_int_eq(find(&l, "10.0.0.1", NULL, NULL), 0);
    ck_assert_int_eq(find(&l, "x.example", NULL, NULL), 0);
    ck_assert_int_eq(find(&l, "/run/a", NULL, NULL), 0);
    clear(&l);
}
END_TEST

START_TEST(an_outlet_for_some_clients_is_for_no_others)
{
    struct list l = {.n = 0};

    add(&l, NULL, NULL, "192.0.2.0/24");
    ck_assert_int_eq(find(&l, "10.0.0.1", NULL, "192.0.2.7"), 0);
    ck_assert_int_eq(find(&l, "10.0.0.1", NULL, "192.0.3.7"), NONE);
    ck_assert_int_eq(find(&l, "10.0.0.1", NULL, NULL), NONE);
    clear(&l);
}
END_TEST

/* This machine has one address. */
static bool is_own(void *arg, const struct tws_ip *ip)
{
    const struct tws_ip own = ip_of("192.0.2.100");

    (void)arg;
    return tws_ip_equal(ip, &own);
}

static const struct {
    const char *source, *from;
    bool works;
} spoofs[] = {
    {"192.0.2.7", NULL, true},
    {"2001:db8::7", NULL, true},
    {NULL, NULL, false},
    {"127.0.0.1", NULL, false},
    {"::1", NULL, false},
    {"127.0.0.1", "0.0.0.0/0", false},
    {"127.0.0.1", "127.0.0.0/8", true},
    {"::1", "::1", true},
    {"0.0.0.0", "0.0.0.0/0", false},
    {"224.0.0.1", "224.0.0.0/4", false},
    {"fe80::1", "fe80::/10", false},
    {"255.255.255.255", NULL, false},
    {"192.0.2.100", NULL, false},
    {"192.0.2.100", "192.0.2.0/24", false},
    {"192.0.2.100", "192.0.2.100", true},
    {"::", "::/0", false},
    {"ff02::1", "ff02::1", false},
    {"169.254.1.1", NULL, false},
    {"64:ff9b::e000:1", NULL, false},
};

START_TEST(only_what_can_be_a_clients_address_is_connected_from)
{
    struct tws_ip_port source = {ip_of(spoofs[_i].source), 1234};
    struct tws_prefix from;
    struct tws_outlet o = {.spoof = true, .from = &from, .mark = 7};
    struct tws_connect_from out;

    if (spoofs[_i].from != NULL) {
        ck_assert_int_eq(tws_prefix_parse(spoofs[_i].from, &from), TWS_OK);
        o.nfrom = 1;
    }
    const char *why = tws_outlet_from(&o, &source, is_own, NULL, &out);
    ck_assert_int_eq(why == NULL, spoofs[_i].works);
    ck_assert_uint_eq(out.mark, 7);
    ck_assert_int_eq(out.transparent, spoofs[_i].works);
    if (spoofs[_i].works)
        ck_assert(tws_ip_equal(&out.ip, &source.ip) && out.port == 1234);
}
END_TEST

START_TEST(a_privileged_port_is_not_believed)
{
    struct tws_outlet o = {.spoof = true};
    struct tws_connect_from out;

    for (unsigned port = 0; port <= 65535; port += 1023) {
        struct tws_ip_port source = {ip_of("192.0.2.7"), (uint16_t)port};
        ck_assert_ptr_null(tws_outlet_from(&o, &source, is_own, NULL, &out));
        ck_assert_uint_eq(out.port, port < 1024 ? 0 : port);
    }
}
END_TEST

START_TEST(nothing_starts_at_the_targets_own_address)
{
    struct tws_connect_from from = {.ip = ip_of("192.0.2.7"), .port = 7, .transparent = true};
    const struct tws_ip same = ip_of("192.0.2.7"), other = ip_of("192.0.2.8"), lo = ip_of("::1");

    ck_assert_ptr_nonnull(tws_outlet_meets_itself(&from, &same));
    ck_assert_ptr_null(tws_outlet_meets_itself(&from, &other));
    from.transparent = false; /* bind: the administrator's own word */
    ck_assert_ptr_null(tws_outlet_meets_itself(&from, &same));
    from = (struct tws_connect_from){.ip = lo, .transparent = true};
    ck_assert_ptr_null(tws_outlet_meets_itself(&from, &lo)); /* it was named, and stays in here */
}
END_TEST

START_TEST(a_source_in_another_spelling_is_the_same)
{
    struct tws_target t = target_of("::ffff:192.0.2.7");
    struct tws_ip_port p = tws_outlet_source(&t);

    ck_assert_uint_eq(p.ip.family, 4);
    ck_assert_uint_eq(p.port, 80);
    t.type = TWS_TARGET_NAME;
    ck_assert_uint_eq(tws_outlet_source(&t).ip.family, 0);
}
END_TEST

START_TEST(each_family_of_clients_has_its_own_other_target)
{
    struct tws_ip_port four = {ip_of("192.0.2.7"), 1}, six = {ip_of("2001:db8::7"), 1}, none = {0};
    struct tws_outlet o = {.ipv4 = {ip_of("10.0.0.4"), 4}};

    ck_assert_ptr_eq(tws_outlet_redirect(&o, &four), &o.ipv4);
    ck_assert_ptr_null(tws_outlet_redirect(&o, &six));
    ck_assert_ptr_eq(tws_outlet_redirect(&o, &none), &o.ipv4);
    o = (struct tws_outlet){.ipv6 = {ip_of("fd00::6"), 6}};
    ck_assert_ptr_null(tws_outlet_redirect(&o, &four));
    ck_assert_ptr_eq(tws_outlet_redirect(&o, &six), &o.ipv6);
    ck_assert_ptr_eq(tws_outlet_redirect(&o, &none), &o.ipv6);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("outlet");
    tcase_add_test(tc, the_first_that_covers_the_target_counts);
    tcase_add_test(tc, a_name_is_resolved_only_if_that_matters);
    tcase_add_test(tc, an_outlet_without_targets_is_for_all_of_them);
    tcase_add_test(tc, an_outlet_for_some_clients_is_for_no_others);
    tcase_add_loop_test(tc, only_what_can_be_a_clients_address_is_connected_from, 0,
                        (int)(sizeof spoofs / sizeof spoofs[0]));
    tcase_add_test(tc, a_privileged_port_is_not_believed);
    tcase_add_test(tc, nothing_starts_at_the_targets_own_address);
    tcase_add_test(tc, a_source_in_another_spelling_is_the_same);
    tcase_add_test(tc, each_family_of_clients_has_its_own_other_target);
    return run_suite("tunnel/outlet", tc);
}
