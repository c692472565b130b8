/*
 * test_nomem.c - a client and a server whose memory runs out: in each way in and each way out, the
 * n-th allocation fails, or it and all behind it, for every n (for some, unless TWS_TEST_ALL is
 * set). Then a connection may fail, with a word of it; none hangs or is wrong, the next one is
 * served, and nothing is left behind.
 */
#include "failing_malloc.h"
#include "suite.h"
#include "tls_front.h"
#include "tunnel_world.h"

#include "tws/net/resolver.h"

#include <netdb.h>
#include <openssl/crypto.h>
#include <sys/un.h>

#define PAYLOAD     "0123456789abcdef0123456789abcdef"
#define PAYLOAD_N   (sizeof PAYLOAD - 1)
#define SHORTAGE_MS 20 /* how long memory stays away at most */
#define LEFT_MAX    8  /* blocks: what grew with use and stays so */
#define MANY        24 /* allocations: only some of them fail in turn, unless all shall */
#define RUNS        6

/* ---- the target ---- */

#define UNREACHABLE 9 /* the last byte of the address that is, from the proxy */

/* It says again whatever it hears; but first it is a SOCKS5 proxy to whoever begins like that. */
static void *serve_stream(void *arg)
{
    int fd = (int)(intptr_t)arg;
    static const uint8_t chosen[2] = {5, 0}, granted[10] = {5, 0, 0, 1, 127, 0, 0, 1, 0, 1};
    uint8_t buf[4096];
    ssize_t n = recv(fd, buf, sizeof buf, 0);

    if (n > 0 && buf[0] == 5) {
        (void)!send(fd, chosen, sizeof chosen, MSG_NOSIGNAL);
        n = recv(fd, buf, 10, MSG_WAITALL);
        if (n == 10 && buf[7] == UNREACHABLE) {
            (void)!send(fd, "\5\4\0\1\0\0\0\0\0\0", 10, MSG_NOSIGNAL);
            n = 0;
        }
        if (n > 0)
            (void)!send(fd, granted, sizeof granted, MSG_NOSIGNAL);
        n = n > 0 ? recv(fd, buf, sizeof buf, 0) : n;
    }
    for (; n > 0; n = recv(fd, buf, sizeof buf, 0))
        (void)!send(fd, buf, (size_t)n, MSG_NOSIGNAL);
    close(fd);
    return NULL;
}

static void *serve_streams(void *arg)
{
    int listener = (int)(intptr_t)arg, fd;
    pthread_attr_t attr;
    pthread_t t;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        if (pthread_create(&t, &attr, serve_stream, (void *)(intptr_t)fd) != 0)
            close(fd);
    return NULL;
}

static void *serve_datagrams(void *arg)
{
    int fd = (int)(intptr_t)arg;
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    uint8_t buf[2048];

    for (;;) {
        ssize_t n = recvfrom(fd, buf, sizeof buf, 0, (struct sockaddr *)&from, &len);
        if (n < 0)
            return NULL;
        (void)!sendto(fd, buf, (size_t)n, 0, (struct sockaddr *)&from, len);
    }
}

static void start_service(void *(*service)(void *), int fd)
{
    pthread_t t;

    ck_assert_int_eq(pthread_create(&t, NULL, service, (void *)(intptr_t)fd), 0);
    pthread_detach(t);
}

static int datagram_target;

/* ---- one conversation ---- */

/* Waits until there is something to read; memory comes back meanwhile. */
static void await_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n = poll(&p, 1, SHORTAGE_MS);

    if (n == 0) {
        memory_disarm();
        n = poll(&p, 1, WORLD_PATIENCE_S * 1000);
    }
    ck_assert_msg(n == 1, "a connection hangs, after %p was refused memory", memory.where);
}

