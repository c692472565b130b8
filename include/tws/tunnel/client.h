/*
 * client.h - the client: local listeners, a session with the server, and a pool of links kept up
 * for ever. Network errors never end it; it retries, and says once per change what is wrong.
 *
 * One object per process. All of it runs on `loop`; no call blocks.
 */
#ifndef TWS_TUNNEL_CLIENT_H
#define TWS_TUNNEL_CLIENT_H

#include "tws/base/err.h"
#include "tws/net/loop.h"
#include "tws/net/socket.h"
#include "tws/tunnel/config.h"
#include "tws/ws/upgrade.h"

struct tws_client;

/*
 * Opens every forward's listener and starts to dial. `loop` and `ws` outlive the client; `cfg` is
 * borrowed until tws_client_free() or a successful reload. TWS_SYS: a listener could not be
 * opened (which one and why is logged); TWS_NOMEM.
 */
TWS_MUST_USE tws_err tws_client_new(struct tws_loop *loop, struct tws_ws *ws,
                                    const struct tws_client_config *cfg, struct tws_client **out);
/* Ends everything at once: listeners, channels (RST), links. NULL is fine. */
void tws_client_free(struct tws_client *c);

/*
 * Takes the next configuration: listeners that are in both stay, new ones open, others close;
 * running channels stay. Another server, key or way to it makes a new session, and the old one
 * drains. As tws_client_new() on failure, and then nothing has changed and the old configuration
 * stays borrowed; on success the old one is no longer used.
 */
TWS_MUST_USE tws_err tws_client_reload(struct tws_client *c, const struct tws_client_config *cfg);

/* Forgets back-off: dials every missing link now (network change, SIGUSR). */
void tws_client_redial(struct tws_client *c);

/* `settled`: nothing was cut off, every byte was acknowledged. */
typedef void tws_drained_fn(void *arg, bool settled);
/*
 * Accepts no more, and calls on_done() once when no channel is left or drain_ms has passed,
 * never before this returns. The callee may call tws_client_free().
 */
void tws_client_drain(struct tws_client *c, tws_drained_fn *on_done, void *arg);

/* `clean`: both sides finished; otherwise the reason was logged. */
typedef void tws_client_end_fn(void *arg, bool clean);
/*
 * Carries `in` and `out` to the target that the configuration has for stdio: one channel, opened
 * when a link is up. on_end(arg, ...) comes once, when it is over, or when there was no link for
 * connect_timeout; never before this returns. Once for a client. TWS_SYS: a descriptor cannot be
 * used; TWS_NOMEM.
 */
TWS_MUST_USE tws_err tws_client_serve_stdio(struct tws_client *c, int in, int out,
                                            tws_client_end_fn *on_end, void *arg);

/* One line for the service manager: "2 of 2 links up, 17 channels". */
void tws_client_status(const struct tws_client *c, char *out, size_t cap);

struct tws_client_stats {
    uint32_t links, links_wanted, channels, waiting, sessions;
    uint64_t bytes_sent, bytes_received; /* of channels, since the start */
    uint64_t channels_opened, links_lost, dials_failed;
    uint64_t sessions_cut; /* ended before the peer had acknowledged everything */
};
struct tws_client_stats tws_client_stats(const struct tws_client *c);

/* The address forward `i` listens on (its port when the configuration says 0). */
void tws_client_forward_address(const struct tws_client *c, size_t i, struct tws_sockaddr *out);

#endif
