/* test_codec.c - RFC 6455 framing: the examples of its section 5.7, every split point, every
 * violation with its close code. */
#include "suite.h"

#include "tws/ws/codec.h"
#include "tws/ws/mask_keys.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define SHARED (256 * 1024)

static uint8_t shared[SHARED];
static struct tws_ws_input in;

/* What came out of an input, flattened: type, code, length and bytes of every item. */
struct record {
    uint8_t bytes[300 * 1024];
    size_t n;
    unsigned items;
    enum tws_ws_item_type last;
    uint16_t code;
    const char *why;
};

static struct record rec, want;

static void note(struct record *r, const struct tws_ws_item *it)
{
    uint8_t head[4] = {(uint8_t)it->type, 0, 0, 0};

    memcpy(r->bytes + r->n, head, 4);
    memcpy(r->bytes + r->n + 4, &it->n, sizeof(it->n));
    r->n += 4 + sizeof(it->n);
    if (it->n > 0)
        memcpy(r->bytes + r->n, it->payload, it->n);
    r->n += it->n;
    r->items++;
    r->last = it->type;
    r->code = it->code;
    r->why = it->why;
}

/* Hands over at most `n` bytes of p as one read would; returns how many fitted. */
static size_t feed_once(struct record *r, const uint8_t *p, size_t n)
{
    struct tws_ws_room room;
    struct tws_ws_item it;
    size_t first, second;

    tws_ws_input_room(&in, shared, sizeof(shared), &room);
    first = n < room.nfirst ? n : room.nfirst;
    second = n - first < room.nsecond ? n - first : room.nsecond;
    memcpy(room.first, p, first);
    if (second > 0)
        memcpy(room.second, p + first, second);
    tws_ws_input_fill(&in, first + second);
    for (;;) {
        tws_ws_input_next(&in, &it);
        if (it.type == TWS_WS_SHORT)
            break;
        note(r, &it);
        if (it.type == TWS_WS_BAD)
            break;
    }
    return first + second;
}

static void feed(struct record *r, const uint8_t *p, size_t n)
{
    while (n > 0 && r->last != TWS_WS_BAD) {
        size_t used = feed_once(r, p, n);

        p += used;
        n -= used;
    }
}

static void clear(struct record *r)
{
    r->n = r->items = 0;
    r->last = TWS_WS_SHORT;
    r->code = 0;
    r->why = NULL;
}

static void fresh(bool masked)
{
    tws_ws_input_fini(&in);
    tws_ws_input_init(&in, masked);
    clear(&rec);
}

static void setup(void)
{
    tws_ws_input_init(&in, true);
    fresh(true);
}

static void teardown(void)
{
    tws_ws_input_fini(&in);
}

/* The only item so far is a message of these bytes. */
static void expect_message(const char *text, size_t n)
{
    ck_assert_uint_eq(rec.items, 1);
    ck_assert_int_eq(rec.last, TWS_WS_MESSAGE);
    ck_assert_uint_eq(rec.n, 4 + sizeof(size_t) + n);
    ck_assert_mem_eq(rec.bytes + 4 + sizeof(size_t), text, n);
}

/* ---- RFC 6455, 5.7, with the text opcode changed to binary where we take binary only ---- */

START_TEST(rfc_unmasked_message_is_hello)
{
    fresh(false);
    feed(&rec, (const uint8_t *)"\x82\x05Hello", 7);
    expect_message("Hello", 5);
}
END_TEST