/* Says `request` and the payload, and hears to the end: `answer`, whatever, and the payload? */
static bool talk(int fd, const void *request, size_t n, const char *answer, size_t answer_n)
{
    uint8_t out[512], got[1024];
    size_t have = 0;
    ssize_t r = 1;

    memcpy(out, request, n);
    memcpy(out + n, PAYLOAD, PAYLOAD_N);
    (void)!send(fd, out, n + PAYLOAD_N, MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    while (r > 0 && have < sizeof got) {
        await_readable(fd);
        r = recv(fd, got + have, sizeof got - have, 0);
        have += r > 0 ? (size_t)r : 0;
    }
    close(fd);
    if (n == 0)
        ck_assert_msg(have <= PAYLOAD_N && memcmp(got, PAYLOAD, have) == 0, "wrong bytes");
    return have >= answer_n + PAYLOAD_N && memcmp(got, answer, answer_n) == 0 &&
           memcmp(got + have - PAYLOAD_N, PAYLOAD, PAYLOAD_N) == 0;
}

/* Whether the payload, said in a datagram, comes back soon. */
static bool echoes(int fd, const void *header, size_t n)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint8_t out[128], got[128];

    memcpy(out, header, n);
    memcpy(out + n, PAYLOAD, PAYLOAD_N);
    (void)!send(fd, out, n + PAYLOAD_N, MSG_NOSIGNAL);
    int came = poll(&p, 1, SHORTAGE_MS);
    /* Until memory was refused only a slow machine keeps it. */
    for (int i = 0; came == 0 && memory.armed && !memory.failed && i < WORLD_PATIENCE_S * 50; i++)
        came = poll(&p, 1, SHORTAGE_MS);
    if (came == 0)
        came = poll(&p, 1, SHORTAGE_MS);
    if (came != 1)
        return false;
    ssize_t r = recv(fd, got, sizeof got, 0);
    return r == (ssize_t)(n + PAYLOAD_N) && memcmp(got, out, (size_t)r) == 0;
}

/* ---- the ways ---- */

static bool plain(struct world *w)
{
    return talk(world_connect(w, 0), "", 0, "", 0);
}

static bool with_header(struct world *w)
{
    static const char header[] = "PROXY TCP4 192.0.2.1 192.0.2.2 1000 2000\r\n";

    return talk(world_connect(w, 0), header, sizeof header - 1, "", 0);
}

static bool socks5(struct world *w)
{
    uint16_t port = port_of(w->target);
    const uint8_t ask[] = {5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port & 255};

    return talk(world_connect(w, 0), ask, sizeof ask, "\5\0\5\0\0\1", 6);
}

static bool socks4a(struct world *w)
{
    uint16_t port = port_of(w->target);
    uint8_t ask[] = "\4\1\0\0\0\0\0\1\0localhost";

    ask[2] = port >> 8;
    ask[3] = port & 255;
    return talk(world_connect(w, 0), ask, sizeof ask, "\0\x5a", 2);
}

static bool http_by(struct world *w, const char *begin, const char *rest, const char *answer)
{
    char ask[256];
    int n =
        snprintf(ask, sizeof ask, "%s127.0.0.1:%u%s", begin, (unsigned)port_of(w->target), rest);

    return talk(world_connect(w, 0), ask, (size_t)n, answer, strlen(answer));
}

static bool connect_method(struct world *w)
{
    return http_by(w, "CONNECT ", " HTTP/1.1\r\n\r\n", "HTTP/1.1 200 ");
}

static bool put_method(struct world *w)
{
    return http_by(w, "PUT http://", "/ HTTP/1.1\r\nContent-Length: 32\r\n\r\n",
                   "PUT / HTTP/1.1\r\n");
}

static bool by_unix_socket(struct world *w)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(sun.sun_path + 1, w->forwards[0].listen.name + 1,
           strlen(w->forwards[0].listen.name) - 1);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&sun,
                             (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
                                         strlen(w->forwards[0].listen.name))),
                     0);
    return talk(fd, "", 0, "", 0);
}

static int datagrams_to(uint16_t port)
{
    struct sockaddr_in sa = loopback(port);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    return fd;
}

/* A flow that was refused is held for a while; another port is another flow. */
static bool datagrams(struct world *w)
{
    int fd = datagrams_to(w->forward_port[0]);
    bool back = echoes(fd, "", 0);

    close(fd);
    return back;
}

