/*
 * session_priv.h - the session's insides, shared by the files of this layer.
 *
 *   session.c   life, opening, time           channel.c   one channel: the relay's side of it
 *   receive.c   messages -> frame handlers    rx_channel.c, rx_link.c   the handlers
 *   compose.c   what goes into a message      sched.c     whose turn it is, and over which link
 *   link.c      links come, go, and settle    event.c     what the caller is told
 *   datagram.c  channels without a stream     credit.c, resend.c   windows; DATA sent twice
 *
 * Membership is state: a channel that wants to send is on a ready list of its link, one with
 * control frames due on its control list, one with something to tell on the session's event list.
 * Every channel has a home link while any link is usable (`link`), else it is an orphan.
 */
#ifndef TWS_MUX_SESSION_PRIV_H
#define TWS_MUX_SESSION_PRIV_H

#include "credit_priv.h"
#include "datagram_priv.h"
#include "resend_priv.h"

#include "tws/base/list.h"
#include "tws/base/map.h"
#include "tws/mux/flood.h"
#include "tws/mux/halves.h"
#include "tws/mux/msglog.h"
#include "tws/mux/padding.h"
#include "tws/mux/path.h"
#include "tws/mux/ranges.h"
#include "tws/mux/recvq.h"
#include "tws/mux/session.h"
#include "tws/proto/code.h"
#include "tws/proto/frame.h"

#define TWS_LINKS_MAX    16u
#define TWS_GRAVES_MAX   64u /* given up links that are not settled yet */
#define TWS_ID_RANGES    4096u
#define TWS_WINDOW_FIRST (256u * 1024u)
#define TWS_WINDOW_MAX   (8u * 1024u * 1024u)
#define TWS_WINDOW_FLOOR (16u * 1024u)
#define TWS_QUANTUM      16384
#define TWS_NEVER        UINT64_MAX

/* Control frames a channel owes the peer; sent in this order. */
enum due {
    DUE_OPEN = 1 << 0,
    DUE_OPENED = 1 << 1,
    DUE_STOP = 1 << 2,
    DUE_WINDOW = 1 << 3,
    DUE_FIN = 1 << 4,
    DUE_RESET = 1 << 5,
};

struct tws_channel {
    struct tws_session *s;
    void *user;
    struct tws_link *link;        /* home; NULL: orphan */
    struct tws_node member_node;  /* its link's members, or the orphans */
    struct tws_node ready_node;   /* its link's fresh or bulk */
    struct tws_node control_node; /* its link's control list */
    struct tws_node event_node;
    struct tws_node unknown_node; /* its link's unknown list: the peer may not know it yet */
    uint64_t unknown_until;       /* number of the message that told the peer */
    uint32_t id;
    uint8_t due;          /* enum due */
    uint16_t events;      /* bits of 1 << enum tws_event_type */
    bool ready, accepted; /* the local side has bytes or its end; OPENED was sent or received */
    struct tws_halves halves;

    uint64_t tx_next, tx_limit;
    int32_t deficit;
    uint32_t burst; /* bytes pulled since it was last quiet */
    uint64_t pulled_at;

    struct tws_recvq q;
    uint64_t rx_limit, charged; /* of it, still counted in the session's `granted` */
    uint64_t rx_final;          /* TWS_NEVER: not known */
    uint64_t rx_highest;        /* one past the last byte seen */
    uint32_t window;
    uint64_t epoch_at, epoch_consumed; /* window tuning */
    uint32_t active_epoch;             /* of the session, when it last consumed something */

    uint16_t stop_code, reset_code, peer_code;
    char *reset_text;
    uint8_t *hello; /* payload of OPEN or OPENED until it is sent */
    uint16_t hello_len;
    struct tws_datagrams dg;
};

struct tws_link {
    struct tws_session *s;
    void *user;
    struct tws_node link_node; /* live links, or graves */
    uint32_t id;
    uint16_t weight;
    uint8_t role;
    bool live;         /* not given up */
    bool quiet;        /* server: the client has not spoken yet, nothing may be sent */
    bool told, report; /* LINK_LOST was given out, or the caller knows; it is to be given out */
    bool role_changed, role_due, close_due;
    uint16_t lost_code;

    struct tws_node members, fresh, bulk, control, unknown;
    uint32_t nmembers;
    uint64_t fresh_at, bulk_at; /* an interactive channel, a busy one was served last; 0: never */

