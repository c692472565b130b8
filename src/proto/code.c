/* code.c - see code.h. */
#include "tws/proto/code.h"

static const char *const texts[TWS_CODE_END] = {
    [TWS_CODE_NONE] = "none",
    [TWS_CODE_PROTOCOL] = "protocol error",
    [TWS_CODE_INTERNAL] = "internal error",
    [TWS_CODE_FLOW] = "flow control violated",
    [TWS_CODE_FINAL_SIZE] = "final size changed",
    [TWS_CODE_TOO_BIG] = "message too big",
    [TWS_CODE_STATE] = "wrong channel state",
    [TWS_CODE_EXCESS] = "flood",
    [TWS_CODE_FORBIDDEN] = "forbidden",
    [TWS_CODE_RESOLVE] = "name not resolved",
    [TWS_CODE_REFUSED] = "connection refused",
    [TWS_CODE_UNREACHABLE] = "unreachable",
    [TWS_CODE_TIMEOUT] = "timed out",
    [TWS_CODE_TARGET_RESET] = "reset by target",
    [TWS_CODE_RESOURCES] = "out of resources",
    [TWS_CODE_IDLE] = "idle",
    [TWS_CODE_SHUTDOWN] = "shutting down",
    [TWS_CODE_SERVER_RESTARTED] = "session unknown, server restarted",
    [TWS_CODE_REVOKED] = "key revoked",
    [TWS_CODE_AUTH] = "authentication failed",
    [TWS_CODE_FRAGMENTED] = "too many gaps",
};

const char *tws_code_text(uint16_t code)
{
    return code < TWS_CODE_END ? texts[code] : "code";
}
