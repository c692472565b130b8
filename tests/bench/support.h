/*
 * support.h - what the benches share: the clock, the CPU time, ports and numbers of a command line,
 * an end on the first failure.
 */
#ifndef BENCH_SUPPORT_H
#define BENCH_SUPPORT_H

#include <netinet/in.h>
#include <stdint.h>

/* Says which bench failed, in what, and errno; ends the program. */
_Noreturn void bench_die(const char *what);

/* CLOCK_MONOTONIC, in nanoseconds. */
uint64_t bench_now_ns(void);

/* User and system time of this process so far. */
double bench_cpu_seconds(void);

/* The text as a number from 1 to 100,000,000, or the end of the program. */
uint32_t bench_number(const char *text);

struct sockaddr_in bench_address(const char *host, uint32_t port);

/* A TCP connection over loopback, both ends non-blocking and the caller's to close. */
void bench_tcp_pair(int fds[2]);

#endif
