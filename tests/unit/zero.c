/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <string.h>

#include "lib/zero.h"

/* One byte that is not zero is found wherever it is, from any alignment, and a
 * byte before or after the range does not count. */
static void test_every_place(void **state)
{
    unsigned char buf[400];

    (void)state;
    for (size_t start = 1; start < 34; start++) {
        for (size_t len = 0; len < 330; len += len < 70 ? 1 : 13) {
            test_case("%zu bytes from %zu", len, start);
            memset(buf, 0xff, sizeof(buf));
            memset(buf + start, 0, len);
            assert_true(is_zero(buf + start, len));
            for (size_t i = 0; i < len; i++) {
                buf[start + i] = 1 << (i % 8);
                assert_false(is_zero(buf + start, len));
                buf[start + i] = 0;
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_place),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
