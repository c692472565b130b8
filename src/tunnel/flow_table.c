/*
 * flow_table.c - see flow_table_priv.h.
 *
 * An entry is in one list, which is its state: waiting (no channel yet), unanswered or answered
 * (with a channel, the longest silent first), held (refused a moment ago). One that gave way, or
 * whose table is gone, is in none: it only waits for its channel's end.
 */
#include "flow_table_priv.h"

#include "tws/crypto/random.h"
#include "tws/proto/code.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MS            1000u
#define UNANSWERED_US (1000u * MS) /* silent so long, and without an answer: it may give way */
#define ANSWERED_US   (5000u * MS)
#define HOLD_US       (1000u * MS)
#define SWEEP_US      (1000u * MS)

struct tws_flow_entry {
    struct tws_flow flow;
    struct tws_flows *table; /* NULL: on its own, until its channel is over */
    struct tws_node state_node;
    struct tws_flow_entry *chain; /* the next one in its bucket */
    struct tws_open *open;        /* until there is a channel */
    struct tws_judge *judge;      /* that counts it; NULL: none, or not yet */
    struct tws_throttle *down;    /* of what the peer sends; NULL: no limit */
    struct tws_waiter down_wait;
    uint64_t hash;
    uint64_t held_us; /* since when; 0: it is not held */
    uint16_t nkey;
    bool has_channel, answered;
    uint8_t bytes[]; /* key, source NUL target NUL */
};

struct tws_flows {
    struct tws_flows_config cfg;
    struct tws_flow_entry **buckets;
    uint32_t mask, count;
    uint64_t seed;
    struct tws_node waiting, unanswered, answered, held;
    struct tws_timer sweep_timer;
    struct tws_log_limit full_limit;
    struct tws_flows_stats ended;
};

static struct tws_flow_entry *from_flow(struct tws_flow *f)
{
    return TWS_CONTAINER(f, struct tws_flow_entry, flow);
}

static struct tws_flow_entry *first_of(struct tws_node *list)
{
    return TWS_LIST_FIRST(list, struct tws_flow_entry, state_node);
}

static void put_in(struct tws_flow_entry *e, struct tws_node *list)
{
    tws_list_unlink(&e->state_node);
    tws_list_push_back(list, &e->state_node);
}

static uint64_t now_of(const struct tws_flows *t)
{
    return tws_loop_now(t->cfg.loop);
}

/* ---- finding ---- */

/* Keys may be chosen by strangers: the seed keeps them from choosing the bucket too. */
static uint64_t hash_of(const struct tws_flows *t, struct tws_span key)
{
    uint64_t h = t->seed ^ key.n, word;

    for (size_t i = 0; i < key.n; i += sizeof word) {
        size_t n = key.n - i < sizeof word ? key.n - i : sizeof word;
        word = 0;
        memcpy(&word, key.p + i, n);
        h = (h ^ word) * UINT64_C(0x9fb21c651e98df25);
        h ^= h >> 29;
    }
    return h ^ h >> 32;
}

static struct tws_flow_entry *find(const struct tws_flows *t, struct tws_span key, uint64_t hash)
{
    struct tws_flow_entry *e = t->buckets[hash & t->mask];

    while (e != NULL &&
           (e->hash != hash || e->nkey != key.n || memcmp(e->bytes, key.p, key.n) != 0))
        e = e->chain;
    return e;
}

/* Out of the table: the next datagram with that key makes another. */
static void take_out(struct tws_flow_entry *e)
{
    struct tws_flows *t = e->table;
    struct tws_flow_entry **at;

    if (t == NULL)
        return;
    for (at = &t->buckets[e->hash & t->mask]; *at != e;)
        at = &(*at)->chain;
    *at = e->chain;
    tws_list_unlink(&e->state_node);
    t->count--;
    t->ended.dropped += e->flow.backlog.dropped;
    e->table = NULL;
}

/* ---- the end of one ---- */

