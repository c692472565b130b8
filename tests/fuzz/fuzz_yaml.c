/*
 * fuzz_yaml.c - the reader of configuration files: whatever a file holds, it is read or refused
 * with a complaint, twice the same way, and what was read is within the table's ranges.
 *
 * Input: u8 kind (0 client, 1 server, 2 keys file), then the file.
 */
#include "tws/app/config.h"
#include "tws/app/settings.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(c) ((c) ? (void)0 : abort())

/* A digest of all complaints. */
static void mix(void *ctx, enum tws_log_level level, const char *line)
{
    uint64_t *sum = ctx;

    REQUIRE(strncmp(line, "f:", 2) == 0);
    for (*sum ^= (uint64_t)level; *line != '\0'; line++)
        *sum = (*sum ^ (uint8_t)*line) * 0x100000001b3u;
}

static void check_ranges(const struct tws_settings *s)
{
    REQUIRE(s->connections >= 1 && s->connections <= 16);
    REQUIRE(s->timeout_ms >= 100 && s->grace_ms >= 1000);
    REQUIRE(s->max_message >= 2048 && s->max_message <= 65535);
    REQUIRE(s->memory >= (4u << 20));
    REQUIRE(s->encrypt <= 3 && s->log >= 1 && s->log <= 5);
}

static uint64_t read_settings(unsigned who, const char *text, size_t n)
{
    uint64_t sum = 0;
    struct tws_diag diag = {.emit = mix, .ctx = &sum};
    struct tws_settings s;
    tws_err err = TWS_OK;

    REQUIRE(tws_settings_init(&s, who) == TWS_OK);
    err = tws_settings_read_yaml(&s, "f", text, n, &diag);
    REQUIRE((err == TWS_OK && diag.errors == 0) || (err == TWS_CONFIG && diag.errors > 0));
    check_ranges(&s);
    tws_settings_fini(&s);
    return sum;
}

static uint64_t read_keys(const char *text, size_t n)
{
    uint64_t sum = 0;
    struct tws_diag diag = {.emit = mix, .ctx = &sum};
    struct tws_users users;
    tws_err err = tws_users_read_yaml("f", text, n, &diag, &users);

    REQUIRE((err == TWS_OK && diag.errors == 0) || (err == TWS_CONFIG && diag.errors > 0));
    for (size_t i = 0; i < users.n; i++)
        REQUIRE(users.users[i].name != NULL && !users.users[i].allow_all);
    tws_users_free(users.users, users.n);
    return sum;
}

static uint64_t read_any(unsigned kind, const char *text, size_t n)
{
    if (kind == 2)
        return read_keys(text, n);
    return read_settings(kind == 0 ? TWS_OPT_CLIENT : TWS_OPT_SERVER, text, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data + 1;

    if (size == 0)
        return 0;
    REQUIRE(read_any(data[0] % 3, text, size - 1) == read_any(data[0] % 3, text, size - 1));
    return 0;
}
