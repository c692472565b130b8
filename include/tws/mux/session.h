/*
 * session.h - one client's association with one server: links below, channels above.
 *
 * Sans I/O: messages and the time go in; events, messages and the next deadline come out. The same
 * input, times and seed give the same output, byte for byte. No socket, no clock, no callback.
 *
 *      transport                     session                       relay
 *      link_add, recv  ------->  events (next_event)  ------->  READABLE: peek, consume
 *      next_message, sent  <---  pull, pulled         <-------  set_ready
 *
 * A channel belongs to the session, not to a link: every message that matters is kept in its
 * link's log until the peer acknowledged it, and what a dead link did not deliver goes again over
 * another (docs/protocol.md, "Links and the message log").
 *
 * Rules for the caller:
 *  - After every call that takes `now`, drain next_event() until it returns false.
 *  - `now` is in microseconds, monotonic, and counts time asleep (CLOCK_BOOTTIME).
 *  - A channel pointer is valid until its TWS_EVENT_RELEASED has been returned by next_event();
 *    a link until its TWS_EVENT_LINK_LOST, or tws_session_link_lost().
 *  - The session frees nothing the caller owns; `user` pointers are only carried.
 */
#ifndef TWS_MUX_SESSION_H
#define TWS_MUX_SESSION_H

#include "tws/base/bytes.h"
#include "tws/base/mem.h"

struct tws_session;
struct tws_channel;
struct tws_link;

/* Free bytes in front of every message returned by next_message(), for the transport's header. */
#define TWS_SESSION_HEADROOM 16

/* Which link carries what (docs/protocol.md, "Choosing what to send where"). The client chooses;
 * its LINK frames tell the server, so that both directions follow. */
enum tws_schedule {
    TWS_SCHEDULE_AUTO,          /* a channel stays with its link while that one is good */
    TWS_SCHEDULE_ROUND_ROBIN,   /* every message on the next link that takes one */
    TWS_SCHEDULE_WEIGHTED,      /* channels are shared out by weight */
    TWS_SCHEDULE_MIN_RTT,       /* the link with the least round trip */
    TWS_SCHEDULE_REDUNDANT,     /* as auto; interactive bytes go over two links */
    TWS_SCHEDULE_ACTIVE_BACKUP, /* one link; another only when it fails */
    TWS_SCHEDULE_BOND,          /* one channel over all links */
    TWS_SCHEDULE_ONE_WAY,       /* auto whose links take the same way; tws_session_set_one_way() */
    TWS_SCHEDULE_END,
};

enum tws_link_role { TWS_ROLE_AVAILABLE = 1, TWS_ROLE_BACKUP = 2, TWS_ROLE_DRAINING = 3 };

struct tws_session_config {
    bool client;                /* opens odd channels, sends LINK; the other opens even ones */
    enum tws_schedule schedule; /* client only */
    uint32_t max_message;       /* the most we send: what the peer takes, tag included; 0: 32,768 */
    uint32_t message_overhead;  /* bytes of max_message that sealing needs (16 or 0) */
    uint64_t heartbeat_us;      /* PING when a link was silent that long; 0: 15 s */
    uint64_t grace_us;          /* life without links; 0: 120 s */
    uint64_t give_up_us;        /* in-flight bytes without progress: the link is lost; 0: 10 s */
    uint64_t suspect_us;        /* the same: it gets nothing new, what it has goes elsewhere too; 0:
                                   1 s, under bond and redundant 200 ms; never under 2 round trips */
    size_t memory;              /* budget, sent and received together; 0: 64 MiB */
    uint32_t max_channels;      /* the peer may have that many open at once; 0: 65,536 */
    uint32_t peer_max_channels; /* first limit of ours, from the handshake; 0: 65,536 */
    uint32_t early_data;        /* what we take behind OPEN; at most 16 KiB */
    uint32_t peer_early_data;   /* what the peer takes behind OPEN */
    uint32_t peer_early_datagrams; /* the same of a channel's datagrams, each with its header */
    uint32_t padding; /* up to that many random bytes are added to a message; 0: none */
    bool no_log;      /* benches only: keep nothing, recover nothing */
};