static void free_entry(struct tws_flow_entry *e)
{
    tws_waiter_leave(&e->down_wait);
    free(e->open);
    e->open = NULL;
    tws_loop_free_later(e->flow.idle_timer.loop, e);
}

/* Gives up a flow: at once, or when its channel is over. */
static void end(struct tws_flow_entry *e, uint16_t code)
{
    take_out(e);
    if (e->has_channel) {
        tws_flow_end(&e->flow, code, NULL);
        return;
    }
    tws_flow_fini(&e->flow);
    free_entry(e);
}

/* ---- what the flow tells ---- */

static void nothing(struct tws_waiter *w)
{
    (void)w; /* datagrams do not wait for a rate: they are dropped */
}

static bool is_too_fast(struct tws_flow_entry *e, size_t n)
{
    if (e->down == NULL)
        return false;
    if (tws_throttle_allows(e->down, n + 1, &e->down_wait) == 0) {
        e->flow.backlog.dropped++;
        return true;
    }
    tws_throttle_take(e->down, n);
    return false;
}

static void deliver(struct tws_flow *f, struct tws_span in)
{
    struct tws_flow_entry *e = from_flow(f);
    struct tws_flows *t = e->table;

    if (t == NULL)
        return;
    e->answered = true;
    put_in(e, &t->answered);
    if (is_too_fast(e, in.n))
        return;
    t->cfg.deliver(t->cfg.owner, (struct tws_span){e->bytes, e->nkey}, in);
}

static void start_sweep(struct tws_flows *t)
{
    if (!tws_timer_running(&t->sweep_timer))
        tws_timer_start(&t->sweep_timer, SWEEP_US);
}

/* Refused by the peer, or by its target: it is held for a moment. */
static void ended(struct tws_flow *f, uint16_t code, bool by_peer)
{
    struct tws_flow_entry *e = from_flow(f);
    struct tws_flows *t = e->table;

    if (t == NULL)
        return;
    if (!by_peer || code == TWS_CODE_IDLE || e->answered) {
        take_out(e);
        return;
    }
    t->ended.refused++;
    e->held_us = now_of(t);
    put_in(e, &t->held);
    start_sweep(t);
}

static bool is_held(const struct tws_flow_entry *e)
{
    return e->table != NULL && e->held_us != 0;
}

static void over(struct tws_flow *f, uint16_t code)
{
    struct tws_flow_entry *e = from_flow(f);

    (void)code;
    e->has_channel = false;
    if (e->judge != NULL)
        e->judge->nchannels--;
    e->judge = NULL;
    if (is_held(e))
        return;
    take_out(e);
    free_entry(e);
}

static const struct tws_flow_ops entry_ops = {.deliver = deliver, .ended = ended, .over = over};

/* ---- a new one ---- */

/* The one that gives way to another, or NULL. */
static struct tws_flow_entry *pick_victim(const struct tws_flows *t, uint64_t now)
{
    struct tws_node *lists[] = {(struct tws_node *)(uintptr_t)&t->held,
                                (struct tws_node *)(uintptr_t)&t->unanswered,
                                (struct tws_node *)(uintptr_t)&t->answered};
    const uint64_t least[] = {0, UNANSWERED_US, ANSWERED_US};

    for (int i = 0; i < 3; i++) {
        struct tws_flow_entry *e = first_of(lists[i]);
        if (e != NULL && now - e->flow.active_us >= least[i])
            return e;
    }
    return NULL;
}

static bool make_room(struct tws_flows *t)
{
    uint64_t now = now_of(t);

    if (t->count < t->cfg.max)
        return true;
    struct tws_flow_entry *e = pick_victim(t, now);
    if (e != NULL) {
        end(e, TWS_CODE_IDLE);
        return true;
    }
    if (tws_log_allow(&t->full_limit, now))
        tws_log(TWS_LOG_WARN, "datagrams dropped",
                "reason=\"%u flows are open, and all of them are busy\"", (unsigned)t->cfg.max);
    return false;
}