static bool associate(struct world *w)
{
    static const uint8_t ask[] = {5, 1, 0, 5, 3, 0, 1, 0, 0, 0, 0, 0, 0};
    uint8_t header[10] = {0, 0, 0, 1, 127, 0, 0, 1}, got[12];
    uint16_t port = port_of(datagram_target);
    int control = world_connect(w, 0);
    size_t have = 0;
    bool back = false;

    (void)!send(control, ask, sizeof ask, MSG_NOSIGNAL);
    for (ssize_t n = 1; n > 0 && have<sizeof got; have += n> 0 ? (size_t)n : 0) {
        await_readable(control);
        n = recv(control, got + have, sizeof got - have, 0);
    }
    if (have == sizeof got && got[3] == 0) {
        int fd = datagrams_to((uint16_t)(got[10] << 8 | got[11]));
        header[8] = port >> 8;
        header[9] = port & 255;
        back = echoes(fd, header, sizeof header);
        close(fd);
    }
    close(control);
    return back;
}

static bool reversed(struct world *w)
{
    struct sockaddr_in sa = loopback(w->client_cfg.reverses[0].listen.port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0)
        return talk(fd, "", 0, "", 0);
    close(fd);
    return false;
}

static struct {
    uint32_t links, channels;
} now_there;

static uint32_t at_rest; /* channels, when nobody talks */

static void look(struct world *w)
{
    if (w->client == NULL || w->server == NULL)
        return;
    now_there.links = tws_client_stats(w->client).links;
    now_there.channels =
        tws_client_stats(w->client).channels + tws_server_stats(w->server).channels;
}

static bool dialled_anew(struct world *w)
{
    (void)world_cut_links(w); /* a shortage may have cut them already */
    for (int i = 0; i < WORLD_PATIENCE_S * 500; i++) {
        world_do(w, look);
        if (now_there.links > 0)
            return plain(w);
        poll(NULL, 0, 2);
        if (i == SHORTAGE_MS)
            memory_disarm();
    }
    return false;
}

static tws_err outcome;
static int standard[2]; /* what takes the place of stdin and stdout */

/* Two small numbers are an argument: the end may come when the next pair is there. */
static void *argument_of(const int fds[2])
{
    return (void *)(uintptr_t)((unsigned)fds[0] << 16 | (unsigned)fds[1]);
}

static void on_stdio_end(void *arg, bool clean)
{
    (void)clean;
    close((int)((uintptr_t)arg >> 16));
    close((int)((uintptr_t)arg & 0xffff));
}

static void begin_anew(struct world *w)
{
    void *arg = argument_of(standard);

    world_stop_client(w);
    world_stop_server(w);
    tws_err err = tws_server_new(w->loop, w->ws, &w->server_cfg, &w->server);
    if (err == TWS_OK)
        err = tws_client_new(w->loop, w->ws, &w->client_cfg, &w->client);
    if (err == TWS_OK)
        err = tws_client_serve_stdio(w->client, standard[0], standard[1], on_stdio_end, arg);
    outcome = err; /* Check's macros would allocate here */
    if (err != TWS_OK)
        on_stdio_end(arg, false);
}

/* Both sides from their beginning, and the client's stdin and stdout through them. */
static bool started_anew(struct world *w)
{
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    standard[0] = pair[1];
    standard[1] = dup(pair[1]);
    world_do(w, begin_anew);
    ck_assert_int_eq(outcome, memory.failed && outcome != TWS_OK ? TWS_NOMEM : TWS_OK);
    return talk(pair[0], "", 0, "", 0);
}

/* ---- what the world looks like for each ---- */

static struct tws_forward reverse;
static struct tws_rule anywhere;
static struct tws_outlet outlet;
static struct tws_proxy_url upstream;

static void is_plain(struct world *w)
{
    (void)w;
}

/* Of OpenSSL and libwebsockets. libuv ends the process when it gets no memory: it always gets it.
 */
