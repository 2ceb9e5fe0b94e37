/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/sha256.h"

#define MAX_LEN 300

/* Not every CPU has kernels. */
#define OF_KERNELS static __attribute__((unused)) void

/* For each length around the limits of padding, each number of lanes and
 * different alignments, the digests are those of OpenSSL. */
OF_KERNELS test_lengths_and_lanes(void **state)
{
    const struct sha256_kernel *kernel = *state;
    static unsigned char data[SHA256_MAX_LANES][MAX_LEN + 64];
    const uint8_t *messages[SHA256_MAX_LANES];
    unsigned char md[SHA256_MAX_LANES][SHA256_SIZE];
    unsigned char *mds[SHA256_MAX_LANES];
    unsigned char expected[SHA256_SIZE];

    if (!kernel->usable())
        skip(); /* not for this CPU */
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

/* Messages of many blocks. */
OF_KERNELS test_long_messages(void **state)
{
    const struct sha256_kernel *kernel = *state;
    enum { LEN = 100003 };
    static unsigned char data[LEN + SHA256_MAX_LANES];
    const uint8_t *messages[SHA256_MAX_LANES];
    unsigned char md[SHA256_MAX_LANES][SHA256_SIZE];
    unsigned char *mds[SHA256_MAX_LANES];
    unsigned char expected[SHA256_SIZE];

    if (!kernel->usable())
        skip(); /* not for this CPU */
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

/* A kernel reads nothing after the end of a message: there is no memory. */
OF_KERNELS test_end_of_memory(void **state)
{
    const struct sha256_kernel *kernel = *state;
    size_t page = sysconf(_SC_PAGESIZE);
    const uint8_t *messages[SHA256_MAX_LANES];
    unsigned char md[SHA256_MAX_LANES][SHA256_SIZE];
    unsigned char *mds[SHA256_MAX_LANES];
    unsigned char expected[SHA256_SIZE];
    unsigned char *data;

    if (!kernel->usable())
        skip(); /* not for this CPU */
    data = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(data, MAP_FAILED);
    random_fill(data, page);
    assert_int_equal(mprotect(data + page, page, PROT_NONE), 0);

    for (size_t len = 0; len <= MAX_LEN; len++) {
        test_case("%s, length %zu", kernel->name, len);
        for (unsigned i = 0; i < kernel->lanes; i++) {
            messages[i] = data + page - len;
            mds[i] = md[i];
        }
        sha256_hash(kernel, messages, kernel->lanes, len, mds);
        oracle_digest("sha256", data + page - len, len, expected);
        for (unsigned i = 0; i < kernel->lanes; i++)
            assert_memory_equal(md[i], expected, SHA256_SIZE);
    }
    munmap(data, 2 * page);
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

#define TESTS_OF(name)                                                         \
    { "test_lengths_and_lanes_" #name, test_lengths_and_lanes, NULL, NULL,     \
      (void *)&SHA256_KERNEL(name) },                                          \
        { "test_long_messages_" #name, test_long_messages, NULL, NULL,         \
          (void *)&SHA256_KERNEL(name) },                                      \
        { "test_end_of_memory_" #name, test_end_of_memory, NULL, NULL,         \
          (void *)&SHA256_KERNEL(name) },

int main(void)
{
    /* clang-format off */
    const struct CMUnitTest tests[] = {
        SHA256_KERNELS(TESTS_OF)
        cmocka_unit_test(test_group_shares_evenly),
    };
    /* clang-format on */

    return RUN_TESTS(tests, NULL, NULL);
}
