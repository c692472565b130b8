/* code.h - reason codes on the wire; WebSocket close codes are 4400 + code. */
#ifndef TWS_PROTO_CODE_H
#define TWS_PROTO_CODE_H

#include <stdint.h>

enum tws_code {
    TWS_CODE_NONE = 0,
    TWS_CODE_PROTOCOL = 1,
    TWS_CODE_INTERNAL = 2,
    TWS_CODE_FLOW = 3,
    TWS_CODE_FINAL_SIZE = 4,
    TWS_CODE_TOO_BIG = 5,
    TWS_CODE_STATE = 6,
    TWS_CODE_EXCESS = 7,
    TWS_CODE_FORBIDDEN = 8,
    TWS_CODE_RESOLVE = 9,
    TWS_CODE_REFUSED = 10,
    TWS_CODE_UNREACHABLE = 11,
    TWS_CODE_TIMEOUT = 12,
    TWS_CODE_TARGET_RESET = 13,
    TWS_CODE_RESOURCES = 14,
    TWS_CODE_IDLE = 15,
    TWS_CODE_SHUTDOWN = 16,
    TWS_CODE_SERVER_RESTARTED = 17,
    TWS_CODE_REVOKED = 18,
    TWS_CODE_AUTH = 19,
    TWS_CODE_FRAGMENTED = 20,
    TWS_CODE_END,
};

#define TWS_WS_CLOSE_BASE 4400

/* A short text for logs, "code" for one we do not know; never NULL. */
const char *tws_code_text(uint16_t code);

#endif
