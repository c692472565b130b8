/* err.c - see err.h; one row per error. */
#include "tws/base/err.h"

#include <stddef.h>

struct row {
    const char *text;
    enum tws_scope scope;
    uint16_t code;
};

static const struct row rows[TWS_ERR_END] = {
    [TWS_OK] = {"no error", TWS_SCOPE_NONE, 0},
    [TWS_SHORT] = {"more bytes needed", TWS_SCOPE_NONE, 1},
    [TWS_BLOCKED] = {"not now", TWS_SCOPE_NONE, 2},
    [TWS_ABSENT] = {"not there", TWS_SCOPE_NONE, 2},
    [TWS_FULL] = {"limit reached", TWS_SCOPE_NONE, 14},
    [TWS_E_PROTOCOL] = {"protocol error", TWS_SCOPE_SESSION, 1},
    [TWS_E_FLOW] = {"flow control violated", TWS_SCOPE_SESSION, 3},
    [TWS_E_FINAL_SIZE] = {"final size changed", TWS_SCOPE_SESSION, 4},
    [TWS_E_TOO_BIG] = {"message too big", TWS_SCOPE_SESSION, 5},
    [TWS_E_STATE] = {"frame not allowed in this state", TWS_SCOPE_SESSION, 6},
    [TWS_E_EXCESS] = {"flood", TWS_SCOPE_SESSION, 7},
    [TWS_E_AUTH] = {"authentication failed", TWS_SCOPE_SESSION, 19},
    [TWS_E_FRAGMENTED] = {"too many gaps", TWS_SCOPE_SESSION, 20},
    [TWS_NOMEM] = {"out of memory", TWS_SCOPE_SESSION, 14},
    [TWS_SYS] = {"system error", TWS_SCOPE_NONE, 2},
    [TWS_CONFIG] = {"configuration error", TWS_SCOPE_PROCESS, 2},
    [TWS_USAGE] = {"usage error", TWS_SCOPE_PROCESS, 2},
    [TWS_BUG] = {"bug", TWS_SCOPE_PROCESS, 2},
};

static const struct row *row(tws_err err)
{
    return &rows[(unsigned)err < TWS_ERR_END ? err : TWS_BUG];
}

enum tws_scope tws_err_scope(tws_err err)
{
    return row(err)->scope;
}

uint16_t tws_err_code(tws_err err)
{
    return row(err)->code;
}

const char *tws_err_text(tws_err err)
{
    return row(err)->text;
}
