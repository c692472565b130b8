/*
 * session.pml - a session of tws/2: links that die and come, channels that do not notice.
 *
 * Two sides keep a session: the client (0) and the server (1). At most two links live at a time;
 * a link that is lost never comes back, another with a new id joins. The rules are those of
 * docs/protocol.md, "Why nothing is lost", as src/mux keeps them. README.md beside this says what
 * is left out, why that hides nothing, and which run explores what.
 *
 * One message carries one frame. `q[Q(side, link)]` is what that side has put into the link and the
 * peer has not processed: the rest of its log and the wire at once.
 *
 * Every #ifdef with a name in the list of README.md takes one rule away.
 */

#ifdef COVERAGE /* spin reports no unreached code inside d_step */
#define d_step atomic
#endif

/* ---- size ---- */

#ifndef LINKS
#define LINKS 3 /* ids, over the life of the session */
#endif
#ifndef DEATHS
#define DEATHS 2 /* links that may die; fewer than LINKS, for one must carry on */
#endif
#ifndef CHANNELS_OPEN
#define CHANNELS_OPEN 2
#endif
#ifndef BYTES0
#define BYTES0 1 /* of the first channel, from its opener; the second carries OPEN, OPENED, FINs */
#endif
#ifndef BYTES1
#define BYTES1 0 /* to its opener */
#endif
#ifndef RESETS
#define RESETS 0 /* channels that a local side resets */
#endif
#ifndef COPIES
#define COPIES 0 /* times that a link is suspect */
#endif
#ifndef EARLY
#define EARLY 1 /* bytes the opener may send behind OPEN */
#endif
#define WINDOW_SIZE 1
#define LEN         10 /* frames that a link holds; it is checked that this is enough */

/* ---- frames: 4 bits type, 1 copied, 1 channel, 2 value ---- */

#define LINK     1
#define DEAD     2 /* value: the link */
#define OPEN     3 /* grants WINDOW_SIZE */
#define OPENED   4 /* value: credit */
#define DATA     5 /* value: the offset of its one byte; the last byte says FIN */
#define FIN      6 /* of an empty stream */
#define RESET    7 /* value: the final size */
#define WINDOW   8 /* value: the limit */
#define CHANNELS 9 /* value: the limit */

#define FRAME(type, ch, value) ((type) << 4 | (ch) << 2 | (value))
#define TYPE(f)  ((f) >> 4)
#define CH(f)    (((f) >> 2) & 1)
#define VALUE(f) ((f) & 3)
#define COPIED   8

/* Frames that go again over another link when theirs dies. */
#ifdef DEAD_IN_LOG
#define LOGGED(f) (TYPE(f) > LINK)
#else
#define LOGGED(f) (TYPE(f) > DEAD)
#endif

/* Frames that may be in two places at once. */
#ifdef ALL_TWICE
#define MAY_TRAVEL(f) (TYPE(f) >= OPENED && TYPE(f) != WINDOW)
#else
#define MAY_TRAVEL(f) (TYPE(f) == DATA || TYPE(f) == FIN)
#endif

/* ---- links ---- */

#define CLIENT  0
#define SERVER  1
#define PEER(s) (1 - (s))
#define NONE    15

/* How one side sees a link. */
#define NEW   0 /* never heard of */
#define QUIET 1 /* the server has sent WELCOME; the client has not spoken yet */
#define LIVE  2
#define GRAVE 3 /* given up; not settled, or our DEAD may not have arrived */
#define FREED 4 /* only the id is remembered */

/* Whether the peer has processed a frame of ours that something waits for. */
#define NOT_YET   0
#define PROCESSED 1
#define OWES_ACK  2 /* and will say so */

typedef Link {
    byte state;
    bool due;     /* our DEAD is to be sent */
    byte via;     /* the link that carries our DEAD, as long as no ACK covers it */
    byte landed;  /* that DEAD: NOT_YET, PROCESSED, OWES_ACK */
    bool settled; /* the peer's DEAD came, and the rest is moved */
    bool waits    /* the peer's DEAD came while no link was usable */
};
#define Q(s, l) ((s) * LINKS + (l))
Link k[2 * LINKS];
chan q[2 * LINKS] = [LEN] of { byte };

