/* tool.c - see tool.h. */
#include "tool_priv.h"

#include "tws/net/capability.h"
#include "tws/net/socket.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PLACES  "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
#define PIECE   4096u
#define LOOK_MS 2

struct limit {
    struct timespec start; /* of CLOCK_MONOTONIC */
    unsigned ms;
};

/* ---- finding ---- */

static bool find_in(const char *places, const char *name, char *path, size_t cap)
{
    while (places != NULL && *places != '\0') {
        size_t n = strcspn(places, ":");
        int len = snprintf(path, cap, "%.*s/%s", (int)n, places, name);

        if (*places == '/' && len > 0 && (size_t)len < cap && access(path, X_OK) == 0)
            return true;
        places += n;
        places += *places == ':';
    }
    return false;
}

static bool find(const char *name, char *path, size_t cap)
{
    return find_in(secure_getenv("PATH"), name, path, cap) || find_in(PLACES, name, path, cap);
}

/* ---- starting ---- */

/* In memory, so that a long text cannot block against a tool that writes before it has read. */
static int make_input(const char *text)
{
    size_t n = strlen(text), done = 0;
    int fd = memfd_create("tws-input", MFD_CLOEXEC);

    while (fd >= 0 && done < n) {
        ssize_t put = write(fd, text + done, n - done);
        if (put < 0) {
            tws_socket_close(fd);
            return -1;
        }
        done += (size_t)put;
    }
    if (fd >= 0)
        (void)lseek(fd, 0, SEEK_SET);
    return fd;
}

static int spawn_with(posix_spawn_file_actions_t *files, posix_spawnattr_t *attributes,
                      const char *path, const char *const argv[], pid_t *pid)
{
    static char where[] = "PATH=" PLACES, language[] = "LC_ALL=C";
    char *environment[] = {where, language, NULL}, *arguments[TWS_TOOL_ARGUMENTS] = {NULL};
    sigset_t none, all;

    for (size_t i = 0; argv[i] != NULL; i++) {
        assert(i + 1 < TWS_TOOL_ARGUMENTS);
        memcpy(&arguments[i], &argv[i], sizeof arguments[i]); /* POSIX forgot their const */
    }
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &all);
    posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    return posix_spawn(pid, path, files, attributes, arguments, environment);
}

/* 0 or an errno value. */
static int spawn(const char *path, const char *const argv[], int in, int out, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&files);

    if (error != 0)
        return error;
    error = posix_spawnattr_init(&attributes);
    if (error == 0) {
        error = posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
        if (error == 0)
            error = posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
        if (error == 0)
            error = posix_spawn_file_actions_adddup2(&files, out, STDERR_FILENO);
        if (error == 0)
            error = spawn_with(&files, &attributes, path, argv, pid);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&files);
    return error;
}

/* ---- its end ---- */

static int left_ms(const struct limit *l)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int)((long)l->ms - (now.tv_sec - l->start.tv_sec) * 1000 -
                 (now.tv_nsec - l->start.tv_nsec) / 1000000);
}

/* Another piece; *n of 0: it has closed its outputs. 0 or an errno value. */
static int read_piece(int fd, const struct limit *limit, char *piece, size_t *n)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    for (;;) {
        int left = left_ms(limit);
        if (left <= 0)
            return ETIMEDOUT;
        if (poll(&p, 1, left) <= 0)
            continue;
        ssize_t got = read(fd, piece, PIECE);
        if (got < 0 && errno == EINTR)
            continue;
        *n = got > 0 ? (size_t)got : 0;
        return got < 0 ? errno : 0;
    }
}

static int keep(struct tws_tool_result *r, size_t *len, const char *piece, size_t n)
{
    char *grown = realloc(r->output, *len + n + 1);

    if (grown == NULL)
        return ENOMEM;
    memcpy(grown + *len, piece, n);
    *len += n;
    grown[*len] = '\0';
    r->output = grown;
    return 0;
}

/* Until it has closed its outputs. 0 or an errno value. */
static int read_output(int fd, const struct limit *limit, struct tws_tool_result *r)
{
    char piece[PIECE];
    size_t len = 0, n = 0;
    int error = keep(r, &len, "", 0);

    while (error == 0) {
        error = read_piece(fd, limit, piece, &n);
        if (error != 0 || n == 0)
            break;
        if (len + n <= TWS_TOOL_OUTPUT)
            error = keep(r, &len, piece, n);
    }
    return error;
}

/* Its end, which mostly comes with that of its outputs. 0 or ETIMEDOUT. */
static int await_end(pid_t pid, const struct limit *limit)
{
    siginfo_t end = {.si_pid = 0};

    while (waitid(P_PID, (id_t)pid, &end, WEXITED | WNOHANG | WNOWAIT) == 0 && end.si_pid == 0) {
        if (left_ms(limit) <= 0)
            return ETIMEDOUT;
        (void)poll(NULL, 0, LOOK_MS);
    }
    return 0;
}

static int status_of(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return 128; /* somebody else's handler took it */
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* 0 or an errno value. */
static int run(const char *path, const char *const argv[], int in, unsigned limit_ms,
               struct tws_tool_result *r)
{
    struct limit limit = {.ms = limit_ms};
    int pipes[2];
    pid_t pid = -1;

    if (pipe2(pipes, O_CLOEXEC) != 0)
        return errno;
    clock_gettime(CLOCK_MONOTONIC, &limit.start);
    int error = spawn(path, argv, in, pipes[1], &pid);
    tws_socket_close(pipes[1]);
    if (error == 0) {
        error = read_output(pipes[0], &limit, r);
        if (error == 0)
            error = await_end(pid, &limit);
        if (error != 0)
            kill(pid, SIGKILL);
        r->status = status_of(pid);
    }
    tws_socket_close(pipes[0]);
    return error;
}

tws_err tws_tool_run_for(unsigned limit_ms, const char *const argv[], const char *input,
                         struct tws_tool_result *r)
{
    char path[PATH_MAX];
    int error = ENOENT;

    *r = (struct tws_tool_result){.status = 0};
    if (find(argv[0], path, sizeof path)) {
        int in = make_input(input);
        tws_net_admin_lend();
        error = in >= 0 ? run(path, argv, in, limit_ms, r) : errno;
        tws_socket_close(in);
    }
    if (error == 0)
        return TWS_OK;
    free(r->output);
    r->output = NULL;
    errno = error;
    return error == ENOMEM ? TWS_NOMEM : TWS_SYS;
}

tws_err tws_tool_run(const char *const argv[], const char *input, struct tws_tool_result *r)
{
    return tws_tool_run_for(TWS_TOOL_SECONDS * 1000, argv, input, r);
}

void tws_tool_complaint(const struct tws_tool_result *r, char *out, size_t cap)
{
    size_t n = 0;

    for (const char *c = r->output; c != NULL && *c != '\0' && *c != '\n' && n + 1 < cap; c++)
        out[n++] = (unsigned char)*c < 0x20 || *c == 0x7f || *c == '"' ? '\'' : *c;
    out[n] = '\0';
    if (n == 0)
        snprintf(out, cap, "exit status %d", r->status);
}