START_TEST(rfc_masked_message_is_hello)
{
    feed(&rec, (const uint8_t *)"\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
    expect_message("Hello", 5);
}
END_TEST

START_TEST(rfc_fragmented_message_is_hello)
{
    fresh(false);
    feed(&rec, (const uint8_t *)"\x02\x03Hel\x80\x02lo", 9);
    expect_message("Hello", 5);
}
END_TEST

START_TEST(rfc_ping_and_masked_pong)
{
    fresh(false);
    feed(&rec, (const uint8_t *)"\x89\x05Hello", 7);
    ck_assert_int_eq(rec.last, TWS_WS_PING);
    fresh(true);
    feed(&rec, (const uint8_t *)"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
    ck_assert_int_eq(rec.last, TWS_WS_PONG);
    ck_assert_mem_eq(rec.bytes + 4 + sizeof(size_t), "Hello", 5);
}
END_TEST

START_TEST(rfc_256_bytes_take_the_16_bit_length)
{
    uint8_t frame[4 + 256] = {0x82, 0x7e, 0x01, 0x00};
    uint8_t header[14];

    for (size_t i = 0; i < 256; i++)
        frame[4 + i] = (uint8_t)i;
    fresh(false);
    feed(&rec, frame, sizeof(frame));
    expect_message((const char *)frame + 4, 256);
    ck_assert_uint_eq(tws_ws_put_header(header, TWS_WS_OP_BINARY, 256, NULL), 4);
    ck_assert_mem_eq(header, frame, 4);
}
END_TEST

START_TEST(rfc_65536_bytes_are_too_big_by_one)
{
    fresh(false);
    feed(&rec, (const uint8_t *)"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10);
    ck_assert_int_eq(rec.last, TWS_WS_BAD);
    ck_assert_uint_eq(rec.code, 1009);
}
END_TEST

/* ---- masking ---- */

START_TEST(masking_agrees_with_the_definition_at_every_length)
{
    uint8_t src[400], inplace[400], copy[402];
    const uint8_t key[4] = {0x12, 0x00, 0xff, 0x9d};

    for (size_t i = 0; i < sizeof(src); i++)
        src[i] = (uint8_t)(i * 37 + 11);
    for (size_t n = 0; n <= sizeof(src); n++) {
        memcpy(inplace, src, sizeof(src));
        memset(copy, 0xee, sizeof(copy));
        tws_ws_mask(inplace, n, key);
        tws_ws_mask_copy(copy + 1, src, n, key);
        for (size_t i = 0; i < n; i++) {
            ck_assert_uint_eq(inplace[i], src[i] ^ key[i % 4]);
            ck_assert_uint_eq(copy[i + 1], src[i] ^ key[i % 4]);
        }
        ck_assert_uint_eq(copy[0], 0xee);
        ck_assert_uint_eq(copy[n + 1], 0xee);
        if (n < sizeof(src))
            ck_assert_uint_eq(inplace[n], src[n]);
    }
}
END_TEST

START_TEST(mask_keys_are_not_repeated)
{
    static uint32_t seen[5000];
    unsigned equal = 0;

    for (size_t i = 0; i < 5000; i++) {
        uint8_t key[4];

        tws_ws_mask_key(key);
        memcpy(&seen[i], key, 4);
        if (i >= 1024)
            equal += seen[i] == seen[i - 1024];
    }
    /* A pool that is handed out twice would make them all equal. */
    ck_assert_uint_lt(equal, 3);
}
END_TEST

/* ---- splits ---- */

static size_t put(uint8_t *out, enum tws_ws_opcode op, bool fin, size_t n, const uint8_t *key)
{
    size_t header = tws_ws_put_header(out, op, n, key);

    if (!fin)
        out[0] &= 0x7f;
    for (size_t i = 0; i < n; i++)
        out[header + i] = (uint8_t)(i * 7 + n);
    if (key != NULL)
        tws_ws_mask(out + header, n, key);
    return header + n;
}

/* Frames of every header form, a fragmented message with a ping between its pieces, a close. */
static size_t make_stream(uint8_t *out, const uint8_t *key)
{
    uint8_t *p = out;

    p += put(p, TWS_WS_OP_BINARY, true, 0, key);
    p += put(p, TWS_WS_OP_BINARY, true, 1, key);
    p += put(p, TWS_WS_OP_PING, true, 3, key);
    p += put(p, TWS_WS_OP_BINARY, true, 125, key);
    p += put(p, TWS_WS_OP_BINARY, true, 126, key);
    p += put(p, TWS_WS_OP_BINARY, false, 100, key);
    p += put(p, TWS_WS_OP_PING, true, 125, key);
    p += put(p, TWS_WS_OP_CONTINUATION, false, 0, key);
    p += put(p, TWS_WS_OP_CONTINUATION, false, 130, key);
    p += put(p, TWS_WS_OP_PONG, true, 0, key);
    p += put(p, TWS_WS_OP_CONTINUATION, true, 2, key);
    p += put(p, TWS_WS_OP_BINARY, false, 0, key);
    p += put(p, TWS_WS_OP_CONTINUATION, true, 0, key);
    p += put(p, TWS_WS_OP_BINARY, true, 700, key);
    p += tws_ws_put_control(p, TWS_WS_OP_CLOSE, (const uint8_t *)"\x03\xe8", 2, key);
    return (size_t)(p - out);
}

START_TEST(every_split_point_gives_the_same_items)
{
    static const uint8_t key_bytes[4] = {1, 2, 3, 4};
    const uint8_t *key = _i ? key_bytes : NULL;
    uint8_t stream[4096];
    size_t n = make_stream(stream, key);

    fresh(key != NULL);
    feed(&rec, stream, n);
    ck_assert_uint_eq(rec.items, 11);
    ck_assert_int_eq(rec.last, TWS_WS_CLOSE);
    ck_assert_uint_eq(rec.code, 1000);
    want = rec;
    for (size_t cut = 1; cut < n; cut++) {
        fresh(key != NULL);
        feed(&rec, stream, cut);
        feed(&rec, stream + cut, n - cut);
        ck_assert_uint_eq(rec.n, want.n);
        ck_assert_mem_eq(rec.bytes, want.bytes, want.n);
    }
    for (size_t step = 1; step < 20; step++) {
        fresh(key != NULL);
        for (size_t at = 0; at < n; at += step)
            feed(&rec, stream + at, n - at < step ? n - at : step);
        ck_assert_uint_eq(rec.n, want.n);
        ck_assert_mem_eq(rec.bytes, want.bytes, want.n);
    }
}
END_TEST

START_TEST(the_largest_message_passes_whole_and_in_fragments)
{
    static uint8_t frame[TWS_WS_MESSAGE_MAX + 64];
    const uint8_t key[4] = {9, 8, 7, 6};
    size_t n = put(frame, TWS_WS_OP_BINARY, true, TWS_WS_MESSAGE_MAX, key);

    for (size_t at = 0; at < n; at += 1000)
        feed(&rec, frame + at, n - at < 1000 ? n - at : 1000);
    ck_assert_uint_eq(rec.items, 1);
    ck_assert_uint_eq(rec.n, 4 + sizeof(size_t) + TWS_WS_MESSAGE_MAX);
    fresh(true);
    n = put(frame, TWS_WS_OP_BINARY, false, TWS_WS_MESSAGE_MAX - 5, key);
    feed(&rec, frame, n);
    n = put(frame, TWS_WS_OP_PING, true, 60, key);
    n += put(frame + n, TWS_WS_OP_CONTINUATION, true, 5, key);
    feed(&rec, frame, n);
    ck_assert_uint_eq(rec.items, 2);
    ck_assert_int_eq(rec.last, TWS_WS_MESSAGE);
}
END_TEST

START_TEST(fragments_above_the_limit_are_too_big)
{
    static uint8_t frame[TWS_WS_MESSAGE_MAX + 64];
    const uint8_t key[4] = {9, 8, 7, 6};
    size_t n = put(frame, TWS_WS_OP_BINARY, false, TWS_WS_MESSAGE_MAX, key);

    n += put(frame + n, TWS_WS_OP_CONTINUATION, true, 1, key);
    feed(&rec, frame, n);
    ck_assert_int_eq(rec.last, TWS_WS_BAD);
    ck_assert_uint_eq(rec.code, 1009);
}
END_TEST

START_TEST(nothing_is_kept_when_nothing_is_incomplete)
{
    uint8_t stream[4096];
    const uint8_t key[4] = {9, 8, 7, 6};

    feed(&rec, stream, make_stream(stream, key));
    ck_assert_ptr_null(in.part);
    ck_assert_ptr_null(in.whole);
    ck_assert_uint_eq(in.nhead, 0);
}
END_TEST

START_TEST(a_read_that_brought_nothing_changes_nothing)
{
    struct tws_ws_room room;

    feed(&rec, (const uint8_t *)"\x82\x85\x37", 3);
    tws_ws_input_room(&in, shared, sizeof(shared), &room);
    tws_ws_input_room(&in, shared, sizeof(shared), &room);
    feed(&rec, (const uint8_t *)"\xfa\x21\x3d\x7f\x9f", 5);
    tws_ws_input_room(&in, shared, sizeof(shared), &room);
    feed(&rec, (const uint8_t *)"\x4d\x51\x58", 3);
    expect_message("Hello", 5);
}
END_TEST

/* ---- violations ---- */

struct violation {
    const char *bytes;
    size_t n;
    bool masked;
    uint16_t code;
};

static const struct violation violations[] = {
    {"\xc2\x80", 2, true, 1002},                          /* RSV1: no extension was agreed */
    {"\xa2\x80", 2, true, 1002},                          /* RSV2 */
    {"\x92\x80", 2, true, 1002},                          /* RSV3 */
    {"\x83\x80", 2, true, 1002},                          /* reserved data opcode */
    {"\x87\x80", 2, true, 1002},                          /* reserved data opcode */
    {"\x8b\x80", 2, true, 1002},                          /* reserved control opcode */
    {"\x8f\x80", 2, true, 1002},                          /* reserved control opcode */
    {"\x82\x01", 2, true, 1002},                          /* client does not mask */
    {"\x82\x81", 2, false, 1002},                         /* server masks */
    {"\x09\x80", 2, true, 1002},                          /* fragmented ping */
    {"\x89\xfe", 2, true, 1002},                          /* ping above 125 bytes */
    {"\x88\xff", 2, true, 1002},                          /* close above 125 bytes */
    {"\x80\x80", 2, true, 1002},                          /* continuation of nothing */
    {"\x02\x80....\x82\x80", 8, true, 1002},              /* message inside a message */
    {"\x82\xfe\x00\x7d....", 8, true, 1002},              /* 125 in the 16-bit form */
    {"\x82\xff\0\0\0\0\0\0\xff\xff....", 14, true, 1002}, /* 65535 in the 64-bit form */
    {"\x82\xff\x80\0\0\0\0\1\0\0....", 14, true, 1002},   /* top bit of 64 */
    {"\x82\xff\0\0\0\0\0\1\0\0....", 14, true, 1009},     /* 65536 */
    {"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff....", 14, true, 1009},
    {"\x81\x80", 2, true, 1003},          /* text */
    {"\x01\x80", 2, true, 1003},          /* first fragment of a text */
    {"\x88\x01x", 3, false, 1002},        /* half a close code */
    {"\x88\x02\x03\xed", 4, false, 1002}, /* 1005 may not be sent */
    {"\x88\x02\x03\xe7", 4, false, 1002}, /* 999 */
    {"\x88\x02\x13\x88", 4, false, 1002}, /* 5000 */
};

START_TEST(each_violation_is_answered_with_its_close_code)
{
    const struct violation *v = &violations[_i];
    struct tws_ws_item it;

    fresh(v->masked);
    feed(&rec, (const uint8_t *)v->bytes, v->n);
    ck_assert_int_eq(rec.last, TWS_WS_BAD);
    ck_assert_uint_eq(rec.code, v->code);
    ck_assert_ptr_nonnull(rec.why);
    tws_ws_input_next(&in, &it);
    ck_assert_int_eq(it.type, TWS_WS_BAD);
    /* The same when every byte comes alone. */
    fresh(v->masked);
    for (size_t i = 0; i < v->n; i++)
        feed(&rec, (const uint8_t *)v->bytes + i, 1);
    ck_assert_int_eq(rec.last, TWS_WS_BAD);
    ck_assert_uint_eq(rec.code, v->code);
}
END_TEST

START_TEST(a_refused_header_allocates_nothing)
{
    feed(&rec, (const uint8_t *)"\x82\xff\0\0\0\0\0\1\0\0....", 14);
    ck_assert_ptr_null(in.part);
}
END_TEST

START_TEST(close_without_code_is_1005)
{
    fresh(false);
    feed(&rec, (const uint8_t *)"\x88\x00", 2);
    ck_assert_int_eq(rec.last, TWS_WS_CLOSE);
    ck_assert_uint_eq(rec.code, 1005);
}
END_TEST

START_TEST(header_sizes_are_those_that_are_written)
{
    static const size_t sizes[] = {0, 1, 125, 126, 32768, 65535};
    const uint8_t key[4] = {0};
    uint8_t out[14];

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        ck_assert_uint_eq(tws_ws_header_size(sizes[i], false),
                          tws_ws_put_header(out, TWS_WS_OP_BINARY, sizes[i], NULL));
        ck_assert_uint_eq(tws_ws_header_size(sizes[i], true),
                          tws_ws_put_header(out, TWS_WS_OP_BINARY, sizes[i], key));
    }
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("codec");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, rfc_unmasked_message_is_hello);
    tcase_add_test(t, rfc_masked_message_is_hello);
    tcase_add_test(t, rfc_fragmented_message_is_hello);
    tcase_add_test(t, rfc_ping_and_masked_pong);
    tcase_add_test(t, rfc_256_bytes_take_the_16_bit_length);
    tcase_add_test(t, rfc_65536_bytes_are_too_big_by_one);
    tcase_add_test(t, masking_agrees_with_the_definition_at_every_length);
    tcase_add_test(t, mask_keys_are_not_repeated);
    tcase_add_loop_test(t, every_split_point_gives_the_same_items, 0, 2);
    tcase_add_test(t, the_largest_message_passes_whole_and_in_fragments);
    tcase_add_test(t, fragments_above_the_limit_are_too_big);
    tcase_add_test(t, nothing_is_kept_when_nothing_is_incomplete);
    tcase_add_test(t, a_read_that_brought_nothing_changes_nothing);
    tcase_add_loop_test(t, each_violation_is_answered_with_its_close_code, 0,
                        sizeof(violations) / sizeof(violations[0]));
    tcase_add_test(t, a_refused_header_allocates_nothing);
    tcase_add_test(t, close_without_code_is_1005);
    tcase_add_test(t, header_sizes_are_those_that_are_written);
    return run_suite("ws/codec", t);
}