byte deaths = DEATHS, copies = COPIES, resets = RESETS; /* that may still happen */

#define USABLE(s, l) (k[Q(s, l)].state == LIVE)
#define UP(s, l)     (k[Q(s, l)].state == LIVE || k[Q(s, l)].state == QUIET)

/* How many links of the side are such. */
#if LINKS > 3
#define COUNT(IS, s) (IS(s, 0) + IS(s, 1) + IS(s, 2) + IS(s, 3))
#else
#define COUNT(IS, s) (IS(s, 0) + IS(s, 1) + IS(s, 2))
#endif

/* ---- channels ---- */

/* Where a channel, and its halves, are: as in src/mux/halves.h. */
#define ABSENT 0
#define HERE   1
#define GONE   2

#define TX_OPEN       0
#define TX_FIN_SENT   1
#define TX_RESET_DUE  2
#define TX_RESET_SENT 3

#define RX_OPEN       0
#define RX_DRAINING   1
#define RX_ABORTED    2
#define RX_DISCARDING 3
#define RX_ENDED      4

typedef Channel {
    byte is;
    bool accepted;
    byte tx, rx;
    byte unknown;       /* the link that holds our OPEN or OPENED; NONE: the peer knows */
    byte landed;        /* that frame: NOT_YET or OWES_ACK */
    byte sent, limit;
    byte next, granted; /* bytes consumed, and what the peer may send */
    byte got;           /* bits: bytes that came */
    byte high, final;
    bool window_due;
    byte twice;         /* bits: bytes of ours that were sent twice (only the proof looks) */
    bool reset_came     /* (only the proof looks) */
};
#define C(s, ch) ((s) * 2 + (ch))
Channel c[4];

#ifdef ONE_AT_A_TIME /* the client opens both, and CHANNELS lets it have one open */
#define OPENER(ch) CLIENT
byte open_limit = 1;
bool channels_due;
#else
#define OPENER(ch) (ch)
#endif
#define BYTES(s, ch) ((ch) == 1 -> 0 : ((s) == OPENER(ch) -> BYTES0 : BYTES1))

/* While the peer may not know a channel, all of it keeps to the link of its OPEN or OPENED. */
#ifdef NOT_STICKY
#define MAY_USE(s, ch, l) USABLE(s, l)
#else
#define MAY_USE(s, ch, l) (USABLE(s, l) && (c[C(s, ch)].unknown == NONE || c[C(s, ch)].unknown == l))
#endif

/* Registers of the step that is being done; 0 between steps. */
byte f, g, i, ch, to;
#define CLEAR f = 0; g = 0; i = 0; ch = 0; to = 0

inline put(s_, l_, frame)
{
    assert(len(q[Q(s_, l_)]) < LEN);
    q[Q(s_, l_)]!frame
}

/* ---- links go ---- */

/* Nothing is owed any more: the grave is freed. */
inline bury(s_, g_)
{
    if
    :: k[Q(s_, g_)].settled && !k[Q(s_, g_)].due && k[Q(s_, g_)].via == NONE -> k[Q(s_, g_)].state = FREED
    :: else
    fi
}

/* What the link carried of DEADs may be lost with it, or stuck there. */
inline owe_deads(s_, l_)
{
    i = 0;
    do
    :: i < LINKS ->
        if
        :: k[Q(s_, i)].via == l_ ->
            k[Q(s_, i)].via = NONE;
            k[Q(s_, i)].landed = NOT_YET;
            k[Q(s_, i)].due = true
        :: else
        fi;
        i++
    :: else -> break
    od
}

inline give_up(s_, l_)
{
    k[Q(s_, l_)].state = GRAVE;
    k[Q(s_, l_)].due = true;
#ifndef DEAD_ONCE
    owe_deads(s_, l_)
#endif
}

/* Any usable link but `not_` goes into `to`; there must be one. */
inline choose(s_, not_)
{
    if
    :: USABLE(s_, 0) && not_ != 0 -> to = 0
    :: USABLE(s_, 1) && not_ != 1 -> to = 1
    :: USABLE(s_, 2) && not_ != 2 -> to = 2
#if LINKS > 3
    :: USABLE(s_, 3) && not_ != 3 -> to = 3
#endif
    fi
}