static struct tws_flow_entry *allocate(struct tws_span key, const struct tws_open *open)
{
    char source[TWS_HOSTPORT_TEXT] = "-", target[TWS_HOSTPORT_TEXT];

    if (open->source.type != 0)
        tws_target_format(&open->source, source, sizeof source);
    tws_target_format(&open->target, target, sizeof target);
    size_t nsource = strlen(source) + 1, ntarget = strlen(target) + 1;
    struct tws_flow_entry *e = calloc(1, sizeof *e + key.n + nsource + ntarget);
    if (e == NULL)
        return NULL;
    e->open = malloc(sizeof *e->open);
    if (e->open == NULL) {
        free(e);
        return NULL;
    }
    *e->open = *open;
    memcpy(e->bytes, key.p, key.n);
    memcpy(e->bytes + key.n, source, nsource);
    memcpy(e->bytes + key.n + nsource, target, ntarget);
    e->nkey = (uint16_t)key.n;
    return e;
}

static struct tws_flow_entry *new_entry(struct tws_flows *t, struct tws_span key, uint64_t hash,
                                        const struct tws_open *open)
{
    struct tws_flow_entry *e = make_room(t) ? allocate(key, open) : NULL;

    if (e == NULL)
        return NULL;
    e->table = t;
    e->hash = hash;
    e->chain = t->buckets[hash & t->mask];
    t->buckets[hash & t->mask] = e;
    t->count++;
    tws_list_init(&e->state_node);
    tws_list_push_back(&t->waiting, &e->state_node);
    tws_flow_init(&e->flow, t->cfg.loop, &entry_ops, t->cfg.idle_us);
    tws_waiter_init(&e->down_wait, nothing);
    e->flow.source = (const char *)e->bytes + e->nkey;
    e->flow.target = e->flow.source + strlen(e->flow.source) + 1;
    return e;
}

static void take_terms(struct tws_flow_entry *e, struct tws_judge *j)
{
    struct tws_judge_terms terms = {0};

    if (j == NULL || !j->ops->terms(j, &terms))
        return; /* a removed key: its session is ending */
    e->judge = j;
    e->judge->nchannels++;
    e->flow.up = terms.up;
    e->down = terms.down;
}

/* TWS_BLOCKED: not now. TWS_NOMEM: it is gone, its next datagram is another try. */
static tws_err open_channel(struct tws_flow_entry *e)
{
    struct tws_flows *t = e->table;
    struct tws_carrier *carrier = NULL;
    struct tws_channel *ch = NULL;

    tws_err err = t->cfg.events->open(t->cfg.events_arg, e->open, &carrier, &ch);
    if (err == TWS_NOMEM) {
        t->ended.dropped++;
        end(e, TWS_CODE_RESOURCES);
        return err;
    }
    if (err != TWS_OK) {
        start_sweep(t);
        return TWS_BLOCKED;
    }
    t->ended.opened++;
    free(e->open);
    e->open = NULL;
    e->has_channel = true;
    put_in(e, &t->unanswered);
    take_terms(e, t->cfg.judge);
    tws_flow_attach(&e->flow, carrier, ch);
    return TWS_OK;
}

void tws_flows_send(struct tws_flows *t, struct tws_span key, const struct tws_open *open,
                    struct tws_span datagram)
{
    uint64_t hash = hash_of(t, key);
    struct tws_flow_entry *e = find(t, key, hash);
    bool fresh = e == NULL;

    assert(key.n <= TWS_FLOW_KEY_MAX);
    if (fresh)
        e = new_entry(t, key, hash, open);
    if (e == NULL || is_held(e)) {
        t->ended.dropped++;
        return;
    }
    tws_flow_put(&e->flow, datagram);
    if (e->open == NULL)
        put_in(e, e->answered ? &t->answered : &t->unanswered);
    else if (fresh && first_of(&t->waiting) == e)
        (void)open_channel(e);
}

