/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <errno.h>

#include "common/array.h"
#include "common/units.h"

static void test_parse_size(void **state)
{
    static const struct {
        const char *text;
        int err;
        uint64_t size;
    } cases[] = {
        { "0", 0, 0 },
        { "512", 0, 512 },
        { "64k", 0, 64 << 10 },
        { "64K", 0, 64 << 10 },
        { "1M", 0, 1 << 20 },
        { "3g", 0, UINT64_C(3) << 30 },
        { "1T", 0, UINT64_C(1) << 40 },
        { "15E", 0, UINT64_C(15) << 60 },
        { "18446744073709551615", 0, UINT64_MAX },
        { "18446744073709551616", ERANGE, 0 },
        { "16E", ERANGE, 0 },
        { "", EINVAL, 0 },
        { " 1", EINVAL, 0 },
        { "-1", EINVAL, 0 },
        { "+1", EINVAL, 0 },
        { "k", EINVAL, 0 },
        { "1kk", EINVAL, 0 },
        { "1x", EINVAL, 0 },
        { "1.5k", EINVAL, 0 },
        { "0x10", EINVAL, 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint64_t size = 0;

        test_case("'%s'", cases[i].text);
        assert_int_equal(parse_size(cases[i].text, &size), cases[i].err);
        assert_int_equal(size, cases[i].size);
    }
}

static void test_format_size(void **state)
{
    char text[SIZE_TEXT];

    (void)state;
    assert_string_equal(format_size(0, text), "0 B");
    assert_string_equal(format_size(1023, text), "1023 B");
    assert_string_equal(format_size(1024, text), "1.0 KiB");
    assert_string_equal(format_size(1536, text), "1.5 KiB");
    assert_string_equal(format_size(10 * 1024, text), "10 KiB");
    assert_string_equal(format_size(6.0 * GiB, text), "6.0 GiB");
    assert_string_equal(format_size(1048575, text), "1.0 MiB");
    assert_string_equal(format_size(18446744073709551615.0, text), "16 EiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_size),
        cmocka_unit_test(test_format_size),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
