/* test_list.c - the intrusive list. */
#include "suite.h"

#include "tws/base/list.h"

#include <signal.h>

struct item {
    int n;
    struct tws_node node;
};

static struct item items[3];
static struct tws_node list;

static void set_up(void)
{
    tws_list_init(&list);
    for (int i = 0; i < 3; i++) {
        items[i].n = i;
        tws_list_init(&items[i].node);
    }
}

/* The numbers on the list as digits: 0, 2 is 102. */
static int digits(const struct tws_node *l)
{
    int v = 1;
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, l)
    v = v * 10 + TWS_CONTAINER(it, struct item, node)->n;
    return v;
}

START_TEST(keeps_the_order_of_insertion)
{
    ck_assert(tws_list_empty(&list));
    ck_assert_ptr_null(TWS_LIST_FIRST(&list, struct item, node));
    tws_list_push_back(&list, &items[1].node);
    tws_list_push_back(&list, &items[2].node);
    tws_list_push_front(&list, &items[0].node);
    ck_assert_int_eq(digits(&list), 1012);
    ck_assert_ptr_eq(TWS_LIST_FIRST(&list, struct item, node), &items[0]);
}
END_TEST

START_TEST(unlinking_twice_is_harmless)
{
    for (int i = 0; i < 3; i++)
        tws_list_push_back(&list, &items[i].node);
    tws_list_unlink(&items[1].node);
    ck_assert(!tws_list_linked(&items[1].node));
    tws_list_unlink(&items[1].node);
    ck_assert_int_eq(digits(&list), 102);
}
END_TEST

START_TEST(the_walk_may_unlink_the_current_element)
{
    struct tws_node *it, *next;

    for (int i = 0; i < 3; i++)
        tws_list_push_back(&list, &items[i].node);
    TWS_LIST_EACH(it, next, &list)
    tws_list_unlink(it);
    ck_assert(tws_list_empty(&list));
}
END_TEST

START_TEST(appending_all_empties_the_source)
{
    struct tws_node other;

    tws_list_init(&other);
    tws_list_push_back(&list, &items[0].node);
    tws_list_append_all(&list, &other);
    ck_assert_int_eq(digits(&list), 10);
    tws_list_push_back(&other, &items[1].node);
    tws_list_push_back(&other, &items[2].node);
    tws_list_append_all(&list, &other);
    ck_assert_int_eq(digits(&list), 1012);
    ck_assert(tws_list_empty(&other));
}
END_TEST

START_TEST(inserting_a_linked_node_stops_the_process)
{
    tws_list_push_back(&list, &items[0].node);
    tws_list_push_back(&list, &items[0].node);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("list");
    tcase_add_checked_fixture(tc, set_up, NULL);
    tcase_add_test(tc, keeps_the_order_of_insertion);
    tcase_add_test(tc, unlinking_twice_is_harmless);
    tcase_add_test(tc, the_walk_may_unlink_the_current_element);
    tcase_add_test(tc, appending_all_empties_the_source);
    tcase_add_test_raise_signal(tc, inserting_a_linked_node_stops_the_process, SIGABRT);
    return run_suite("base/list", tc);
}