/* Every DEAD that is due goes over `to`, if there is a link. */
inline tell(s_)
{
    i = 0;
    do
    :: i < LINKS ->
        if
        :: k[Q(s_, i)].due && to != NONE ->
            put(s_, to, FRAME(DEAD, 0, i));
            k[Q(s_, i)].due = false;
#ifndef DEAD_IN_LOG
            k[Q(s_, i)].via = to
#endif
        :: else
        fi;
        i++
    :: else -> break
    od
}

/* The peer's DEAD for g_ has come: what it has not processed goes to `to`, in order. */
inline settle(s_, g_)
{
    assert(!UP(PEER(s_), g_)); /* its number must not change any more */
    if
    :: to == NONE -> k[Q(s_, g_)].waits = true
    :: else ->
        k[Q(s_, g_)].waits = false;
        k[Q(s_, g_)].settled = true;
        i = 0;
        do
        :: i < 2 && c[C(s_, i)].unknown == g_ && c[C(s_, i)].landed == OWES_ACK ->
            c[C(s_, i)].unknown = NONE;
            c[C(s_, i)].landed = NOT_YET
        :: i < 2 && !(c[C(s_, i)].unknown == g_ && c[C(s_, i)].landed == OWES_ACK) -> i++
        :: else -> break
        od;
        do
        :: len(q[Q(s_, g_)]) > 0 ->
            q[Q(s_, g_)]?f;
            if
            :: LOGGED(f) && (f & COPIED) == 0 -> put(s_, to, f)
            :: else
            fi;
            if /* stickiness follows the frame */
            :: (TYPE(f) == OPEN || TYPE(f) == OPENED) && c[C(s_, CH(f))].unknown == g_ ->
                c[C(s_, CH(f))].unknown = to
            :: else
            fi;
            another(s_)
        :: else -> break
        od;
        bury(s_, g_)
    fi
}

/* The rest of a link goes to one other link: the next frame to the same. */
inline another(s_)
{
#ifdef SCATTERED
    i = 0;
    do
    :: i < LINKS && USABLE(s_, i) && i != to -> to = i; break
    :: i < LINKS && !(USABLE(s_, i) && i != to) -> i++
    :: else -> break
    od
#else
    skip
#endif
}

/* A link has become usable: what waited for one goes over it, DEADs first. */
inline use(s_, l_)
{
    k[Q(s_, l_)].state = LIVE;
    to = l_;
    tell(s_);
    g = 0;
    do
    :: g < LINKS ->
        if
        :: k[Q(s_, g)].waits -> settle(s_, g)
        :: else
        fi;
        g++
    :: else -> break
    od
}

inline on_dead(s_, g_)
{
    if
    :: UP(s_, g_) -> give_up(s_, g_); tell(s_); settle(s_, g_)
    :: k[Q(s_, g_)].state == GRAVE && !k[Q(s_, g_)].settled -> settle(s_, g_)
    :: k[Q(s_, g_)].state == NEW ->
        /* A WELCOME that never came: answered with 0, and the id is taken. */
#ifndef NO_ANSWER
        k[Q(s_, g_)].due = true;
#ifndef NOT_REMEMBERED
        k[Q(s_, g_)].settled = true;
        k[Q(s_, g_)].state = GRAVE;
#endif
        tell(s_)
#endif
    :: else /* a repeated DEAD, of a settled link */
    fi
}

/* ---- links are slow ---- */

#if COPIES
/* A DEAD is on its way over the link, or was processed and its ACK is on its way. */
#if LINKS > 3
#define CARRIES(s, l) (k[Q(s, 0)].via == l || k[Q(s, 1)].via == l || k[Q(s, 2)].via == l || k[Q(s, 3)].via == l)
#else
#define CARRIES(s, l) (k[Q(s, 0)].via == l || k[Q(s, 1)].via == l || k[Q(s, 2)].via == l)
#endif

/* The link is suspect: DEADs, and DATA in its log, go again over `to`; credit that is stuck is
 * announced anew. */