void tws_flows_ready(struct tws_flows *t)
{
    struct tws_flow_entry *e;

    while ((e = first_of(&t->waiting)) != NULL)
        if (open_channel(e) == TWS_BLOCKED)
            return;
}

/* ---- time ---- */

/* Those that waited too long for a channel, and those that were held long enough. */
static void on_sweep(struct tws_timer *timer)
{
    struct tws_flows *t = TWS_CONTAINER(timer, struct tws_flows, sweep_timer);
    uint64_t now = now_of(t);
    struct tws_node *it, *next;

    TWS_LIST_EACH(it, next, &t->waiting)
    {
        struct tws_flow_entry *e = TWS_CONTAINER(it, struct tws_flow_entry, state_node);
        if (now - e->flow.active_us >= TWS_BACKLOG_OLD_MS * MS)
            end(e, TWS_CODE_TIMEOUT);
    }
    TWS_LIST_EACH(it, next, &t->held)
    {
        struct tws_flow_entry *e = TWS_CONTAINER(it, struct tws_flow_entry, state_node);
        if (now - e->held_us >= HOLD_US)
            end(e, TWS_CODE_NONE);
    }
    if (!tws_list_empty(&t->waiting) || !tws_list_empty(&t->held))
        start_sweep(t);
}

void tws_flows_set_idle(struct tws_flows *t, uint64_t idle_us)
{
    t->cfg.idle_us = idle_us;
}

/* ---- life ---- */

static uint32_t power_of_two(uint32_t n)
{
    uint32_t p = 16;

    while (p < n)
        p *= 2;
    return p;
}

tws_err tws_flows_new(const struct tws_flows_config *cfg, struct tws_flows **out)
{
    struct tws_flows *t = calloc(1, sizeof *t);
    uint32_t n = power_of_two(cfg->max);
    tws_err err = TWS_NOMEM;

    if (t == NULL)
        return TWS_NOMEM;
    t->cfg = *cfg;
    t->mask = n - 1;
    tws_list_init(&t->waiting);
    tws_list_init(&t->unanswered);
    tws_list_init(&t->answered);
    tws_list_init(&t->held);
    tws_timer_init(&t->sweep_timer, cfg->loop, on_sweep);
    t->buckets = calloc(n, sizeof(struct tws_flow_entry *));
    if (t->buckets != NULL)
        err = tws_random_bytes(NULL, &t->seed, sizeof t->seed);
    if (err != TWS_OK) {
        free(t->buckets);
        free(t);
        return err;
    }
    *out = t;
    return TWS_OK;
}

tws_err tws_flows_of_ingress(const struct tws_ingress *in, uint32_t max, tws_flows_deliver_fn *fn,
                             void *owner, struct tws_flows **out)
{
    const struct tws_flows_config cfg = {.loop = in->loop,
                                         .events = in->events,
                                         .events_arg = in->arg,
                                         .judge = in->judge,
                                         .max = max,
                                         .idle_us = (uint64_t)in->udp_timeout_ms * MS,
                                         .deliver = fn,
                                         .owner = owner};

    return tws_flows_new(&cfg, out);
}

void tws_flows_clear(struct tws_flows *t)
{
    struct tws_node *const lists[] = {&t->waiting, &t->unanswered, &t->answered, &t->held};
    struct tws_flow_entry *e;

    for (int i = 0; i < 4; i++)
        while ((e = first_of(lists[i])) != NULL)
            end(e, TWS_CODE_NONE);
}

void tws_flows_free(struct tws_flows *t)
{
    if (t == NULL)
        return;
    tws_flows_clear(t);
    tws_timer_stop(&t->sweep_timer);
    free(t->buckets);
    tws_loop_free_later(t->cfg.loop, t);
}

struct tws_flows_stats tws_flows_stats(const struct tws_flows *t)
{
    struct tws_flows_stats st = t->ended;

    st.flows = t->count;
    return st;
}
