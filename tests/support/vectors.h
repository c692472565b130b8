/* vectors.h - known answers from a file of "[section]" and "name = hex" lines. */
#ifndef TWS_TEST_VECTORS_H
#define TWS_TEST_VECTORS_H

#include "tws/base/bytes.h"
#include "tws/base/text.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct vector {
    uint8_t bytes[1024];
    size_t n;
};

/* The text of `name` in `section` into `out`; fails the test if it is not there. */
static inline void vector_text(const char *file, const char *section, const char *name, char *out,
                               size_t cap)
{
    char line[4096], here[64] = "";
    FILE *f = fopen(file, "r");
    bool found = false;

    ck_assert_msg(f != NULL, "cannot open %s", file);
    while (!found && fgets(line, sizeof line, f) != NULL) {
        size_t n = strcspn(line, "\n");
        line[n] = '\0';
        if (line[0] == '[')
            snprintf(here, sizeof here, "%.*s", (int)(n - 2), line + 1);
        char *eq = strstr(line, " =");
        if (eq == NULL || strcmp(here, section) != 0)
            continue;
        *eq = '\0';
        found = strcmp(line, name) == 0;
        if (found)
            snprintf(out, cap, "%s", eq[2] == ' ' ? eq + 3 : "");
    }
    fclose(f);
    ck_assert_msg(found, "%s: no %s in [%s]", file, name, section);
}

static inline struct vector vector(const char *section, const char *name)
{
    char text[2 * sizeof(((struct vector *)NULL)->bytes) + 1];
    struct vector v;

    vector_text(TWS_TEST_DATA "/handshake.txt", section, name, text, sizeof text);
    v.n = strlen(text) / 2;
    ck_assert_int_eq(tws_hex_decode(text, v.bytes, v.n), TWS_OK);
    return v;
}

/* Exactly as long as it must be. */
static inline struct vector vector_of(const char *section, const char *name, size_t n)
{
    struct vector v = vector(section, name);
    ck_assert_uint_eq(v.n, n);
    return v;
}

static inline unsigned long vector_number(const char *section, const char *name)
{
    char text[64];

    vector_text(TWS_TEST_DATA "/handshake.txt", section, name, text, sizeof text);
    return strtoul(text, NULL, 10);
}

#endif