    struct tws_msglog log;
    struct tws_path path;
    uint64_t acked, sent; /* numbers */
    uint64_t progress_at; /* last ACK progress, or when bytes went in flight */
    bool suspect;

    /* what we processed of the peer's messages */
    uint64_t processed;
    uint64_t uncovered_bytes, uncovered_at;
    uint32_t uncovered;
    uint64_t processed_at;
    bool ack_now;

    uint64_t heard_at, ping_at;       /* ping_at 0: none outstanding */
    uint32_t missed;                  /* heartbeats without a sign of life */
    uint64_t probed_at;               /* 0: nobody asked */
    uint64_t busy_count, asked_count; /* logged messages processed; the same at the last silence */
    bool ping_due, ping_ack, pong_due;
    uint64_t pong_opaque, pong_at;

    /* once given up */
    bool dead_due, settled;
    bool settle_waits; /* the peer's DEAD came, with this number, while no link was usable */
    uint64_t settle_number;
    struct tws_link *dead_via; /* our DEAD went over this link as message `dead_number` */
    uint64_t dead_number;
};

/* The message being received. */
struct rx {
    struct tws_link *link;
    struct tws_span left;
    size_t size;
    uint64_t now;
    unsigned frames;
    bool asks, useful;
};

/* The message being built. */
struct tx {
    struct tws_link *link;
    struct tws_record *r;
    uint32_t len, limit;
    unsigned frames;
    bool logged;
    bool full; /* takes no more data: the next datagram needs a fresh message */
    struct tws_channel *pulling;
    uint64_t now;
};

struct tws_session {
    struct tws_session_config cfg;
    struct tws_mem mem; /* counts into `allocated` */
    const struct tws_mem *outer;
    size_t allocated;
    uint64_t now; /* of the last call */

    struct tws_node links, graves;
    uint32_t nlinks, ngraves;
    struct tws_ranges link_ids; /* every id that was ever used */
    enum tws_schedule schedule;
    struct tws_link *clear;      /* one way: bulk keeps off it; NULL: it need not */
    uint64_t typed_at, back_at;  /* something small was sent (0: never); see go_back() */
    struct tws_node fresh, bulk; /* ready channels that any link may serve */
    struct tws_node orphans;     /* channels without a home */
    struct tws_blocks blocks;

    struct tws_map channels;
    struct tws_ranges peer_ids; /* of channels the peer opened, halved */
    uint32_t next_id;
    uint64_t opened, peer_opened, peer_gone; /* counts since the beginning */
    uint64_t open_limit, peer_limit;         /* CHANNELS: ours to obey, and what we granted */
    uint64_t granted;                        /* credit given and not consumed, all channels */
    uint64_t active_at; /* begin of the second in which active channels are counted */
    uint32_t active_epoch, active_now, active_before;

    bool draining, peer_draining, closed, closed_told, channels_due;
    uint16_t close_code, drain_code;
    uint32_t drain_ms;
    char close_text[128];
    bool goaway_due, flush_again; /* flushing a link gave another one something to send */
    bool turn_waits;              /* a link left a datagram to one where it comes earlier */

    uint64_t suspended_at; /* TWS_NEVER: a link lives */
    bool was_linked;       /* it had a link before */

    struct rx rx;
    struct tx tx;

    struct tws_node events; /* channels */
    uint16_t session_events, goaway_code;
    uint32_t goaway_ms;
    struct tws_channel *released; /* given out; freed at the next call */
    struct tws_channel *borrower; /* its queue borrows from the message being received */
    struct tws_span ev_payload;

    struct tws_flood useless, early_resets;
    struct tws_padding padding;
    struct tws_session_stats stats;
};

/* event.c */
void tws_event_channel(struct tws_channel *ch, enum tws_event_type type);
void tws_event_session(struct tws_session *s, enum tws_event_type type);
bool tws_event_pop(struct tws_session *s, struct tws_event *out);

