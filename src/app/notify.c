/* notify.c - see notify.h; systemd documents the protocol in sd_notify(3), "Notes". */
#include "tws/app/notify.h"

#include "tws/base/log.h"
#include "tws/base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_BYTES 512

/* NULL: no service manager listens. */
static const char *manager(void)
{
    const char *path = getenv("NOTIFY_SOCKET");

    if (path == NULL || (path[0] != '/' && path[0] != '@') || path[1] == '\0')
        return NULL;
    return path;
}

bool tws_notify_wanted(void)
{
    return manager() != NULL;
}

/* "/path", or "@name" for the abstract namespace, whose length counts. False: too long. */
static bool make_address(const char *path, struct sockaddr_un *un, socklen_t *len)
{
    size_t n = strlen(path);

    if (n >= sizeof un->sun_path)
        return false;
    *un = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(un->sun_path, path, n);
    if (path[0] == '@')
        un->sun_path[0] = '\0';
    *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    return true;
}

static int send_to(const char *path, const char *text, size_t n)
{
    struct sockaddr_un un;
    socklen_t len = 0;
    ssize_t sent = -1;
    int fd = -1, why = ENAMETOOLONG;

    if (!make_address(path, &un, &len))
        return why;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return errno;
    sent = sendto(fd, text, n, MSG_NOSIGNAL, (struct sockaddr *)&un, len);
    why = sent < 0 ? errno : 0;
    close(fd);
    return why;
}

void tws_notify(const char *fmt, ...)
{
    static bool complained;
    const char *path = manager();
    char text[MESSAGE_BYTES];
    va_list ap;
    int n = 0, why = 0;

    if (path == NULL)
        return;
    va_start(ap, fmt);
    n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof text)
        n = (int)strlen(text);
    why = send_to(path, text, (size_t)n);
    if (why != 0 && !complained)
        tws_log(TWS_LOG_WARN, "service manager not told", "why=\"%s\"", strerror(why));
    complained = why != 0;
}

void tws_notify_reloading(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    tws_notify("RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
               (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000);
}

uint64_t tws_notify_watchdog_us(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    uint64_t us = 0, whose = 0;

    if (usec == NULL || !tws_notify_wanted() || tws_text_u64(usec, UINT64_MAX, &us) != TWS_OK)
        return 0;
    if (pid != NULL &&
        (tws_text_u64(pid, UINT32_MAX, &whose) != TWS_OK || whose != (uint64_t)getpid()))
        return 0;
    return us / 2;
}
