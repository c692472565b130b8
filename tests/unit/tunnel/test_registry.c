/* test_registry.c - what was added is found, by the whole id, until it is removed. */
#include "suite.h"

#include "tws/tunnel/registry.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define MANY 3000

static struct tws_registry r;

static void setup(void)
{
    ck_assert_int_eq(tws_registry_init(&r), TWS_OK);
}

static void teardown(void)
{
    tws_registry_fini(&r);
}

static void set_id(struct tws_registered *e, uint32_t n)
{
    memset(e->id, 0, sizeof e->id);
    memcpy(e->id, &n, sizeof n);
}

START_TEST(every_entry_is_found_while_the_table_grows)
{
    struct tws_registered *e = calloc(MANY, sizeof *e);

    for (uint32_t i = 0; i < MANY; i++) {
        set_id(&e[i], i * 2654435761u);
        tws_registry_add(&r, &e[i]);
    }
    ck_assert_uint_eq(r.count, MANY);
    for (uint32_t i = 0; i < MANY; i++)
        ck_assert_ptr_eq(tws_registry_find(&r, e[i].id), &e[i]);
    for (uint32_t i = 0; i < MANY; i += 2)
        tws_registry_remove(&r, &e[i]);
    for (uint32_t i = 0; i < MANY; i++)
        ck_assert_ptr_eq(tws_registry_find(&r, e[i].id), i % 2 ? &e[i] : NULL);
    for (uint32_t i = 1; i < MANY; i += 2)
        tws_registry_remove(&r, &e[i]);
    ck_assert_uint_eq(r.count, 0);
    free(e);
}
END_TEST

START_TEST(an_id_that_differs_in_its_last_byte_is_another)
{
    static struct tws_registered e;
    uint8_t id[TWS_REGISTRY_ID_LEN];

    set_id(&e, 7);
    tws_registry_add(&r, &e);
    memcpy(id, e.id, sizeof id);
    id[TWS_REGISTRY_ID_LEN - 1] ^= 1;
    ck_assert_ptr_null(tws_registry_find(&r, id));
    ck_assert_ptr_eq(tws_registry_find(&r, e.id), &e);
    tws_registry_remove(&r, &e);
}
END_TEST

START_TEST(removing_twice_counts_once)
{
    static struct tws_registered a, b;

    set_id(&a, 1);
    set_id(&b, 2);
    tws_registry_add(&r, &a);
    tws_registry_add(&r, &b);
    tws_registry_remove(&r, &a);
    tws_registry_remove(&r, &a);
    ck_assert_uint_eq(r.count, 1);
    ck_assert_ptr_eq(tws_registry_find(&r, b.id), &b);
    tws_registry_remove(&r, &b);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("registry");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, every_entry_is_found_while_the_table_grows);
    tcase_add_test(tc, an_id_that_differs_in_its_last_byte_is_another);
    tcase_add_test(tc, removing_twice_counts_once);
    return run_suite("tunnel/registry", tc);
}
