/* support.c - see support.h. */
#include "support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NUMBER_MAX 100000000ul

_Noreturn void bench_die(const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
    exit(EXIT_FAILURE);
}

uint64_t bench_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

double bench_cpu_seconds(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

uint32_t bench_number(const char *text)
{
    char *end = NULL;
    unsigned long n = strtoul(text, &end, 10);

    if (*end != '\0' || n == 0 || n > NUMBER_MAX) {
        errno = EINVAL;
        bench_die(text);
    }
    return (uint32_t)n;
}

struct sockaddr_in bench_address(const char *host, uint32_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = inet_addr(host)};
}

void bench_tcp_pair(int fds[2])
{
    struct sockaddr_in at = bench_address("127.0.0.1", 0);
    socklen_t len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&at, len) != 0 ||
        listen(listener, 1) != 0 || getsockname(listener, (struct sockaddr *)&at, &len) != 0)
        bench_die("listen");
    if (fds[0] < 0 || connect(fds[0], (struct sockaddr *)&at, len) != 0)
        bench_die("connect");
    fds[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fds[1] < 0 || ioctl(fds[0], FIONBIO, &(int){1}) != 0)
        bench_die("accept");
    close(listener);
}
