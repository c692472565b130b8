/* msglog.c - see msglog.h. */
#include "tws/mux/msglog.h"

#include <assert.h>
#include <stddef.h>

#define SPARE_BLOCKS 32u
#define ALIGN        _Alignof(struct tws_record)

/* `refs` counts the records in it, and one for the log that still fills it. */
struct tws_block {
    struct tws_block *next;
    uint32_t refs, used, size;
    _Alignas(16) uint8_t data[];
};

static uint32_t record_size(uint32_t len)
{
    uint32_t n = (uint32_t)sizeof(struct tws_record) + len;
    return (n + (uint32_t)ALIGN - 1) & ~((uint32_t)ALIGN - 1);
}

void tws_blocks_init(struct tws_blocks *b, const struct tws_mem *mem, uint32_t max_message)
{
    *b = (struct tws_blocks){.mem = mem, .message = max_message};
}

static struct tws_block *get_block(struct tws_blocks *b)
{
    struct tws_block *k = b->spare;
    uint32_t size = 2 * record_size(b->message);

    if (k != NULL) {
        b->spare = k->next;
        b->nspare--;
    } else {
        k = tws_alloc(b->mem, sizeof *k + size);
        if (k == NULL)
            return NULL;
        b->memory += sizeof *k + size;
    }
    b->used += sizeof *k + size;
    k->next = NULL;
    k->refs = 1;
    k->used = 0;
    k->size = size;
    return k;
}

static void free_block(struct tws_blocks *b, struct tws_block *k)
{
    b->memory -= sizeof *k + k->size;
    tws_free(b->mem, k);
}

static void unref(struct tws_blocks *b, struct tws_block *k)
{
    assert(k->refs > 0);
    if (--k->refs > 0)
        return;
    b->used -= sizeof *k + k->size;
    if (b->nspare >= SPARE_BLOCKS) {
        free_block(b, k);
        return;
    }
    k->next = b->spare;
    b->spare = k;
    b->nspare++;
}

void tws_blocks_trim(struct tws_blocks *b)
{
    while (b->spare != NULL) {
        struct tws_block *k = b->spare;
        b->spare = k->next;
        free_block(b, k);
    }
    b->nspare = 0;
}

void tws_blocks_fini(struct tws_blocks *b)
{
    tws_blocks_trim(b);
    assert(b->memory == 0);
}

void tws_msglog_init(struct tws_msglog *log)
{
    *log = (struct tws_msglog){.next = 1};
    tws_list_init(&log->records);
}

void tws_msglog_fini(struct tws_msglog *log, struct tws_blocks *b)
{
    struct tws_record *r;

    while ((r = tws_msglog_oldest(log)) != NULL)
        tws_msglog_drop(log, r, b);
    if (log->cur != NULL)
        unref(b, log->cur);
    log->cur = NULL;
}

/* Makes sure a full message fits behind what the current block holds. */
static bool make_room(struct tws_msglog *log, struct tws_blocks *b)
{
    if (log->cur != NULL && log->cur->refs == 1)
        log->cur->used = 0;
    if (log->cur != NULL && log->cur->size - log->cur->used >= record_size(b->message))
        return true;
    if (log->cur != NULL)
        unref(b, log->cur);
    log->cur = get_block(b);
    return log->cur != NULL;
}

struct tws_record *tws_msglog_begin(struct tws_msglog *log, struct tws_blocks *b)
{
    if (!make_room(log, b))
        return NULL;
    struct tws_record *r = (struct tws_record *)(void *)(log->cur->data + log->cur->used);
    *r = (struct tws_record){.block = log->cur, .cap = b->message};
    tws_list_init(&r->log_node);
    log->cur->refs++;
    return r;
}

void tws_msglog_cancel(struct tws_msglog *log, struct tws_record *r, struct tws_blocks *b)
{
    assert(r->block == log->cur);
    unref(b, r->block);
}

struct tws_record *tws_msglog_oldest(const struct tws_msglog *log)
{
    return TWS_LIST_FIRST(&log->records, struct tws_record, log_node);
}

static struct tws_record *behind(const struct tws_msglog *log, const struct tws_record *r)
{
    if (r->log_node.next == &log->records)
        return NULL;
    return TWS_CONTAINER(r->log_node.next, struct tws_record, log_node);
}

void tws_msglog_sent(struct tws_msglog *log, struct tws_blocks *b)
{
    struct tws_record *r = log->unsent;

    log->unsent = behind(log, r);
    r->sent = true;
    if (r->logged)
        log->in_flight += r->len;
    else
        tws_msglog_drop(log, r, b);
}

/* Takes `r` out of the list and the counts. */
static void take_out(struct tws_msglog *log, struct tws_record *r)
{
    if (log->unsent == r)
        log->unsent = behind(log, r);
    tws_list_unlink(&r->log_node);
    log->kept -= r->len;
    if (r->sent && r->logged)
        log->in_flight -= r->len;
}

static void append(struct tws_msglog *log, struct tws_record *r)
{
    r->sent = false;
    r->number = log->next++;
    log->kept += r->len;
    if (log->unsent == NULL)
        log->unsent = r;
    tws_list_push_back(&log->records, &r->log_node);
}

void tws_msglog_end(struct tws_msglog *log, struct tws_record *r, uint32_t len, bool logged)
{
    assert(r->block == log->cur && len <= r->cap);
    log->cur->used += record_size(len);
    r->len = len;
    r->logged = logged;
    append(log, r);
}

void tws_msglog_insert(struct tws_msglog *log, struct tws_record *r, uint32_t len)
{
    struct tws_record *first = log->unsent;

    log->cur->used += record_size(len);
    r->len = len;
    r->number = first->number;
    log->kept += len;
    log->next++;
    tws_list_insert_before(&first->log_node, &r->log_node);
    for (; first != NULL; first = behind(log, first))
        first->number++;
    log->unsent = r;
}

void tws_msglog_drop(struct tws_msglog *log, struct tws_record *r, struct tws_blocks *b)
{
    take_out(log, r);
    unref(b, r->block);
}

static struct tws_record *covered(const struct tws_msglog *log, struct tws_node *it, uint64_t n)
{
    struct tws_record *r = TWS_CONTAINER(it, struct tws_record, log_node);

    return it != &log->records && r->sent && r->number <= n ? r : NULL;
}

/* A bulk transfer comes here for every message: the list and the counts change once for all. */
struct tws_acked tws_msglog_acknowledge(struct tws_msglog *log, uint64_t n, struct tws_blocks *b)
{
    struct tws_acked acked = {.bytes = 0};
    struct tws_record *r = covered(log, log->records.next, n), *next;
    struct tws_node *left = log->records.next;

    for (; r != NULL; r = next) {
        left = r->log_node.next;
        next = covered(log, left, n);
        if (next == NULL) {
            acked.last = r->number;
            acked.mark = r->mark;
        }
        acked.bytes += r->len;
        unref(b, r->block);
    }
    log->records.next = left;
    left->prev = &log->records;
    log->kept -= acked.bytes;
    log->in_flight -= acked.bytes;
    return acked;
}

void tws_msglog_move(struct tws_msglog *from, struct tws_record *r, struct tws_msglog *to)
{
    take_out(from, r);
    r->again = true;
    append(to, r);
}
