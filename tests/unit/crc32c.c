/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <string.h>

#include "common/crc32c.h"

/* Bit by bit, by the definition. */
static uint32_t naive(const unsigned char *p, size_t len)
{
    uint32_t crc = ~UINT32_C(0);

    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
    }
    return ~crc;
}

/* RFC 3720, B.4, and the usual check value. */
static void test_published(void **state)
{
    unsigned char bytes[32] = { 0 };

    (void)state;
    assert_int_equal(crc32c(0, NULL, 0), 0);
    assert_int_equal(crc32c(0, bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, sizeof(bytes));
    assert_int_equal(crc32c(0, bytes, 32), 0x62a8ab43);
    for (int i = 0; i < 32; i++)
        bytes[i] = (unsigned char)i;
    assert_int_equal(crc32c(0, bytes, 32), 0x46dd794e);
    assert_int_equal(crc32c(0, (const unsigned char *)"123456789", 9),
                     0xe3069283);
}

static void test_every_byte(void **state)
{
    (void)state;
    for (int i = 0; i < 256; i++) {
        const unsigned char bytes[] = { (unsigned char)i, 7 };

        test_case("byte %d", i);
        assert_int_equal(crc32c(0, bytes, 2), naive(bytes, 2));
    }
}

static void test_in_pieces(void **state)
{
    const unsigned char text[] = "a text that comes in two pieces";

    (void)state;
    for (size_t cut = 0; cut <= sizeof(text); cut++) {
        test_case("cut at %zu", cut);
        assert_int_equal(
            crc32c(crc32c(0, text, cut), text + cut, sizeof(text) - cut),
            naive(text, sizeof(text)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_in_pieces),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
