/*
 * greeting_priv.h - a local connection whose first bytes say where it comes from (PROXY protocol)
 * or where it goes: they are read, and answered if the protocol wants that, until the connection is
 * an arrival or is sent away.
 *
 * Bounded: a connection has TWS_GREETING_US and TWS_GREETING_MAX bytes; of TWS_GREETINGS_MAX
 * connections the one that has taken longest goes when another comes.
 */
#ifndef TWS_TUNNEL_GREETING_PRIV_H
#define TWS_TUNNEL_GREETING_PRIV_H

#include "arrival_priv.h"
#include "parting_priv.h"
#include "source_limit_priv.h"

#include "tws/base/list.h"
#include "tws/net/loop.h"
#include "tws/tunnel/config.h"

#define TWS_GREETING_US   10000000u
#define TWS_GREETING_MAX  8192u
#define TWS_GREETINGS_MAX 4096u

struct tws_greeting;

enum tws_greet {
    TWS_GREET_MORE, /* bring more bytes, behind those that were not used */
    TWS_GREET_DONE, /* g->arrival says where it goes; what was not used is the stream's */
    TWS_GREET_FAIL, /* it ends here, for g->why; the last words were said */
};

/* One protocol. */
struct tws_greeter {
    const char *name; /* for the log */
    /*
     * Looks at the bytes that came and were not used yet, and sets *used, which is 0, to how many
     * it is done with. While it uses some and wants more it is called again at once.
     */
    enum tws_greet (*read)(struct tws_greeting *g, struct tws_span in, size_t *used);
    /* Says the last words to who sent too much (TWS_FULL) or took too long (TWS_BLOCKED). NULL:
     * there are none. */
    void (*give_up)(struct tws_greeting *g, tws_err why);
};

struct tws_greeting {
    /* For greeters: */
    const struct tws_forward *const *conf; /* what to go by; another one after a reload */
    struct tws_arrival arrival;            /* descriptor and source are there already */
    unsigned stage;                        /* the greeter's own, 0 at first */
    const char *why;

    /* greeting.c's: */
    struct tws_node greeting_node;
    struct tws_greetings *greetings;
    const struct tws_greeter *greeter;
    const struct tws_greeter *next; /* behind the header; NULL: the arrival is known */
    void *owner;
    struct tws_io io;
    struct tws_timer timer;
    uint8_t *buf;
    size_t n, cap;
    bool emptied; /* the last read took all that there was */
    bool unheard; /* the client did not take what was said */
};

/* Sends at once; a client that does not take it is sent away. */
void tws_greeting_say(struct tws_greeting *g, const void *words, size_t n);

/* The stream begins with these instead of the first `used` bytes that came, and behind them with
 * at most `rest` of those that follow. False: out of memory. The greeter returns at once, with
 * *used 0: what it was given is no longer there. */
bool tws_greeting_replace(struct tws_greeting *g, size_t used, struct tws_span by, size_t rest);

struct tws_greetings {
    struct tws_loop *loop;
    struct tws_partings *partings;
    /* Takes the descriptor; `a` and its bytes are borrowed. */
    void (*on_done)(void *owner, const struct tws_arrival *a);
    struct tws_node list; /* struct tws_greeting, oldest first */
    uint32_t n;
    struct tws_source_limit limit;
};

/* One connection; `greeter` and what `conf` points to last as long as `owner`. */
struct tws_greeting_config {
    struct tws_arrival arrival; /* as much as is known */
    bool has_header;            /* a PROXY protocol header comes first */
    /* NULL: nothing but the header is read, and the arrival is known already. */
    const struct tws_greeter *greeter;
    const struct tws_forward *const *conf;
    void *owner;
};

void tws_greetings_init(struct tws_greetings *all, struct tws_loop *loop,
                        struct tws_partings *partings,
                        void (*on_done)(void *owner, const struct tws_arrival *a));
/* Takes the descriptor; on_done() may be called before this returns. */
void tws_greeting_start(struct tws_greetings *all, const struct tws_greeting_config *cfg);
/* Closes those of `owner`; NULL: all. */
void tws_greetings_drop(struct tws_greetings *all, const void *owner);

#endif
