/* harden.c - see harden_priv.h. */
#include "harden_priv.h"

#include "tws/net/socket.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* The leak checker of a sanitizer build traces its own process. */
#if defined(__SANITIZE_ADDRESS__)
#define TRACEABLE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define TRACEABLE 1
#endif
#endif
#ifndef TRACEABLE
#define TRACEABLE 0
#endif

/* A number below 3 that is free would go to the next socket, and what is meant for stderr with it.
 * Opened the wrong way round, so that reading stdin or writing to stdout still fails. */
static void occupy_standard_fds(void)
{
    for (int number = 0; number < 3; number++) {
        if (fcntl(number, F_GETFD) >= 0)
            continue;
        int fd = open("/dev/null", number == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        if (fd != number)
            tws_socket_close(fd);
    }
}

void tws_harden(void)
{
    struct rlimit none = {0, 0};

    occupy_standard_fds();

    if (!TRACEABLE)
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    setrlimit(RLIMIT_CORE, &none);
    tws_raise_fd_limit();
}