inline suspect(s_, l_)
{
    copies--;
    owe_deads(s_, l_);
    tell(s_);
    i = len(q[Q(s_, l_)]);
    do
    :: i > 0 ->
        q[Q(s_, l_)]?f;
        if
        :: MAY_TRAVEL(f) && (f & COPIED) == 0 && c[C(s_, CH(f))].unknown == NONE ->
            put(s_, to, f);
            if
            :: TYPE(f) == DATA -> c[C(s_, CH(f))].twice = c[C(s_, CH(f))].twice | (1 << VALUE(f))
            :: else
            fi;
            f = f | COPIED
        :: TYPE(f) == WINDOW && c[C(s_, CH(f))].is == HERE && c[C(s_, CH(f))].final == NONE ->
            c[C(s_, CH(f))].window_due = true
        :: else
        fi;
        q[Q(s_, l_)]!f;
        i--
    :: else -> break
    od
}
#endif

/* ---- channels end ---- */

/* What nobody looks at any more shall not tell states apart. */
inline forget(x)
{
    c[x].accepted = false; c[x].tx = 0; c[x].rx = 0; c[x].sent = 0; c[x].limit = 0; c[x].next = 0;
    c[x].granted = 0; c[x].got = 0; c[x].high = 0; c[x].final = NONE; c[x].window_due = false;
    c[x].reset_came = false; c[x].unknown = NONE; c[x].landed = NOT_YET
}

inline check_end(s_, x)
{
    if
    :: c[x].final != NONE && c[x].next >= c[x].final && (c[x].rx == RX_DRAINING || c[x].rx == RX_ABORTED) ->
        c[x].rx = RX_ENDED
    :: else
    fi;
    if
    :: c[x].final != NONE -> c[x].window_due = false /* nothing more will come */
    :: else
    fi;
    if
    :: c[x].rx == RX_ENDED && (c[x].tx == TX_FIN_SENT || c[x].tx == TX_RESET_SENT) ->
        /* Without a reset, all that was sent is here, in order. */
        assert(c[x].next == c[x].final && c[x].final == BYTES(PEER(s_), ch) || resets < RESETS);
        c[x].is = GONE;
        forget(x);
#ifdef ONE_AT_A_TIME
        channels_due = channels_due || s_ == SERVER
#endif
    :: else
    fi
}

/* ---- frames come in ---- */

inline on_byte(s_, x, at)
{
    assert(at < c[x].granted);                     /* flow control */
    assert(c[x].final == NONE || at < c[x].final); /* final size */
    c[x].high = (c[x].high > at -> c[x].high : at + 1);
    if
    :: c[x].rx == RX_DISCARDING || c[x].rx == RX_ENDED
    :: else ->
        /* Twice only what was copied; the first copy counts. */
        assert((c[x].got & (1 << at)) == 0 || (c[C(PEER(s_), ch)].twice & (1 << at)) != 0);
        c[x].got = c[x].got | (1 << at);
        do
        :: (c[x].got & (1 << c[x].next)) != 0 -> c[x].next++; c[x].window_due = true
        :: else -> break
        od
    fi
}

inline on_final(x, size)
{
    assert(size >= c[x].high && size <= c[x].granted);
    assert(c[x].final == NONE || c[x].final == size);
    c[x].final = size;
    c[x].high = size
}

inline on_fin(x, size)
{
    on_final(x, size);
    if
    :: c[x].rx == RX_OPEN -> c[x].rx = RX_DRAINING
    :: c[x].rx == RX_DISCARDING -> c[x].rx = RX_ENDED
    :: else
    fi
}

inline on_reset(x, size)
{
    assert(!c[x].reset_came);
    on_final(x, size);
    c[x].reset_came = true;
    if
    :: c[x].rx == RX_OPEN || c[x].rx == RX_DRAINING -> c[x].rx = RX_ABORTED
    :: c[x].rx == RX_DISCARDING -> c[x].rx = RX_ENDED
    :: else
    fi;
    c[x].tx = (c[x].tx == TX_OPEN -> TX_RESET_DUE : c[x].tx)
}

/* Credit is absolute; frames sent again may come late: the greatest counts. */
#ifdef LATEST_COUNTS
#define RAISED(limit, value) (value)
#else
#define RAISED(limit, value) ((value) > limit -> (value) : limit)
#endif