static void has_libraries(struct world *w)
{
    (void)w;
    memory.libraries = true;
}

static void expects_header(struct world *w)
{
    static struct tws_prefix loopback_only;

    ck_assert_int_eq(tws_prefix_parse("127.0.0.0/8", &loopback_only), TWS_OK);
    w->forwards[0].trusted = &loopback_only;
    w->forwards[0].ntrusted = 1;
}

static void is_proxy(struct world *w)
{
    w->forwards[0].kind = TWS_FORWARD_PROXY;
    w->forwards[0].remote = (struct tws_spot){.type = TWS_SPOT_NONE};
}

static struct tws_spot unix_spot(const char *what)
{
    struct tws_spot s = {.type = TWS_SPOT_UNIX};

    (void)snprintf(s.name, sizeof s.name, "@tws-nomem-%s-%d", what, (int)getpid());
    return s;
}

/* Unix sockets at both ends. */
static void is_unix(struct world *w)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    w->forwards[0].listen = unix_spot("in");
    w->forwards[0].remote = unix_spot("out");
    anywhere = (struct tws_rule){.name = w->forwards[0].remote.name, .is_path = true};
    w->user.allow = &anywhere;
    w->user.nallow = 1;
    size_t n = strlen(w->forwards[0].remote.name);
    memcpy(sun.sun_path + 1, w->forwards[0].remote.name + 1, n - 1);
    ck_assert_int_eq(
        bind(fd, (struct sockaddr *)&sun, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)),
        0);
    ck_assert_int_eq(listen(fd, 16), 0);
    start_service(serve_streams, fd);
}

static void is_datagrams(struct world *w)
{
    w->forwards[0].kind = TWS_FORWARD_UDP;
    w->forwards[0].remote = local_spot(port_of(datagram_target));
}

static void is_reversed(struct world *w)
{
    anywhere = (struct tws_rule){.port_min = 1, .port_max = 65535};
    ck_assert_int_eq(tws_prefix_parse("127.0.0.0/8", &anywhere.prefix), TWS_OK);
    w->user.listen = &anywhere;
    w->user.nlisten = 1;
    reverse = (struct tws_forward){.listen = local_spot(free_port()),
                                   .remote = local_spot(port_of(w->target))};
    w->client_cfg.reverses = &reverse;
    w->client_cfg.nreverses = 1;
}

static void goes_via(struct world *w)
{
    upstream = (struct tws_proxy_url){.kind = TWS_PROXY_SOCKS5, .address = {.host = "localhost"}};
    upstream.address.port = port_of(w->target);
    outlet = (struct tws_outlet){.via = &upstream};
    w->server_cfg.outlets = &outlet;
    w->server_cfg.noutlets = 1;
}

/* A network stands first, so that the server resolves names before it knows the record. */
static void chooses_by_address(struct world *w)
{
    static struct tws_rule network;

    is_proxy(w);
    network = (struct tws_rule){.port_min = 1, .port_max = 65535};
    ck_assert_int_eq(tws_prefix_parse("127.0.0.0/8", &network.prefix), TWS_OK);
    goes_via(w);
    outlet.to = &network;
    outlet.nto = 1;
}

static int two_addresses(const char *host, struct tws_ip ips[TWS_RESOLVED_MAX], size_t *count)
{
    (void)host;
    *count = 2;
    return tws_ip_parse("127.0.0.9", &ips[0]) == TWS_OK && tws_ip_parse("127.0.0.1", &ips[1]) == 0
               ? 0
               : EAI_FAIL;
}

static void use_two_addresses(struct world *w)
{
    ck_assert_int_eq(tws_resolver_replace(w->loop, two_addresses), TWS_OK);
}

/* The proxy and the target have two addresses each, and the first of neither will do. */
static void tries_addresses(struct world *w)
{
    world_do(w, use_two_addresses);
    chooses_by_address(w);
}

static char certificate[] = "/tmp/tws-nomem-XXXXXX";

static void unlink_certificate(void)
{
    unlink(certificate);
}