/* Memory comes from `mem` (borrowed for the session's life). TWS_NOMEM. */
TWS_MUST_USE tws_err tws_session_new(const struct tws_session_config *cfg,
                                     const struct tws_mem *mem, uint64_t seed, uint64_t now,
                                     struct tws_session **out);
void tws_session_free(struct tws_session *s);

/* ---- links ---- */

struct tws_link_config {
    uint32_t id;     /* from WELCOME, never used before in this session */
    uint8_t role;    /* enum tws_link_role; the server's is set by the client's LINK */
    uint16_t weight; /* 0: 1 */
    void *user;
};

/* A link whose handshake is done. TWS_NOMEM, TWS_FULL (16 links), TWS_E_STATE (a used or given up
 * id: close the link unused). */
TWS_MUST_USE tws_err tws_session_link_add(struct tws_session *s, const struct tws_link_config *cfg,
                                          uint64_t now, struct tws_link **out);
/* The transport ended, or the caller gives the link up. The pointer is invalid afterwards; no
 * TWS_EVENT_LINK_LOST follows. `code` goes into DEAD. */
void tws_session_link_lost(struct tws_session *s, struct tws_link *l, uint16_t code, uint64_t now);
/* Tells the peer (LINK) to use the link from now on as `role` with `weight`. Client only. */
void tws_session_link_set_role(struct tws_session *s, struct tws_link *l, uint8_t role,
                               uint16_t weight, uint64_t now);
/* Whether all links take the same way, so that none is missed by bulk: then auto keeps one clear of
 * bulk for what is small. Tells the peer. Client only. */
void tws_session_set_one_way(struct tws_session *s, bool one_way, uint64_t now);
/* Something happened that may have cut the link off without a word: asks the peer for a sign of
 * life (PING). Without one within 3 s, or 4 round trips, the link is given up. */
void tws_session_probe(struct tws_session *s, struct tws_link *l, uint64_t now);
uint32_t tws_link_id(const struct tws_link *l);

/*
 * One whole message from the link's peer, unsealed. Borrowed until next_event() has returned
 * false: its frames are applied one by one, as the events before them have been taken. A frame
 * that breaks the protocol ends the session: nothing of it is applied, TWS_EVENT_CLOSED follows,
 * and next_message() gives out one more message per link, with CLOSE.
 */
void tws_session_recv(struct tws_session *s, struct tws_link *l, struct tws_span message,
                      uint64_t now);
/* Some bytes came over the link, not yet a whole message: it lives. */
void tws_session_link_heard(struct tws_link *l, uint64_t now);

/* ---- sending: for each link whose transport can take a message, pull until false, then
 * next_message, write it, sent; again until next_message has none ---- */

/* One channel may put bytes into the message being built. */
struct tws_pull {
    struct tws_channel *channel;
    void *user;     /* the channel's */
    uint8_t *buf;   /* put at most `cap` bytes here, then call tws_session_pulled() */
    size_t cap;     /* > 0 */
    size_t largest; /* 0: a stream; else put one datagram, and drop any above this size */
};

/* False: nothing more to add, or the link takes no more now. After true, pulled() must follow. */
bool tws_session_pull(struct tws_session *s, struct tws_link *l, uint64_t now,
                      struct tws_pull *out);

#define TWS_PULLED_MORE     1u /* the channel has more bytes: leave it ready */
#define TWS_PULLED_FIN      2u /* the local side's end of file comes right behind these bytes */
#define TWS_PULLED_DATAGRAM 4u /* these bytes, may be none, are one datagram */
/* Nothing was put: the next datagram has `n` bytes, above `cap`; its turn comes with more room. */
#define TWS_PULLED_LARGER 8u
void tws_session_pulled(struct tws_session *s, size_t n, unsigned flags);

