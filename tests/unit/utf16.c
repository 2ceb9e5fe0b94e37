/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/utf16.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "test.h"

#define MAX_UNITS 8

static const struct {
    uint16_t units[MAX_UNITS];
    size_t count;
    const char *utf8; /* NULL: it is invalid */
} cases[] = {
    { { 0 }, 0, "" },
    { { 'a' }, 1, "a" },
    { { '.', '\\', 'b', '.', 'v', 'h', 'd' }, 7, ".\\b.vhd" },
    { { 1, 0x1b, 0x7f }, 3, "\x01\x1b\x7f" },
    { { 0x80, 0x7ff }, 2, "\xc2\x80\xdf\xbf" },
    { { 0x800, 0xffff }, 2, "\xe0\xa0\x80\xef\xbf\xbf" },
    { { 0xd7ff, 0xe000 }, 2, "\xed\x9f\xbf\xee\x80\x80" },
    { { 0xd800, 0xdc00 }, 2, "\xf0\x90\x80\x80" },
    { { 0xdbff, 0xdfff, 'x' }, 3, "\xf4\x8f\xbf\xbfx" },
    /* A NUL ends it, whatever follows. */
    { { 0, 'a' }, 2, "" },
    { { 'a', 0, 0xd800 }, 3, "a" },
    /* Surrogates without their other half. */
    { { 0xd800 }, 1, NULL },
    { { 0xdc00 }, 1, NULL },
    { { 0xd800, 'a' }, 2, NULL },
    { { 0xd800, 0xd800, 0xdc00 }, 3, NULL },
    { { 0xdc00, 0xd800 }, 2, NULL },
    { { 'a', 0xd800, 0, 'b' }, 4, NULL },
};

/* The bytes are in a buffer of their own, so that the address sanitizer sees
 * what is read beyond them. */
static void check(size_t n, enum utf16_order order, size_t extra,
                  const char *expected)
{
    size_t bytes = 2 * cases[n].count + extra;
    unsigned char *text = malloc(bytes + 1), *whole;
    char *utf8 = NULL;
    int err;

    assert_non_null(text);
    for (size_t i = 0; i < cases[n].count; i++) {
        text[2 * i + (order == UTF16_LE)] = cases[n].units[i] >> 8;
        text[2 * i + (order == UTF16_BE)] = cases[n].units[i] & 0xff;
    }
    text[bytes - extra] = 'z';
    /* So a sanitizer sees a read beyond the end. */
    whole = realloc(text, bytes ? bytes : 1);
    assert_non_null(whole);
    text = whole;
    test_case("case %zu, order %d, extra %zu", n, order, extra);
    err = utf16_to_utf8(text, bytes, order, &utf8);
    if (expected) {
        assert_int_equal(err, 0);
        assert_string_equal(utf8, expected);
    } else {
        assert_int_equal(err, EINVAL);
        assert_null(utf8);
    }
    free(utf8);
    free(text);
}

static void test_conversion(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        check(i, UTF16_LE, 0, cases[i].utf8);
        check(i, UTF16_BE, 0, cases[i].utf8);
    }
}

/* Half a unit at the end counts unless a NUL comes before it. */
static void test_odd_length(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        bool ended = false;

        for (size_t u = 0; u < cases[i].count; u++)
            ended = ended || cases[i].units[u] == 0;
        check(i, UTF16_LE, 1, ended ? cases[i].utf8 : NULL);
        check(i, UTF16_BE, 1, ended ? cases[i].utf8 : NULL);
    }
}

/* Any pair of units is converted to what has the same characters, or is
 * invalid. */
static void test_all_units(void **state)
{
    (void)state;
    for (uint32_t unit = 1; unit < 0x10000; unit++) {
        const unsigned char text[] = { unit & 0xff, unit >> 8, 'a', 0 };
        char *utf8 = NULL;
        int err = utf16_to_utf8(text, sizeof(text), UTF16_LE, &utf8);

        test_case("unit %x", unit);
        assert_int_equal(err, unit >= 0xd800 && unit < 0xe000 ? EINVAL : 0);
        if (!err) {
            size_t length = unit < 0x80 ? 1 : unit < 0x800 ? 2 : 3;

            assert_int_equal(strlen(utf8), length + 1);
            assert_int_equal(utf8[length], 'a');
        }
        free(utf8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversion),
        cmocka_unit_test(test_odd_length),
        cmocka_unit_test(test_all_units),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
