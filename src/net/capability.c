/* capability.c - see capability.h; the system calls themselves, since libcap would be a library for
 * three lines. */
#include "tws/net/capability.h"

#include "tws/net/socket.h"

#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WORD CAP_TO_INDEX(CAP_NET_ADMIN)
#define BIT  CAP_TO_MASK(CAP_NET_ADMIN)

struct capabilities {
    struct __user_cap_header_struct header;
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
};

static bool read_own(struct capabilities *c)
{
    *c = (struct capabilities){.header = {_LINUX_CAPABILITY_VERSION_3, 0}};
    return syscall(SYS_capget, &c->header, c->data) == 0;
}

/* In a user namespace that does not own the network (systemd's PrivateUsers=) a capability is held
 * and counts for nothing. */
static bool counts_here(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;
    bool refused = fd >= 0 && setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof on) != 0 &&
                   errno == EPERM;

    tws_socket_close(fd);
    return !refused;
}

bool tws_net_admin(void)
{
    struct capabilities c;

    return read_own(&c) && (c.data[WORD].effective & BIT) != 0 && counts_here();
}

void tws_net_admin_lend(void)
{
    struct capabilities c;

    if (!read_own(&c) || (c.data[WORD].permitted & BIT) == 0)
        return;
    /* A file capability (setcap) is in neither set; only what is in both can be ambient, and only
     * what is ambient survives execve() of an ordinary program. */
    c.data[WORD].inheritable |= BIT;
    if (syscall(SYS_capset, &c.header, c.data) == 0)
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0);
}
