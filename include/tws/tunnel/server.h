/*
 * server.h - the server: takes WebSocket upgrades, knows its users, holds their sessions while
 * their links come and go, and dials what the users' rules allow.
 *
 * One object per process. All of it runs on `loop`; no call blocks.
 */
#ifndef TWS_TUNNEL_SERVER_H
#define TWS_TUNNEL_SERVER_H

#include "tws/base/err.h"
#include "tws/net/loop.h"
#include "tws/net/socket.h"
#include "tws/tunnel/config.h"
#include "tws/ws/upgrade.h"

struct tws_server;

/*
 * Starts to listen. `loop` and `ws` outlive the server; `cfg` is borrowed until tws_server_free()
 * or a successful reload. TWS_SYS: the address could not be bound (logged); TWS_CONFIG: the
 * certificate is of no use (logged); TWS_NOMEM.
 */
TWS_MUST_USE tws_err tws_server_new(struct tws_loop *loop, struct tws_ws *ws,
                                    const struct tws_server_config *cfg, struct tws_server **out);
/* Ends everything at once: the listener, sessions (CLOSE on every link), targets (RST). */
void tws_server_free(struct tws_server *s);

/*
 * Takes the next configuration. Sessions of a key that is gone end with code 18; other running
 * channels stay; changed rules and limits hold for new channels. The certificate is read anew, for
 * links that come from now on; links that are there stay. Another `listen`, `path`, `decoy`
 * or list of trusted proxies needs a restart, and a warning says so. TWS_CONFIG (a
 * certificate that is of no use, logged), TWS_NOMEM: nothing has changed and the old configuration
 * stays borrowed; on success the old one is no longer used.
 */
TWS_MUST_USE tws_err tws_server_reload(struct tws_server *s, const struct tws_server_config *cfg);

/* `settled`: nothing was cut off, every byte was acknowledged. */
typedef void tws_drained_fn(void *arg, bool settled);
/*
 * Accepts no more links and channels, tells every client (GOAWAY), and calls on_done() once
 * when no channel is left or drain_ms has passed, never before this returns. The callee may call
 * tws_server_free().
 */
void tws_server_drain(struct tws_server *s, tws_drained_fn *on_done, void *arg);

/* One line for the service manager: "12 sessions, 24 links, 310 channels". */
void tws_server_status(const struct tws_server *s, char *out, size_t cap);

struct tws_server_stats {
    uint32_t sessions, links, channels;
    uint64_t bytes_sent, bytes_received; /* of channels, since the start */
    uint64_t channels_opened, handshakes_refused;
};
struct tws_server_stats tws_server_stats(const struct tws_server *s);

#endif