inline on_channel(s_, x)
{
    assert(c[x].is != ABSENT);
    if
    :: c[x].is == GONE
    :: else ->
        if /* whatever comes for a channel that we opened shows that the peer knows it */
        :: OPENER(ch) == s_ -> c[x].unknown = NONE; c[x].landed = NOT_YET
        :: else
        fi;
        if
        :: TYPE(f) == OPENED ->
            assert(!c[x].accepted);
            c[x].accepted = true;
            c[x].limit = RAISED(c[x].limit, VALUE(f))
        :: TYPE(f) == DATA ->
            on_byte(s_, x, VALUE(f));
            if
            :: VALUE(f) + 1 == BYTES(PEER(s_), ch) -> on_fin(x, VALUE(f) + 1)
            :: else
            fi
        :: TYPE(f) == FIN -> on_fin(x, 0)
        :: TYPE(f) == WINDOW -> c[x].limit = RAISED(c[x].limit, VALUE(f))
#if RESETS
        :: TYPE(f) == RESET -> on_reset(x, VALUE(f))
#endif
        fi;
        check_end(s_, x)
    fi
}

inline on_open(s_, x)
{
    assert(c[x].is == ABSENT); /* dialled once */
    c[x].is = HERE;
    c[x].limit = WINDOW_SIZE;
    c[x].granted = EARLY
}

/* The sender's frame has been processed; it learns that by an ACK, or by DEAD. */
inline has_landed(s_, l_)
{
    if
    :: (TYPE(f) == OPEN || TYPE(f) == OPENED) && c[C(s_, CH(f))].unknown == l_ ->
        c[C(s_, CH(f))].landed = OWES_ACK
#ifdef DEAD_UNACKED
    :: TYPE(f) == DEAD && k[Q(s_, VALUE(f))].via == l_ -> k[Q(s_, VALUE(f))].landed = PROCESSED
#else
    :: TYPE(f) == DEAD && k[Q(s_, VALUE(f))].via == l_ -> k[Q(s_, VALUE(f))].landed = OWES_ACK
#endif
    :: else
    fi;
#ifdef DEAD_UNACKED
    i = 0; /* a logged message obliges an ACK, which covers everything before */
    do
    :: i < LINKS && LOGGED(f) && k[Q(s_, i)].via == l_ && k[Q(s_, i)].landed == PROCESSED ->
        k[Q(s_, i)].landed = OWES_ACK
    :: i < LINKS && !(LOGGED(f) && k[Q(s_, i)].via == l_ && k[Q(s_, i)].landed == PROCESSED) -> i++
    :: else -> break
    od
#endif
}

inline process(s_, l_)
{
    q[Q(PEER(s_), l_)]?f;
    ch = CH(f);
    g = VALUE(f);
    has_landed(PEER(s_), l_);
    if
    :: TYPE(f) == LINK -> use(s_, l_)
    :: TYPE(f) == DEAD ->
        assert(g != l_); /* who gave it up would not send over it */
        on_dead(s_, g)
    :: TYPE(f) == OPEN -> on_open(s_, C(s_, ch))
#ifdef ONE_AT_A_TIME
    :: TYPE(f) == CHANNELS -> open_limit = RAISED(open_limit, VALUE(f))
#endif
    :: TYPE(f) > OPEN && TYPE(f) < CHANNELS -> on_channel(s_, C(s_, ch))
    fi
}

/* ---- who acts; every step is atomic ---- */

#ifdef READS_ON
#define READS(s, l) (k[Q(s, l)].state != NEW)
#else
#define READS(s, l) UP(s, l)
#endif

/* Nobody has noticed yet. Once one side has given a link up, the other notices in time. */
#define WHOLE(s, l) (UP(s, l) || k[Q(s, l)].state == NEW)
/* Links 0 and 1 are alike: let 0 be the one that dies first. */
#define FIRST(l) (l != 1 || !UP(CLIENT, 0) || !UP(SERVER, 0))

#define MAY_DIE(s, l) (UP(s, l) && (deaths > 0 && FIRST(l) || !WHOLE(PEER(s), l)))

inline lose(s_, l_)
{
    deaths = deaths - WHOLE(PEER(s_), l_);
    give_up(s_, l_)
}

