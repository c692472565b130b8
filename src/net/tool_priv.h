/* tool_priv.h - tool.h, with a limit that a test has the patience for. */
#ifndef TWS_NET_TOOL_PRIV_H
#define TWS_NET_TOOL_PRIV_H

#include "tws/net/tool.h"

/* tws_tool_run() for so many milliseconds at most. */
TWS_MUST_USE tws_err tws_tool_run_for(unsigned limit_ms, const char *const argv[],
                                      const char *input, struct tws_tool_result *r);

#endif
