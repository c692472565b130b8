/* text.c - see text.h. */
#include "tws/base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit durations[] = {
    {"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000},
};

static const struct unit sizes[] = {
    {"", 1},         {"k", 1 << 10},   {"kb", 1 << 10}, {"kib", 1 << 10}, {"m", 1 << 20},
    {"mb", 1 << 20}, {"mib", 1 << 20}, {"g", 1 << 30},  {"gb", 1 << 30},  {"gib", 1 << 30},
};

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool tws_text_equal(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* The number at the start of *text, which moves behind it. */
static tws_err read_digits(const char **text, uint64_t *out)
{
    const char *s = *text;
    uint64_t v = 0;
    bool overflow = false;

    if (!is_digit(s[0]) || (s[0] == '0' && is_digit(s[1])))
        return TWS_ABSENT;
    for (; is_digit(*s); s++) {
        unsigned digit = (unsigned)(*s - '0');
        overflow = overflow || v > (UINT64_MAX - digit) / 10;
        v = v * 10 + digit;
    }
    *text = s;
    *out = overflow ? UINT64_MAX : v;
    return overflow ? TWS_FULL : TWS_OK;
}

/* A number and one of the units; the form is judged before the size. */
static tws_err read_with_unit(const char *text, const struct unit *units, size_t n, uint64_t max,
                              uint64_t *out)
{
    uint64_t v;
    tws_err err = read_digits(&text, &v);

    if (err == TWS_ABSENT)
        return err;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(text, units[i].name) != 0)
            continue;
        if (err == TWS_FULL || v > max / units[i].factor)
            return TWS_FULL;
        *out = v * units[i].factor;
        return TWS_OK;
    }
    return TWS_ABSENT;
}

tws_err tws_text_u64(const char *text, uint64_t max, uint64_t *out)
{
    return read_with_unit(text, durations, 1, max, out);
}

tws_err tws_text_duration_ms(const char *text, uint64_t max_ms, uint64_t *out)
{
    return read_with_unit(text, durations, COUNT(durations), max_ms, out);
}

tws_err tws_text_size(const char *text, uint64_t max, uint64_t *out)
{
    char folded[32];
    size_t n = strlen(text);

    if (n >= sizeof folded) /* no size has as many digits */
        return TWS_ABSENT;
    for (size_t i = 0; i <= n; i++)
        folded[i] = lower(text[i]);
    return read_with_unit(folded, sizes, COUNT(sizes), max, out);
}

tws_err tws_text_format(char *out, size_t cap, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(out, cap, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < cap)
        return TWS_OK;
    if (cap > 0)
        out[0] = '\0';
    return TWS_FULL;
}

tws_err tws_hex_encode(const void *in, size_t n, char *out, size_t cap)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = in;

    if (cap == 0 || n > (cap - 1) / 2)
        return TWS_FULL;
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * n] = '\0';
    return TWS_OK;
}

int tws_hex_digit(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int hex_byte(const char *two)
{
    int high = tws_hex_digit((unsigned char)two[0]), low = tws_hex_digit((unsigned char)two[1]);

    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

tws_err tws_hex_decode(const char *text, void *out, size_t n)
{
    uint8_t *p = out;

    if (strlen(text) != 2 * n)
        return TWS_ABSENT;
    for (size_t i = 0; i < n; i++)
        if (hex_byte(text + 2 * i) < 0)
            return TWS_ABSENT;
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)hex_byte(text + 2 * i);
    return TWS_OK;
}

tws_err tws_percent_decode(const char *in, size_t n, char *out, size_t cap)
{
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        int c = (unsigned char)in[i];

        if (c == '%') {
            c = n - i > 2 ? hex_byte(in + i + 1) : -1;
            i += 2;
        }
        if (c <= 0)
            return TWS_ABSENT;
        if (len + 1 >= cap)
            return TWS_FULL;
        out[len++] = (char)c;
    }
    out[len] = '\0';
    return TWS_OK;
}

static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

tws_err tws_base64url_encode(const void *in, size_t n, char *out, size_t cap)
{
    const uint8_t *p = in;
    uint32_t bits = 0;
    unsigned have = 0;
    size_t len = 0;

    if (n > SIZE_MAX / 4 - 1 || cap < TWS_BASE64URL_TEXT(n))
        return TWS_FULL;
    for (size_t i = 0; i < n; i++) {
        bits = bits << 8 | p[i];
        for (have += 8; have >= 6; have -= 6)
            out[len++] = base64url[bits >> (have - 6) & 63];
    }
    if (have > 0)
        out[len++] = base64url[bits << (6 - have) & 63];
    out[len] = '\0';
    return TWS_OK;
}

tws_err tws_base64url_decode(const char *text, void *out, size_t n)
{
    uint8_t *p = out;
    uint32_t bits = 0;
    unsigned have = 0;
    size_t len = 0;

    if (n > SIZE_MAX / 4 - 1 || strlen(text) != TWS_BASE64URL_TEXT(n) - 1)
        return TWS_ABSENT;
    for (; *text != '\0'; text++) {
        const char *at = strchr(base64url, *text);
        if (at == NULL)
            return TWS_ABSENT;
        bits = bits << 6 | (uint32_t)(at - base64url);
        have += 6;
        if (have >= 8) {
            have -= 8;
            p[len++] = (uint8_t)(bits >> have);
        }
    }
    return (bits & ((1u << have) - 1)) == 0 ? TWS_OK : TWS_ABSENT;
}

/* ---- the word someone meant ---- */

#define WORD_MAX 63

static unsigned min2(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Row `i` of the distance table of a and b from the two rows before it. */
static void next_row(const char *a, const char *b, size_t i, const unsigned *before,
                     const unsigned *last, unsigned *row)
{
    row[0] = (unsigned)i;
    for (size_t j = 1; b[j - 1] != '\0'; j++) {
        unsigned change = last[j - 1] + (a[i - 1] != b[j - 1]);
        row[j] = min2(change, min2(last[j], row[j - 1]) + 1);
        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
            row[j] = min2(row[j], before[j - 2] + 1);
    }
}

static unsigned distance(const char *a, const char *b)
{
    unsigned rows[3][WORD_MAX + 1];
    size_t n = strlen(a), m = strlen(b);

    for (size_t j = 0; j <= m; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++)
        next_row(a, b, i, rows[(i + 1) % 3], rows[(i + 2) % 3], rows[i % 3]);
    return rows[n % 3][m];
}

const char *tws_text_nearest(const char *word, const char *const *words, size_t n)
{
    const char *best = NULL;
    size_t len = strlen(word);

    if (len == 0 || len > WORD_MAX)
        return NULL;
    unsigned limit = len < 3 ? 1 : (unsigned)len / 3;
    for (size_t i = 0; i < n; i++) {
        if (strlen(words[i]) > WORD_MAX)
            continue;
        unsigned d = distance(word, words[i]);
        if (d <= limit) {
            best = words[i];
            if (d == 0)
                break;
            limit = d - 1;
        }
    }
    return best;
}