/* One side of one link. */
proctype Carrier(byte s, l)
{
end:
    do
    :: atomic {
        READS(s, l) && len(q[Q(PEER(s), l)]) > 0 ->
        q[Q(PEER(s), l)]?<f>;
        if
        :: TYPE(f) == DEAD -> choose(s, VALUE(f))
        :: TYPE(f) == DEAD && MAY_DIE(s, l) && COUNT(USABLE, s) == 1 ->
            to = NONE /* l, the last one, is given up in the middle of this message */
        :: TYPE(f) != DEAD
        fi;
        d_step {
            process(s, l);
            if
            :: to == NONE -> lose(s, l)
            :: else
            fi;
            CLEAR
        }
       }
    :: atomic {
        MAY_DIE(s, l) ->
        if
        :: COUNT(USABLE, s) > USABLE(s, l) -> choose(s, l)
#if DEATHS > 1
        :: else -> to = NONE
#endif
        fi;
        d_step { lose(s, l); tell(s); CLEAR }
       }
    /* An ACK covers our DEAD for l. */
    :: d_step {
        k[Q(s, l)].landed == OWES_ACK && USABLE(s, k[Q(s, l)].via) ->
        k[Q(s, l)].via = NONE;
        k[Q(s, l)].landed = NOT_YET;
        bury(s, l)
       }
    /* WELCOME goes out; it comes in: the client speaks first. */
    :: d_step {
        s == SERVER && k[Q(s, l)].state == NEW && k[Q(s, l - 1)].state != NEW && COUNT(UP, s) < 2 ->
        k[Q(s, l)].state = QUIET
       }
    :: d_step {
        s == CLIENT && k[Q(s, l)].state == NEW && k[Q(SERVER, l)].state != NEW ->
        put(s, l, FRAME(LINK, 0, 0));
        use(s, l);
        CLEAR
       }
#if COPIES
    :: atomic {
        copies > 0 && USABLE(s, l) && (len(q[Q(s, l)]) > 0 || CARRIES(s, l)) && COUNT(USABLE, s) > 1 ->
        choose(s, l);
        d_step { suspect(s, l); CLEAR }
       }
#endif
    od
}

#define ME        c[C(s, n)]
#define MAY(s, l) MAY_USE(s, n, l)
#define MAY_SEND  (ME.is == HERE && COUNT(MAY, s) > 0)

/* Puts f, of channel n, into a link that it may use. */
inline send(s_)
{
    if
    :: MAY(s_, 0) -> to = 0
    :: MAY(s_, 1) -> to = 1
    :: MAY(s_, 2) -> to = 2
#if LINKS > 3
    :: MAY(s_, 3) -> to = 3
#endif
    fi;
    put(s_, to, f)
}

#ifdef ONE_AT_A_TIME
#define MAY_OPEN (n < open_limit && (n == 0 || c[C(s, 0)].is != ABSENT))
#else
#define MAY_OPEN (n < CHANNELS_OPEN)
#endif

