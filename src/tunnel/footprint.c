/* footprint.c - see footprint.h. */
#include "tws/tunnel/footprint.h"

#include "tws/net/socket.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* FNV-1a, folded: the same name gives the same numbers in every version. */
static uint32_t hash(const char *name)
{
    uint32_t h = 2166136261u;

    for (; *name != '\0'; name++)
        h = (h ^ (uint8_t)*name) * 16777619u;
    return (h ^ h >> 12 ^ h >> 24) & TWS_MARK_HASH;
}

static char table_char(char c)
{
    bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

    return fine ? c : '_';
}

void tws_footprint_of(const char *name, struct tws_footprint *out)
{
    char *p = out->table + sizeof TWS_TABLE_PREFIX - 1;
    size_t n = strnlen(name, TWS_FOOTPRINT_NAME - 1);

    memcpy(out->table, TWS_TABLE_PREFIX, sizeof TWS_TABLE_PREFIX - 1);
    for (size_t i = 0; i < n; i++)
        p[i] = table_char(name[i]);
    p[n] = '\0';
    out->mark = TWS_MARK_CAUGHT | hash(p);
}

tws_err tws_footprint_of_table(const char *table, struct tws_footprint *out)
{
    size_t n = sizeof TWS_TABLE_PREFIX - 1;

    if (strncmp(table, TWS_TABLE_PREFIX, n) != 0)
        return TWS_ABSENT;
    tws_footprint_of(table + n, out);
    return strcmp(out->table, table) == 0 ? TWS_OK : TWS_ABSENT;
}

tws_err tws_footprint_of_mark(uint32_t mark, struct tws_footprint *out)
{
    if ((mark & ~TWS_MARK_HASH) != TWS_MARK_CAUGHT)
        return TWS_ABSENT;
    *out = (struct tws_footprint){.mark = mark};
    return TWS_OK;
}

tws_err tws_footprint_hold(const struct tws_footprint *f, int *fd)
{
    char name[32];
    struct tws_sockaddr sa;

    snprintf(name, sizeof name, "@tws-footprint-%08x", f->mark);
    tws_err err = tws_sockaddr_set_unix(&sa, name);
    if (err != TWS_OK)
        return err;
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s < 0)
        return TWS_SYS;
    if (bind(s, (const struct sockaddr *)&sa.ss, sa.len) != 0) {
        tws_socket_close(s);
        return TWS_SYS;
    }
    *fd = s;
    return TWS_OK;
}
