/*
 * err.h - the one error type.
 *
 * An error says by its group what dies. Lower layers only return it; one function per owner turns
 * it into a death, and logs it there, once.
 *
 * Errors that a peer's bytes can cause carry the wire reason code they are answered with
 * (tws_err_code(); the codes are listed in docs/protocol.md).
 */
#ifndef TWS_BASE_ERR_H
#define TWS_BASE_ERR_H

#include <stdint.h>

#define TWS_MUST_USE __attribute__((warn_unused_result))

typedef enum tws_err {
    TWS_OK = 0,
    /* Nothing is wrong, nothing dies. */
    TWS_SHORT,   /* the input is a proper prefix of something valid: bring more bytes */
    TWS_BLOCKED, /* not now: try again after the next event                          */
    TWS_ABSENT,  /* what was asked for does not exist                                */
    TWS_FULL,    /* a limit given at creation is reached                             */
    /* The peer is wrong: its session ends. */
    TWS_E_PROTOCOL,
    TWS_E_FLOW,
    TWS_E_FINAL_SIZE,
    TWS_E_TOO_BIG,
    TWS_E_STATE,
    TWS_E_EXCESS,
    TWS_E_AUTH,
    TWS_E_FRAGMENTED,
    /* We are short of something. */
    TWS_NOMEM,
    TWS_SYS,    /* errno holds the reason and survives until the caller read it */
    TWS_CONFIG, /* the configuration is wrong; the message went out already     */
    TWS_USAGE,  /* the command line is wrong; the message went out already      */
    TWS_BUG,    /* our own state is wrong; the process must not go on            */
    TWS_ERR_END,
} tws_err;

/* The wire reason code (docs/protocol.md, "Codes") that stands for `err`; 2, internal, if none. */
uint16_t tws_err_code(tws_err err);

/* A short static text for logs; never NULL. */
const char *tws_err_text(tws_err err);

#endif
