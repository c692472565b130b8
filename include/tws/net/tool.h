/*
 * tool.h - runs one of the system's own programs (nft, ip) to its end: a text on its standard
 * input, and what it writes comes back. No shell has a part in it.
 *
 * It blocks, for TWS_TOOL_SECONDS at most: it is for the moments when the answer decides what comes
 * next (start, reload, end), not for the data path.
 */
#ifndef TWS_NET_TOOL_H
#define TWS_NET_TOOL_H

#include "tws/base/err.h"

#include <stddef.h>

#define TWS_TOOL_ARGUMENTS 16 /* with NULL */
#define TWS_TOOL_SECONDS   10
#define TWS_TOOL_OUTPUT    (1u << 20) /* more is not kept */

struct tws_tool_result {
    int status;   /* its exit status; 128 and the signal's number if that ended it */
    char *output; /* both of its outputs, with NUL; owned */
};

/*
 * Runs argv[0] (the list ends with NULL), which is looked for in PATH, unless this process has more
 * rights than who started it, and then where administrators' tools are. It has our CAP_NET_ADMIN,
 * an environment of PATH and LC_ALL=C, and no descriptor of ours.
 *
 * TWS_OK: it ran; r->output is to be freed. TWS_SYS: ENOENT, it is not installed; ETIMEDOUT, it was
 * killed; others. TWS_NOMEM.
 */
TWS_MUST_USE tws_err tws_tool_run(const char *const argv[], const char *input,
                                  struct tws_tool_result *r);

/* The first line of an output, without control characters, to quote in a message. */
void tws_tool_complaint(const struct tws_tool_result *r, char *out, size_t cap);

#endif