static void has_tls(struct world *w)
{
    struct cert c = cert_make("IP:127.0.0.1", NULL, 3600);
    FILE *f = fdopen(mkstemp(certificate), "w");

    ck_assert_int_eq(PEM_write_X509(f, c.x509), 1);
    ck_assert_int_eq(PEM_write_PrivateKey(f, c.key, NULL, NULL, 0, NULL, NULL), 1);
    ck_assert_int_eq(fclose(f), 0);
    atexit(unlink_certificate);
    cert_free(&c);
    w->server_cfg.tls.cert_file = certificate;
    w->client_cfg.outbound.ca_file = certificate;
    w->endpoints[0].tls = true;
}

static void has_tls_libraries(struct world *w)
{
    has_tls(w);
    memory.libraries = true;
}

/* Each kind that needs no rights is opened when it begins. */
static void has_all_kinds(struct world *w)
{
    static struct tws_forward forwards[TWS_FORWARD_UDP + 1];

    is_reversed(w);
    w->client_cfg.stdio = local_spot(port_of(w->target));
    for (int kind = TWS_FORWARD_TCP; kind <= TWS_FORWARD_UDP; kind++)
        forwards[kind] = (struct tws_forward){
            .listen = local_spot(0), .remote = local_spot(port_of(w->target)), .kind = kind};
    w->client_cfg.forwards = forwards;
    w->client_cfg.nforwards = TWS_FORWARD_UDP + 1;
}

#include "nomem_more.h"

static const struct scene {
    const char *name;
    void (*configure)(struct world *w);
    bool (*act)(struct world *w);
} scenes[] = {
    {"tcp", is_plain, plain},
    {"PROXY header", expects_header, with_header},
    {"socks5", is_proxy, socks5},
    {"socks4a, name", is_proxy, socks4a},
    {"http connect", is_proxy, connect_method},
    {"http put", is_proxy, put_method},
    {"unix", is_unix, by_unix_socket},
    {"udp", is_datagrams, datagrams},
    {"socks5 udp", is_proxy, associate},
    {"reverse", is_reversed, reversed},
    {"via", goes_via, plain},
    {"name chooses outlet", chooses_by_address, socks4a},
    {"via, next addresses", tries_addresses, socks4a},
    {"links", is_plain, dialled_anew},
    {"links, libraries", has_libraries, dialled_anew},
    {"links, TLS", has_tls, dialled_anew},
    {"links, TLS, libraries", has_tls_libraries, dialled_anew},
    {"all anew", has_all_kinds, started_anew},
    {"transparent anew", is_transparent, caught_anew},
    {"ip link anew", is_ip_link, linked_anew},
    {"reload", has_a_next, reloaded},
};

/* ---- the libraries ---- */

/* Its header is for the layer ws only. */
void lws_set_allocator(void *(*realloc)(void *p, size_t n, const char *reason));

static void *crypto_malloc(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return memory.libraries && refuse(__builtin_return_address(0)) ? NULL : __real_malloc(n);
}

static void *crypto_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return memory.libraries && refuse(__builtin_return_address(0)) ? NULL : __real_realloc(p, n);
}

static void crypto_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    __real_free(p);
}

static void *lws_realloc_as_told(void *p, size_t n, const char *reason)
{
    if (n == 0) {
        __real_free(p);
        return NULL;
    }
    return crypto_realloc(p, n, reason, 0);
}

/* ---- the sweep ---- */

static void watch(struct world *w)
{
    (void)w;
    memory_watch_thread();
}

static struct world *scene_begin(const struct scene *s)
{
    struct world *w = world_new();

    alarm(600);
    datagram_target = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in sa = loopback(0);
    ck_assert_int_eq(bind(datagram_target, (struct sockaddr *)&sa, sizeof sa), 0);
    start_service(serve_datagrams, datagram_target);
    start_service(serve_streams, w->target);
    tws_log_set(TWS_LOG_INFO, world_sink, w);
    w->client_cfg.retry_timeout_ms = 20;
    w->client_cfg.link.udp_timeout_ms = w->server_cfg.link.udp_timeout_ms = 100;
    s->configure(w);
    world_do(w, watch);
    world_do(w, world_start_server);
    world_do(w, world_start_client);
    world_await_log(w, "link up", 4);
    return w;
}

