/* test_ip_detour.c - who leads everything into a device, when two want to. */
#include "ip_detour_priv.h"
#include "netns.h"
#include "packet.h"
#include "suite.h"

#include <errno.h>

#define MARK 0x54570053u

/* How many rules and routes stand, which are then gone. */
static unsigned count_and_remove(void)
{
    struct tws_rtnl r;
    unsigned count = 0;

    ck_assert_int_eq(tws_rtnl_open(&r), TWS_OK);
    ck_assert_int_eq(tws_rtnl_sweep_table(&r, &count), TWS_OK);
    tws_rtnl_close(&r);
    return count;
}

START_TEST(who_comes_second_changes_nothing)
{
    struct tws_prefix excluded[] = {{packet_ip("192.0.2.0"), 24}};
    const struct tws_tun_config plain = {.nexclude = 0};
    const struct tws_tun_config with_exclusion = {.exclude = excluded, .nexclude = 1};
    struct tws_ip_detour first = {.device = ""}, second = {.device = ""};
    struct tws_ip_device a, b;
    struct tws_loop *loop;

    if (access("/dev/net/tun", R_OK | W_OK) != 0) {
        fprintf(stderr, "skipped: no /dev/net/tun\n");
        return;
    }
    if (!netns_enter())
        return;
    ck_assert_int_eq(tws_loop_new(&loop), TWS_OK);
    ck_assert_int_eq(tws_ip_device_open(&a, loop, "tun-a", 1500), TWS_OK);
    ck_assert_int_eq(tws_ip_device_open(&b, loop, "tun-b", 1500), TWS_OK);
    for (int v4 = 0; v4 <= 1; v4++) {
        ck_assert_int_eq(tws_ip_detour_start(&first, &a, &plain, MARK, v4, true), TWS_OK);
        unsigned alone = count_and_remove();
        ck_assert_uint_ge(alone, 7); /* as many as there are for IPv4 */
        tws_ip_detour_stop(&first);
        ck_assert_int_eq(tws_ip_detour_start(&first, &a, &plain, MARK, v4, true), TWS_OK);
        ck_assert_int_eq(tws_ip_detour_start(&second, &b, &with_exclusion, MARK, true, true),
                         TWS_SYS);
        ck_assert_int_eq(errno, EEXIST);
        tws_ip_detour_stop(&second);
        ck_assert_uint_eq(count_and_remove(), alone);
        tws_ip_detour_stop(&first);
        ck_assert_uint_eq(count_and_remove(), 0);
    }
    tws_ip_device_close(&b);
    tws_ip_device_close(&a);
    tws_loop_free(loop);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("ip_detour");

    tcase_add_test(tc, who_comes_second_changes_nothing);
    return run_suite("tunnel/ip_detour", tc);
}