/*
 * Ends the message being built and gives out the next one to write; TWS_SESSION_HEADROOM bytes in
 * front of it are the caller's to write to. False: none. The bytes stay where they are, unchanged,
 * until tws_session_sent() was called and the peer acknowledged them or the link is gone.
 */
bool tws_session_next_message(struct tws_session *s, struct tws_link *l, uint64_t now,
                              struct tws_span *out);
/* The transport has taken (to the kernel, or into its own buffer) the whole last message. */
void tws_session_sent(struct tws_session *s, struct tws_link *l, uint64_t now);
/* Whether pull or next_message would give anything: the link wants to be flushed. */
bool tws_session_wants_write(struct tws_session *s, struct tws_link *l, uint64_t now);
/* Whether flushing a link, since the last call, gave another one something to send: a copy, or a
 * channel that moved. Flush them all again, for no event will tell. */
bool tws_session_flush_again(struct tws_session *s);

/* ---- channels ----
 *
 * OPEN's kind says whether a channel is a stream or carries datagrams (tws_kind_has_datagrams).
 * Those have no credit and no peek: each datagram is sent at most once, is lost with its link, may
 * be overtaken, and comes as TWS_EVENT_DATAGRAM. They share the links' turns and their bound of
 * bytes in flight with the streams; what waits meanwhile, waits with the local side. Such a channel
 * ends by RESET.
 */

/*
 * Opens a channel; `payload` is OPEN's (proto/target.h), copied. Early data may be pulled at once.
 * TWS_FULL: the peer's limit is reached (wait for TWS_EVENT_OPENABLE); TWS_E_STATE: the session is
 * draining or closed; TWS_NOMEM.
 */
TWS_MUST_USE tws_err tws_session_open(struct tws_session *s, struct tws_span payload, void *user,
                                      uint64_t now, struct tws_channel **out);
/* Whether tws_session_open() would succeed. */
bool tws_session_openable(const struct tws_session *s);

/* Answers TWS_EVENT_OPEN with success; `bound` is an encoded target (may be empty), copied. */
void tws_channel_accept(struct tws_channel *ch, struct tws_span bound, uint64_t now);
void tws_channel_set_user(struct tws_channel *ch, void *user);
uint32_t tws_channel_id(const struct tws_channel *ch);

/* The local side has bytes, or its end, to be pulled (or no longer has). */
void tws_channel_set_ready(struct tws_channel *ch, bool ready, uint64_t now);

/*
 * Received bytes that are next in the stream, at least one byte when TWS_OK; TWS_BLOCKED: none
 * now; TWS_ABSENT: none ever, the peer's FIN was reached and all is consumed. Borrowed until the
 * next call on the session.
 */
TWS_MUST_USE tws_err tws_channel_peek(struct tws_channel *ch, struct tws_span *out);
/* All that the peer will ever send is here: `*left` is how much of it peek has still to give. */
bool tws_channel_complete(const struct tws_channel *ch, uint64_t *left);
/* The local socket took `n` of the peeked bytes: credit goes back for them. */
void tws_channel_consume(struct tws_channel *ch, size_t n, uint64_t now);

/* Ends both halves at once; local bytes not pulled are gone. Also answers TWS_EVENT_OPEN with a
 * refusal. TWS_EVENT_RELEASED follows when the peer agreed. `text` at most 128 bytes or NULL. */
void tws_channel_reset(struct tws_channel *ch, uint16_t code, const char *text, uint64_t now);
/* The local side will take no more bytes: the peer stops sending; what comes is thrown away. */
void tws_channel_stop(struct tws_channel *ch, uint16_t code, uint64_t now);

/* Bytes of the channel so far, for the audit line and idle time-outs. */
struct tws_channel_stats {
    uint64_t sent, received; /* pulled from the local side; consumed by it */
    uint64_t datagrams_sent, datagrams_received;
    uint64_t datagrams_missing; /* of the peer's, below the highest number that came */
};
struct tws_channel_stats tws_channel_stats(const struct tws_channel *ch);

/* ---- events ---- */

