/* err.c - see err.h; one row per error. */
#include "tws/base/err.h"

#include <stddef.h>

struct row {
    const char *text;
    uint16_t code;
};

static const struct row rows[TWS_ERR_END] = {
    [TWS_OK] = {"no error", 0},
    [TWS_SHORT] = {"more bytes needed", 1},
    [TWS_BLOCKED] = {"not now", 2},
    [TWS_ABSENT] = {"not there", 2},
    [TWS_FULL] = {"limit reached", 14},
    [TWS_E_PROTOCOL] = {"protocol error", 1},
    [TWS_E_FLOW] = {"flow control violated", 3},
    [TWS_E_FINAL_SIZE] = {"final size changed", 4},
    [TWS_E_TOO_BIG] = {"message too big", 5},
    [TWS_E_STATE] = {"frame not allowed in this state", 6},
    [TWS_E_EXCESS] = {"flood", 7},
    [TWS_E_AUTH] = {"authentication failed", 19},
    [TWS_E_FRAGMENTED] = {"too many gaps", 20},
    [TWS_NOMEM] = {"out of memory", 14},
    [TWS_SYS] = {"system error", 2},
    [TWS_CONFIG] = {"configuration error", 2},
    [TWS_USAGE] = {"usage error", 2},
    [TWS_BUG] = {"bug", 2},
};

static const struct row *row(tws_err err)
{
    return &rows[(unsigned)err < TWS_ERR_END ? err : TWS_BUG];
}

uint16_t tws_err_code(tws_err err)
{
    return row(err)->code;
}

const char *tws_err_text(tws_err err)
{
    return row(err)->text;
}
