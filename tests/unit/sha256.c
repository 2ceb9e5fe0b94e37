/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <string.h>

#include "lib/sha256.h"

#define MAX_LEN 300

static const struct sha256_kernel *kernel;

/* Every length around the borders of padding, in every number of lanes, from
 * every alignment, agrees with OpenSSL. */
static void test_lengths_and_lanes(void **state)
{
    static unsigned char data[SHA256_MAX_LANES][MAX_LEN + 64];
    const uint8_t *messages[SHA256_MAX_LANES];
    unsigned char md[SHA256_MAX_LANES][SHA256_SIZE];
    unsigned char *mds[SHA256_MAX_LANES];
    unsigned char expected[SHA256_SIZE];

    (void)state;
    if (!kernel->usable())
        skip();
    random_fill(data, sizeof(data));
    for (unsigned i = 0; i < SHA256_MAX_LANES; i++) {
        messages[i] = data[i] + i;
        mds[i] = md[i];
    }

    for (unsigned count = 1; count <= kernel->lanes; count++) {
        for (size_t len = 0; len <= MAX_LEN; len++) {
            test_case("%s, %u messages, length %zu", kernel->name, count, len);
            memset(md, 0, sizeof(md));
            sha256_hash(kernel, messages, count, len, mds);
            for (unsigned i = 0; i < count; i++) {
                oracle_digest("sha256", messages[i], len, expected);
                assert_memory_equal(md[i], expected, SHA256_SIZE);
            }
        }
    }
}

/* A message of many blocks: the state is carried from one to the next. */
static void test_long_messages(void **state)
{
    enum { LEN = 100003 };
    static unsigned char data[LEN + SHA256_MAX_LANES];
    const uint8_t *messages[SHA256_MAX_LANES];
    unsigned char md[SHA256_MAX_LANES][SHA256_SIZE];
    unsigned char *mds[SHA256_MAX_LANES];
    unsigned char expected[SHA256_SIZE];

    (void)state;
    if (!kernel->usable())
        skip();
    random_fill(data, sizeof(data));
    for (unsigned i = 0; i < kernel->lanes; i++) {
        messages[i] = data + i;
        mds[i] = md[i];
    }
    sha256_hash(kernel, messages, kernel->lanes, LEN, mds);
    test_case("%s", kernel->name);
    for (unsigned i = 0; i < kernel->lanes; i++) {
        oracle_digest("sha256", messages[i], LEN, expected);
        assert_memory_equal(md[i], expected, SHA256_SIZE);
    }
}

static void test_group_shares_evenly(void **state)
{
    const struct sha256_kernel sixteen = { .lanes = 16 };
    const struct sha256_kernel three = { .lanes = 3 };

    (void)state;
    assert_int_equal(sha256_group(&sixteen, 16), 16);
    assert_int_equal(sha256_group(&sixteen, 17), 9);
    assert_int_equal(sha256_group(&three, 4), 2);
    assert_int_equal(sha256_group(&three, 1), 1);
    assert_int_equal(sha256_group(NULL, 5), 1);
}

/* The choice names, for every number of messages, a kernel that can run. */
static void test_choice_is_usable(void **state)
{
    const struct sha256_choice *choice;

    (void)state;
    assert_int_equal(sha256_choose(&choice), 0);
    for (unsigned n = 1; n <= SHA256_MAX_LANES; n++) {
        test_case("%u messages", n);
        assert_true(!choice->best[n] || choice->best[n]->usable());
    }
}

#if HAVE_X86_64_KERNELS
static int with_shani(void **state)
{
    (void)state;
    kernel = &sha256_shani;
    return 0;
}

static int with_avx512(void **state)
{
    (void)state;
    kernel = &sha256_avx512;
    return 0;
}

static int with_avx2(void **state)
{
    (void)state;
    kernel = &sha256_avx2;
    return 0;
}
#endif

#define WITH(test, name)                                                       \
    {                                                                          \
#test "_" #name, test, with_##name, NULL, NULL                         \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
#if HAVE_X86_64_KERNELS
        WITH(test_lengths_and_lanes, shani),
        WITH(test_lengths_and_lanes, avx512),
        WITH(test_lengths_and_lanes, avx2),
        WITH(test_long_messages, shani),
        WITH(test_long_messages, avx512),
        WITH(test_long_messages, avx2),
#endif
        cmocka_unit_test(test_group_shares_evenly),
        cmocka_unit_test(test_choice_is_usable),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