/* channel.c */
struct tws_channel *tws_channel_new(struct tws_session *s, uint32_t id);
void tws_channel_destroy(struct tws_channel *ch);
/* Carries out a halves event. */
void tws_channel_step(struct tws_channel *ch, enum tws_halves_event ev);
/* Puts it on, or takes it off, its link's lists according to its state. */
void tws_channel_queue(struct tws_channel *ch);
void tws_channel_unqueue(struct tws_channel *ch);
void tws_channel_owe(struct tws_channel *ch, unsigned due);
/* Every byte up to the final size is here and consumed? Then the rx half ends. */
void tws_channel_check_end(struct tws_channel *ch);
void tws_channel_settle_known(struct tws_channel *ch);
/* Resets a channel whose queue the budget cannot hold, and tells its relay. */
void tws_channel_starve(struct tws_channel *ch);

/* receive.c */
/* Applies the next frame of the message; false when there is none. */
bool tws_receive_next(struct tws_session *s);
void tws_receive_useless(struct tws_session *s);

typedef tws_err tws_frame_handler(struct tws_session *s, const struct tws_frame *f);
/* rx_channel.c */
tws_frame_handler tws_rx_data, tws_rx_open, tws_rx_opened, tws_rx_reset, tws_rx_stop, tws_rx_window,
    tws_rx_channels, tws_rx_datagram;
/* TWS_ABSENT: it is over, ignore the frame; TWS_E_STATE: it never was. */
tws_err tws_rx_find(struct tws_session *s, uint32_t id, struct tws_channel **out);
/* rx_link.c */
tws_frame_handler tws_rx_padding, tws_rx_ack, tws_rx_dead, tws_rx_ping, tws_rx_pong, tws_rx_link,
    tws_rx_goaway, tws_rx_close;

/* compose.c */
/* The first message of a client's link: LINK and DEADs; false: out of memory. */
bool tws_compose_first(struct tws_link *l);
/* The link ends while a message is being built for it: what is in it goes into the log. */
void tws_compose_abandon(struct tws_link *l);

/* link.c */
struct tws_link *tws_link_find(struct tws_session *s, uint32_t id);
struct tws_link *tws_grave_find(struct tws_session *s, uint32_t id);
static inline bool tws_link_usable(const struct tws_link *l)
{
    return l->live && !l->quiet;
}
/* Ends a link; `report`: the caller is told by LINK_LOST. */
void tws_link_give_up(struct tws_link *l, uint16_t code, bool report);
/* A link has become usable: orphans and stashed messages go there. */
void tws_link_use(struct tws_link *l);
/* The peer processed `n` messages of the grave: the rest goes elsewhere. */
tws_err tws_link_settle(struct tws_link *grave, uint64_t n);
/* The peer's answer for an id we never had as a link. */
tws_err tws_link_unknown(struct tws_session *s, uint32_t id);
/* Each DEAD of ours that went over `via` and may be lost there is owed again. */
void tws_link_owe_deads(const struct tws_link *via);
/* Frees graves that owe nothing any more. */
void tws_link_bury(struct tws_session *s);
/* Covered by an ACK (or DEAD): messages up to `n`. */
void tws_link_covered(struct tws_link *l, uint64_t n);
bool tws_link_ack_due(const struct tws_link *l, uint64_t now);
uint64_t tws_link_deadline(const struct tws_link *l);
void tws_link_tick(struct tws_link *l, uint64_t now);
/* An idle link, that only pings, keeps no memory for messages. */
void tws_link_rest(struct tws_link *l, uint64_t now);
uint64_t tws_link_bound(const struct tws_link *l, uint64_t now);

/* sched.c */
/* Whether ready channels are served by any link, not by their home. */
bool tws_sched_shares(const struct tws_channel *ch);
/* The best link but `not_this`; NULL: none. */
struct tws_link *tws_sched_other(struct tws_session *s, const struct tws_link *not_this);
/* The best link for a channel or a moved message; NULL: none is usable. */
struct tws_link *tws_sched_link(struct tws_session *s);
void tws_sched_home(struct tws_channel *ch, struct tws_link *l);
/* The channel whose turn it is on the link, or NULL. */
struct tws_channel *tws_sched_next(struct tws_link *l, uint64_t now);
/* How many bytes one channel may put into the message, given its room. */
size_t tws_sched_allow(const struct tws_link *l, size_t filled, size_t room, uint64_t now);
void tws_sched_charge(struct tws_channel *ch, size_t n, uint64_t now);

/* session.c */
/* Ends the session: a frame was wrong, or it is asked for. */
void tws_session_fail(struct tws_session *s, uint16_t code, const char *text);
void tws_session_goaway(struct tws_session *s, uint16_t code, uint32_t deadline_ms);

#endif
