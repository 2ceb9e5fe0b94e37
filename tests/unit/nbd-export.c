/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "common/array.h"
#include "nbd/export.h"

enum { MAX = 32 << 20, PREFERRED = 512 << 10 };

/* What a server advertises, and what is made of it. */
static void test_block_sizes(void **state)
{
    static const struct {
        int64_t minimum, maximum;
        uint32_t made_minimum, made_maximum, preferred_read;
    } cases[] = {
        { -1, -1, 1, MAX, PREFERRED },
        { 0, 0, 1, MAX, PREFERRED },
        { 512, 4096, 512, 4096, 4096 },
        { 4096, 4096, 4096, 4096, 4096 },
        { 65536, 32 << 20, 65536, 32 << 20, PREFERRED },
        { 1, 5000, 1, 5000, 5000 },
        { 512, 5000, 512, 4608, 4608 },
        /* Against the protocol. */
        { 3, 4096, 1, 4096, 4096 },
        { 131072, 4096, 1, 4096, 4096 },
        { INT64_MAX, INT64_MAX, 1, MAX, PREFERRED },
        { INT64_MIN, INT64_MIN, 1, MAX, PREFERRED },
        { 4096, 512, 4096, MAX, PREFERRED },
        { 1, UINT32_MAX, 1, MAX, PREFERRED },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct nbd_export e;

        nbd_export_set_block_sizes(&e, cases[i].minimum, cases[i].maximum);
        if (e.minimum != cases[i].made_minimum ||
            e.maximum != cases[i].made_maximum ||
            e.preferred_read != cases[i].preferred_read)
            fail_msg("minimum %lld, maximum %lld: %u, %u, %u",
                     (long long)cases[i].minimum, (long long)cases[i].maximum,
                     e.minimum, e.maximum, e.preferred_read);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block_sizes),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