/* What a conversation left behind is gone. */
static long settled(struct world *w)
{
    for (int i = 0; i < WORLD_PATIENCE_S * 100; i++) {
        world_do(w, look);
        if (now_there.channels == at_rest && now_there.links == 2)
            return memory.live;
        poll(NULL, 0, 10);
    }
    ck_abort_msg("%u channels and %u links are left", now_there.channels, now_there.links);
    return 0;
}

/* Soon: a session that ended of it may take a connection with it, before it has begun anew. */
static bool is_served(struct world *w, const struct scene *s)
{
    for (int i = 0; i < WORLD_PATIENCE_S * 100; i++) {
        if (s->act(w))
            return true;
        poll(NULL, 0, 10);
    }
    return false;
}

/* The scene with a shortage at the n-th allocation. False: there was none so late. */
static bool run_short(struct world *w, const struct scene *s, size_t n, bool lasting)
{
    memory_arm(n, lasting);
    bool fine = s->act(w);
    memory_disarm();
    bool failed = memory.failed;
    ck_assert_msg(failed || fine, "%s: no shortage at %zu, and yet it failed", s->name, n);
    if (getenv("TWS_TEST_LOG") != NULL)
        fprintf(stderr, "== %s %zu%s: %s, %p\n", s->name, n, lasting ? "-" : "",
                fine ? "served" : "failed", memory.where);
    ck_assert_msg(!failed || is_served(w, s), "%s: after a shortage at %zu (%p), no service",
                  s->name, n, memory.where);
    return failed;
}

static void expect_nothing_left(struct world *w, long before)
{
    long after = settled(w);

    /* Flows that were refused are held for a second. */
    for (int i = 0; after > before + LEFT_MAX && i < WORLD_PATIENCE_S * 100; i++) {
        poll(NULL, 0, 10);
        after = settled(w);
    }
    ck_assert_msg(after <= before + LEFT_MAX, "%ld blocks before, %ld behind", before, after);
}

START_TEST(memory_that_runs_out_and_comes_back)
{
    const struct scene *s = &scenes[_i];
    bool machine = s->act == caught_anew || s->act == linked_anew; /* of its own */
    if (machine && !may_change_machine())
        return;
    struct world *w = scene_begin(s);
    bool all = getenv("TWS_TEST_ALL") != NULL;
    bool flows = s->act == datagrams || s->act == associate; /* they rest for a second */
    /* What is handed over to a library is freed there, uncounted. */
    bool anew = machine || s->act == started_anew;
    bool compared = !anew && (all || !flows);

    world_do(w, look);
    at_rest = now_there.channels;
    ck_assert_msg(is_served(w, s), "%s", s->name); /* what is made once is there */
    memory_arm(0, false);
    ck_assert_msg(s->act(w), "%s", s->name);
    memory_disarm();
    size_t calls = memory.calls;
    size_t step = all ? 1 + calls / 200 : calls < MANY ? 1 : calls / RUNS;
    long before = compared ? settled(w) : 0;
    size_t n = 1;
    bool failed = true;
    /* What was done earlier, or will be later, may leave one run with fewer allocations. */
    for (bool lasting = false; failed || n <= calls; n += step, lasting = !lasting) {
        failed = run_short(w, s, n, lasting);
        if (step == 1)
            failed |= run_short(w, s, n, !lasting);
    }
    ck_assert_uint_gt(n, 5);
    if (compared)
        expect_nothing_left(w, before);
    world_free(w);
}
END_TEST

int main(void)
{
    CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free);
    lws_set_allocator(lws_realloc_as_told);
    TCase *tc = tcase_create("nomem");

    tcase_set_timeout(tc, 600);
    tcase_add_loop_test(tc, memory_that_runs_out_and_comes_back, 0, COUNT_OF(scenes));
    return run_suite("tunnel/nomem", tc);
}
