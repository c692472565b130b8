/*
 * msglog.h - the messages of one link, from being built until the peer has acknowledged them.
 *
 *      acknowledged and gone | sent, in flight ... | not sent yet ... | being built
 *
 * Records and their bytes lie one behind the other in blocks of two full messages, so that nothing
 * is allocated per message; a block goes back to the session's pool when its last record does.
 * Every message gets the next number of its link, from 1; only `logged` ones are kept after
 * sending. When a link dies its records are moved, not copied, to another link's log.
 */
#ifndef TWS_MUX_MSGLOG_H
#define TWS_MUX_MSGLOG_H

#include "tws/base/list.h"
#include "tws/base/mem.h"
#include "tws/mux/path.h"

#include <stdbool.h>
#include <stdint.h>

struct tws_block;

/* Blocks of a session. `memory` counts all it holds, used or spare. */
struct tws_blocks {
    const struct tws_mem *mem;
    struct tws_block *spare;
    uint32_t nspare;
    uint32_t message; /* the largest message, bytes */
    size_t memory, used;
};

void tws_blocks_init(struct tws_blocks *b, const struct tws_mem *mem, uint32_t max_message);
void tws_blocks_fini(struct tws_blocks *b);
/* Gives spare blocks back to the allocator. */
void tws_blocks_trim(struct tws_blocks *b);

struct tws_record {
    struct tws_node log_node;
    struct tws_block *block;
    uint64_t number;
    struct tws_path_mark mark; /* when it was sent */
    uint32_t len, cap;
    bool logged, sent;
    bool again;           /* moved from a dead link */
    bool copied;          /* its DATA went over another link too */
    uint8_t headroom[16]; /* the transport's header goes here */
    uint8_t data[];
};

struct tws_msglog {
    struct tws_node records; /* oldest first */
    struct tws_block *cur;
    uint64_t next;             /* number of the next message */
    uint64_t in_flight;        /* bytes of logged messages that were sent */
    uint64_t kept;             /* bytes of all records */
    struct tws_record *unsent; /* the first one not sent; all behind it are not either */
};

void tws_msglog_init(struct tws_msglog *log);
/* Frees all records. */
void tws_msglog_fini(struct tws_msglog *log, struct tws_blocks *b);

/* Room for one message of up to record->cap bytes. NULL: out of memory. end or cancel follows. */
struct tws_record *tws_msglog_begin(struct tws_msglog *log, struct tws_blocks *b);
void tws_msglog_end(struct tws_msglog *log, struct tws_record *r, uint32_t len, bool logged);
void tws_msglog_cancel(struct tws_msglog *log, struct tws_record *r, struct tws_blocks *b);

/* The same for one that is not logged, in front of all that are not sent yet. */
void tws_msglog_insert(struct tws_msglog *log, struct tws_record *r, uint32_t len);
/* log->unsent is with the transport now. One that is not logged is freed. */
void tws_msglog_sent(struct tws_msglog *log, struct tws_blocks *b);
/* The oldest message, whether sent or not, or NULL. */
struct tws_record *tws_msglog_oldest(const struct tws_msglog *log);

/* What an ACK covered. */
struct tws_acked {
    uint64_t bytes, last;      /* of all records; the number of the newest */
    struct tws_path_mark mark; /* of the newest */
};

/* Frees the records up to number `n` that were sent; bytes is 0 if there were none. */
struct tws_acked tws_msglog_acknowledge(struct tws_msglog *log, uint64_t n, struct tws_blocks *b);
/* Takes a record out and frees it. */
void tws_msglog_drop(struct tws_msglog *log, struct tws_record *r, struct tws_blocks *b);
/* Moves a record to the end of another log, to be sent (again) there under a new number. */
void tws_msglog_move(struct tws_msglog *from, struct tws_record *r, struct tws_msglog *to);

#endif
