/*
 * uplink_wire.c - a wire between two network namespaces, with the faults of a real uplink.
 *
 *      uplink_wire NAMESPACE DEVICE NAMESPACE DEVICE
 *
 * Makes a TUN device in each namespace and carries packets between them. For kernels without netem.
 * Commands come on stdin, one a line, each answered by "ok" or "bad" once it holds:
 *
 *      a delay MS | a rate MBIT (0: unlimited) | a queue BYTES | a loss PERCENT | a blackhole 0|1
 *      a count                     answered by the packets carried and dropped so far
 *
 * "a" is the way from the first device to the second, "b" the other. A packet waits until those
 * before it are sent at the rate, is dropped if more than `queue` bytes wait, and then travels
 * `delay`. A blackhole swallows what is on its way, too. The program ends with its stdin.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define PACKET_MAX 9216
#define NEVER      UINT64_MAX

struct packet {
    struct packet *next;
    uint64_t sent_at; /* its last byte is on the wire, in microseconds */
    uint64_t due_at;
    size_t n;
    uint8_t data[];
};

/* One way of the wire. */
struct way {
    int from, to;
    struct packet *first, **last;
    struct packet *unsent; /* the first that is not wholly on the wire */
    size_t waiting;        /* bytes of those */
    uint64_t busy_until;
    uint64_t delay_us;
    double bits_per_us, loss;
    size_t queue;
    bool blackhole;
    unsigned long carried, dropped;
};

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static void die(const char *what)
{
    fprintf(stderr, "uplink_wire: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* A TUN device in a namespace; this process stays in that namespace. */
static int open_tun(const char *namespace, const char *device)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    char path[128];

    snprintf(path, sizeof path, "/run/netns/%s", namespace);
    int ns = open(path, O_RDONLY | O_CLOEXEC);
    if (ns < 0 || setns(ns, CLONE_NEWNET) != 0)
        die(path);
    close(ns);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", device);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0)
        die(device);
    return fd;
}

/* ---- packets ---- */

/* Those whose last byte has left make room in the queue. */
static void advance(struct way *w, uint64_t now)
{
    for (; w->unsent != NULL && w->unsent->sent_at <= now; w->unsent = w->unsent->next)
        w->waiting -= w->unsent->n;
}

static bool is_dropped(const struct way *w, size_t n)
{
    return w->blackhole || w->waiting + n > w->queue || drand48() < w->loss;
}

static void enqueue(struct way *w, const uint8_t *data, size_t n, uint64_t now)
{
    struct packet *p = malloc(sizeof *p + n);

    if (p == NULL)
        die("malloc");
    memcpy(p->data, data, n);
    p->n = n;
    p->next = NULL;
    if (w->busy_until < now)
        w->busy_until = now;
    if (w->bits_per_us > 0)
        w->busy_until += (uint64_t)((double)n * 8 / w->bits_per_us);
    p->sent_at = w->busy_until;
    p->due_at = p->sent_at + w->delay_us;
    *w->last = p;
    w->last = &p->next;
    if (w->unsent == NULL)
        w->unsent = p;
    w->waiting += n;
}

static void take_in(struct way *w, uint64_t now)
{
    uint8_t data[PACKET_MAX];
    ssize_t n;

    while ((n = read(w->from, data, sizeof data)) > 0) {
        advance(w, now);
        if (is_dropped(w, (size_t)n))
            w->dropped++;
        else
            enqueue(w, data, (size_t)n, now);
    }
}

static void hand_out(struct way *w, uint64_t now)
{
    advance(w, now);
    while (w->first != NULL && w->first != w->unsent && w->first->due_at <= now) {
        struct packet *p = w->first;
        w->first = p->next;
        if (w->first == NULL)
            w->last = &w->first;
        if (w->blackhole || write(w->to, p->data, p->n) < 0)
            w->dropped++;
        else
            w->carried++;
        free(p);
    }
}

static uint64_t next_at(const struct way *w)
{
    return w->first == NULL ? NEVER : w->first->due_at;
}

/* ---- commands ---- */

static bool set(struct way *w, const char *name, double value)
{
    if (strcmp(name, "delay") == 0)
        w->delay_us = (uint64_t)(value * 1000);
    else if (strcmp(name, "rate") == 0)
        w->bits_per_us = value;
    else if (strcmp(name, "queue") == 0)
        w->queue = (size_t)value;
    else if (strcmp(name, "loss") == 0)
        w->loss = value / 100;
    else if (strcmp(name, "blackhole") == 0)
        w->blackhole = value != 0;
    else
        return false;
    return true;
}

static void command(struct way ways[2], char *line)
{
    char *rest = NULL, *way = strtok_r(line, " \n", &rest), *name = strtok_r(NULL, " \n", &rest),
         *value = strtok_r(NULL, " \n", &rest), *end = value;
    bool known = way != NULL && name != NULL && (way[0] == 'a' || way[0] == 'b') && way[1] == '\0';
    struct way *w = known ? &ways[way[0] - 'a'] : NULL;

    if (known && strcmp(name, "count") == 0) {
        printf("%lu %lu\n", w->carried, w->dropped);
        return;
    }
    double number = value == NULL ? -1 : strtod(value, &end);
    known = known && number >= 0 && *end == '\0' && set(w, name, number);
    puts(known ? "ok" : "bad");
}

/* ---- the loop ---- */

static void wait_for(struct pollfd fds[3], const struct way ways[2])
{
    uint64_t a = next_at(&ways[0]), b = next_at(&ways[1]), at = a < b ? a : b, now = now_us();
    uint64_t left = at <= now ? 0 : at - now;
    struct timespec timeout = {.tv_sec = (time_t)(left / 1000000u),
                               .tv_nsec = (long)(left % 1000000u) * 1000};

    if (ppoll(fds, 3, at == NEVER ? NULL : &timeout, NULL) < 0 && errno != EINTR)
        die("poll");
}

int main(int argc, char **argv)
{
    struct way ways[2] = {{.queue = 1u << 20}, {.queue = 1u << 20}};
    char line[128];

    if (argc != 5) {
        fputs("uplink_wire NAMESPACE DEVICE NAMESPACE DEVICE\n", stderr);
        return 2;
    }
    ways[0].from = ways[1].to = open_tun(argv[1], argv[2]);
    ways[1].from = ways[0].to = open_tun(argv[3], argv[4]);
    struct pollfd fds[3] = {{0, POLLIN, 0}, {ways[0].from, POLLIN, 0}, {ways[1].from, POLLIN, 0}};
    for (int i = 0; i < 2; i++)
        ways[i].last = &ways[i].first;
    setvbuf(stdin, NULL, _IONBF, 0);
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("ready");
    for (;;) {
        wait_for(fds, ways);
        for (int i = 0; i < 2; i++) {
            take_in(&ways[i], now_us());
            hand_out(&ways[i], now_us());
        }
        if (fds[0].revents == 0)
            continue;
        if (fgets(line, sizeof line, stdin) == NULL)
            return 0;
        command(ways, line);
    }
}