/* One side of one channel. */
proctype Flow(byte s, n)
{
end:
    do
    :: atomic {
        OPENER(n) == s && ME.is == ABSENT && MAY_OPEN && COUNT(USABLE, s) > 0 ->
        ME.is = HERE;
        ME.granted = WINDOW_SIZE;
        ME.limit = EARLY;
        f = FRAME(OPEN, n, 0);
        send(s);
        ME.unknown = to;
        CLEAR
       }
    :: atomic {
        MAY_SEND && OPENER(n) != s && !ME.accepted && ME.tx == TX_OPEN ->
        ME.accepted = true;
        ME.granted = ME.next + WINDOW_SIZE;
        f = FRAME(OPENED, n, ME.granted);
        send(s);
        ME.unknown = to;
        CLEAR
       }
    :: atomic {
        MAY_SEND && ME.tx == TX_OPEN && (OPENER(n) == s || ME.accepted) &&
        (BYTES(s, n) == 0 || ME.sent < ME.limit) ->
        f = (BYTES(s, n) == 0 -> FRAME(FIN, n, 0) : FRAME(DATA, n, ME.sent));
        send(s);
        d_step {
            ch = n;
            ME.sent = ME.sent + (BYTES(s, n) > 0);
            if
            :: ME.sent == BYTES(s, n) -> ME.tx = TX_FIN_SENT; check_end(s, C(s, n))
            :: else
            fi;
            CLEAR
        }
       }
#if BYTES0 > 1 || BYTES1 > 1
    :: atomic {
        MAY_SEND && ME.window_due ->
        ME.window_due = false;
        ME.granted = ME.next + WINDOW_SIZE;
        f = FRAME(WINDOW, n, ME.granted);
        send(s);
        CLEAR
       }
#endif
    /* An ACK covers OPEN or OPENED. */
    :: d_step {
        ME.landed == OWES_ACK && USABLE(s, ME.unknown) ->
        ME.unknown = NONE;
        ME.landed = NOT_YET
       }
#if RESETS
    :: atomic {
        MAY_SEND && ME.tx == TX_RESET_DUE ->
        f = FRAME(RESET, n, ME.sent);
        send(s);
        d_step { ch = n; ME.tx = TX_RESET_SENT; check_end(s, C(s, n)); CLEAR }
       }
    :: d_step {
        resets > 0 && ME.is == HERE && (ME.tx == TX_OPEN || ME.tx == TX_FIN_SENT && ME.rx == RX_OPEN) ->
        resets--;
        ME.tx = TX_RESET_DUE;
        ME.rx = (ME.rx == RX_OPEN -> RX_DISCARDING : RX_ENDED);
        ME.window_due = false;
        ME.got = 0
       }
#endif
    od
}

#ifdef ONE_AT_A_TIME
proctype Grantor()
{
end:
    do
    :: atomic {
        channels_due && COUNT(USABLE, SERVER) > 0 ->
        channels_due = false;
        f = FRAME(CHANNELS, 0, 1 + (c[C(SERVER, 0)].is == GONE) + (c[C(SERVER, 1)].is == GONE));
        choose(SERVER, NONE);
        put(SERVER, to, f);
        CLEAR
       }
    od
}
#endif

/* ---- and what must be true when nothing is left to do ---- */

inline judge(s_)
{
    assert(c[C(s_, 0)].is == GONE);
    assert(c[C(s_, 1)].is == GONE || CHANNELS_OPEN < 2);
    i = 0;
    do
    :: i < LINKS ->
        assert(len(q[Q(s_, i)]) == 0);
        assert(!k[Q(s_, i)].due && !k[Q(s_, i)].waits);
        assert(k[Q(s_, i)].state == NEW || k[Q(s_, i)].state == LIVE || k[Q(s_, i)].state == FREED);
        i++
    :: else -> break
    od
}

proctype Judge()
{
    do
    /* From here on nothing goes wrong any more: so nothing is saved by another death. */
    :: d_step { deaths > 0 -> deaths = 0 }
#if COPIES
    :: d_step { copies > 0 -> copies = 0 }
#endif
    :: atomic { timeout -> d_step { judge(CLIENT); judge(SERVER); CLEAR }; break }
    od
}

init
{
    d_step {
        do
        :: i < 2 * LINKS -> k[i].via = NONE; i++
        :: else -> break
        od;
        k[Q(CLIENT, 0)].state = LIVE; k[Q(SERVER, 0)].state = LIVE;
        k[Q(CLIENT, 1)].state = LIVE; k[Q(SERVER, 1)].state = LIVE;
        i = 0;
        do
        :: i < 4 -> c[i].unknown = NONE; c[i].final = NONE; i++
        :: else -> break
        od;
        i = 0
    };
    atomic {
        run Carrier(CLIENT, 0); run Carrier(CLIENT, 1); run Carrier(CLIENT, 2);
        run Carrier(SERVER, 0); run Carrier(SERVER, 1); run Carrier(SERVER, 2);
#if LINKS > 3
        run Carrier(CLIENT, 3); run Carrier(SERVER, 3);
#endif
        run Flow(CLIENT, 0); run Flow(SERVER, 0);
#if CHANNELS_OPEN > 1
        run Flow(CLIENT, 1); run Flow(SERVER, 1);
#endif
#ifdef ONE_AT_A_TIME
        run Grantor();
#endif
        run Judge()
    }
}
