/*
 * spot.h - a spot: where a forward listens, or where it leads, as its user writes it.
 *
 *      127.0.0.1:8080   [::1]:8080   example.com:80     an address or a name, and a port
 *      *:8080   :8080                                  every address (to listen)
 *      127.0.0.1:8000-8010                             a range of ports
 *      unix:/run/app.sock   unix:@name                 a unix socket; @: abstract
 *      fd:NAME                                         what the service manager opened (to listen)
 *      stdio                                           stdin and stdout (to listen)
 *
 * Only the form is judged here; nothing is resolved or opened.
 */
#ifndef TWS_PROTO_SPOT_H
#define TWS_PROTO_SPOT_H

#include "tws/base/addr.h"

#define TWS_SPOT_PATH_MAX  107  /* what a sockaddr_un holds with its NUL */
#define TWS_SPOT_PORTS_MAX 1024 /* of one range */
#define TWS_SPOT_TEXT      (TWS_HOST_MAX + 16)

enum tws_spot_type {
    TWS_SPOT_NONE,
    TWS_SPOT_INET,
    TWS_SPOT_UNIX,
    TWS_SPOT_FD,
    TWS_SPOT_STDIO,
};

enum tws_spot_use { TWS_SPOT_LISTEN, TWS_SPOT_TARGET };

struct tws_spot {
    uint8_t type;
    char name[TWS_HOST_MAX + 1]; /* host without brackets, "" for every address; path; fd's name */
    uint16_t port, last;         /* TWS_SPOT_INET: the range's ends, the same for a single port */
};

/*
 * TWS_ABSENT: `text` is no spot of that use; *why says what is wrong (a constant). Port 0 is taken
 * to listen, not in a range.
 */
TWS_MUST_USE tws_err tws_spot_parse(const char *text, enum tws_spot_use use, struct tws_spot *out,
                                    const char **why);
/* The canonical text, which reads back the same. `cap` at least TWS_SPOT_TEXT. */
void tws_spot_format(const struct tws_spot *s, char *out, size_t cap);
/* Ports of the range; 1 for anything else. */
unsigned tws_spot_count(const struct tws_spot *s);
/* The i-th port of an INET spot by itself. */
void tws_spot_hostport(const struct tws_spot *s, unsigned i, struct tws_hostport *out);
/* The spot of one port. */
struct tws_spot tws_spot_of(const struct tws_hostport *hp);
/* Whether both would listen at a same place: equal text of host or name, ports that overlap. */
bool tws_spot_overlaps(const struct tws_spot *a, const struct tws_spot *b);

#endif