enum tws_event_type {
    TWS_EVENT_OPEN,      /* channel, payload: the peer opened it; accept or reset */
    TWS_EVENT_OPENED,    /* channel, payload: the peer accepted; bound address */
    TWS_EVENT_READABLE,  /* channel: peek has something new, or the end */
    TWS_EVENT_DATAGRAM,  /* channel, payload: one datagram, borrowed until next_event() has
                            returned false */
    TWS_EVENT_RESET,     /* channel, code, payload (text): hand on what peek gives until it says
                            TWS_ABSENT (or 5 s), then RST */
    TWS_EVENT_STOPPED,   /* channel, code: the peer reads no more; send no more */
    TWS_EVENT_RELEASED,  /* channel: both sides are done; the pointer dies with the next call */
    TWS_EVENT_OPENABLE,  /* opening is possible again */
    TWS_EVENT_LINK_LOST, /* link, code: close its transport; the pointer is invalid */
    TWS_EVENT_LINK_ROLE, /* link: the client set its role */
    TWS_EVENT_GOAWAY,    /* code, deadline_ms: the peer drains; open nothing more */
    TWS_EVENT_STALLED,   /* links live, but none answers: another may */
    TWS_EVENT_SUSPENDED, /* no link lives; grace runs */
    TWS_EVENT_RESUMED,   /* a link lives again */
    TWS_EVENT_CLOSED,    /* code, payload (text): the session is over, all channels with it, and
                            no event follows: flush the links once, close them, free it */
};

struct tws_event {
    enum tws_event_type type;
    struct tws_channel *channel;
    void *user; /* the channel's or the link's */
    struct tws_link *link;
    uint16_t code;
    uint32_t deadline_ms;
    struct tws_span payload; /* borrowed until the next call on the session */
};

/* The next event, or false. */
bool tws_session_next_event(struct tws_session *s, struct tws_event *out);

/* ---- time and end ---- */

/* When tws_session_tick() must be called at the latest; UINT64_MAX: not before the next input. */
uint64_t tws_session_deadline(const struct tws_session *s);
/* Timers: heartbeats, delayed ACKs, links given up, grace. */
void tws_session_tick(struct tws_session *s, uint64_t now);

/* Opens and accepts no more, and tells the peer (GOAWAY); running channels go on. */
void tws_session_drain(struct tws_session *s, uint16_t code, uint32_t deadline_ms, uint64_t now);
/* Whether the peer acknowledged all that must reach it, over whichever link that went. */
bool tws_session_acknowledged(const struct tws_session *s);
/* And nothing waits to be sent, an ACK neither. Before that a CLOSE may overtake, on another link,
 * bytes that are on their way. */
bool tws_session_settled(struct tws_session *s, uint64_t now);
/* Ends the session: CLOSE goes out on every link, every channel is over. TWS_EVENT_CLOSED follows.
 */
void tws_session_close(struct tws_session *s, uint16_t code, const char *text, uint64_t now);

/* ---- what the process shows ---- */

/* Whether links live, but none of them answers (TWS_EVENT_STALLED told so). */
bool tws_session_stalled(const struct tws_session *s);

struct tws_session_stats {
    uint32_t links, channels;
    uint64_t bytes_sent, bytes_received; /* stream bytes */
    uint64_t resent_messages, resent_bytes;
    uint64_t datagrams_sent, datagrams_received;
    uint64_t datagrams_lost; /* sent, or about to be, and gone with their links */
    uint64_t links_lost;
    uint64_t padding; /* bytes added to messages */
    size_t memory;    /* logs, queues, tables */
};
struct tws_session_stats tws_session_stats(const struct tws_session *s);

struct tws_link_stats {
    uint8_t role;
    bool suspect;
    uint64_t srtt_us, min_rtt_us, rate; /* bytes per second; 0: no estimate yet */
    uint64_t in_flight, bound;          /* bytes */
    uint64_t messages_sent, messages_received;
};
struct tws_link_stats tws_link_stats(const struct tws_link *l);

#endif
