/* netns.h - a network namespace of the test's own; Check forks, so it ends with the test. */
#ifndef TWS_TESTS_NETNS_H
#define TWS_TESTS_NETNS_H

#include <check.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static inline void netns_set_link(const char *name, bool up)
{
    struct ifreq request = {.ifr_flags = (short)(up ? IFF_UP : 0)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    ck_assert_int_eq(ioctl(fd, SIOCSIFFLAGS, &request), 0);
    close(fd);
}

/* False, with a word on stderr, where it is not allowed. Its loopback is up. */
static inline bool netns_enter(void)
{
    if (unshare(CLONE_NEWNET) != 0) {
        fprintf(stderr, "skipped: network namespaces need root\n");
        return false;
    }
    netns_set_link("lo", true);
    return true;
}

#endif
