/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/array.h"
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "blkhash.h"

#define MD 32

static struct blkhash *new_stream(size_t block_size, unsigned threads,
                                  unsigned depth)
{
    struct blkhash_options *o = blkhash_options_new("sha256");
    struct blkhash *h;

    assert_int_equal(blkhash_options_set_block_size(o, block_size), 0);
    assert_int_equal(blkhash_options_set_threads(o, threads), 0);
    assert_int_equal(blkhash_options_set_queue_depth(o, depth), 0);
    h = blkhash_new_with_options(o);
    blkhash_options_free(o);
    assert_non_null(h);
    return h;
}

/* In one call, if a size can be so large. */
static void add_zeros(struct blkhash *h, uint64_t len)
{
    while (len > 0) {
        size_t n = len < SIZE_MAX ? len : SIZE_MAX;

        assert_int_equal(blkhash_zero(h, n), 0);
        len -= n;
    }
}

/* --- the promise: tools print these ------------------------------------- */

static void test_golden(void **state)
{
    unsigned char md[MD];
    unsigned len;
    struct blkhash *h;

    (void)state;
    h = blkhash_new(65536, "sha256");
    assert_int_equal(blkhash_final(h, md, &len), 0);
    assert_int_equal(len, MD);
    assert_hex(
        md, len,
        "af5570f5a1810b7af78caf4bc70a660f0df51e42baf91d4de5b2328de0e83dfc");
    blkhash_free(h);

    h = blkhash_new(65536, "sha256");
    assert_int_equal(blkhash_update(h, "hello", 5), 0);
    assert_int_equal(blkhash_final(h, md, NULL), 0);
    assert_hex(md, 2, "3373");
    assert_hex(md + 2, 2, "55fe");
    assert_hex(md + 30, 2, "45e6");
    blkhash_free(h);

    h = blkhash_new(65536, "sha256");
    add_zeros(h, UINT64_C(6) << 30);
    assert_int_equal(blkhash_final(h, md, NULL), 0);
    assert_hex(md, 4, "af207a38");
    assert_hex(md + 30, 2, "76d9");
    blkhash_free(h);
}

/* --- any cut of the content --------------------------------------------- */

/* Add len bytes in calls of up to `longest`. Zeros are data, or blkhash_zero().
 */
static void feed(struct blkhash *h, const unsigned char *buf, size_t len,
                 size_t longest)
{
    size_t done = 0;

    while (done < len) {
        size_t n = 1 + random_number() % longest;
        size_t zeros = 0;

        while (done + zeros < len && buf[done + zeros] == 0)
            zeros++;
        if (zeros && random_number() % 3) {
            n = 1 + random_number() % zeros;
            assert_int_equal(blkhash_zero(h, n), 0);
        } else {
            if (n > len - done)
                n = len - done;
            assert_int_equal(blkhash_update(h, buf + done, n), 0);
        }
        done += n;
    }
}

static void check_content(size_t block_size, unsigned threads, unsigned depth,
                          const unsigned char *buf, size_t len, size_t longest)
{
    struct blkhash *h = new_stream(block_size, threads, depth);
    unsigned char md[MD], expected[MD];

    test_case("block size %zu, threads %u, depth %u, length %zu, updates of up "
              "to %zu",
              block_size, threads, depth, len, longest);
    feed(h, buf, len, longest);
    assert_int_equal(blkhash_final(h, md, NULL), 0);
    blkhash_free(h);
    oracle_checksum("sha256", block_size, buf, len, expected);
    assert_memory_equal(md, expected, MD);
}

static void test_mixtures(void **state)
{
    static const size_t block_sizes[] = { 1, 13, 512, 4096, 65536 };
    enum { LEN = 1500000 };
    unsigned char *buf = malloc(LEN);

    (void)state;
    for (int round = 0; round < 60; round++) {
        size_t block_size = block_sizes[random_number() % 5];
        size_t len = random_number() % LEN;

        if (block_size < 512)
            len %= 20000;
        random_mixture(buf, len, 4 * block_size + 3);
        check_content(block_size, 1 + random_number() % 8,
                      1 + random_number() % 32, buf, len,
                      1 + random_number() % 300000);
    }
    free(buf);
}

static void test_byte_by_byte(void **state)
{
    unsigned char buf[3000];

    (void)state;
    random_mixture(buf, sizeof(buf), 200);
    check_content(512, 1, 1, buf, sizeof(buf), 1);
    check_content(512, 2, 2, buf, sizeof(buf), 1);
}

/* Updates that are larger than the queue, in blocks that are larger than a
 * piece. */
static void test_large_updates(void **state)
{
    enum { LEN = 24 * 1024 * 1024 + 77 };
    unsigned char *buf = malloc(LEN);

    (void)state;
    random_mixture(buf, LEN, 3000000);
    for (unsigned threads = 1; threads <= 3; threads++) {
        check_content(1024 * 1024, threads, 2, buf, LEN, LEN);
        check_content(65536, threads, 3, buf, LEN, LEN);
    }
    free(buf);
}

/* Other digests of OpenSSL, in calls of random length. */
static void test_other_digests(void **state)
{
    static const char *const digests[] = { "sha1", "sha512", "blake2b512",
                                           "sha3-256" };
    unsigned char buf[50000], md[BLKHASH_MAX_MD_SIZE];
    unsigned char expected[BLKHASH_MAX_MD_SIZE];

    (void)state;
    random_mixture(buf, sizeof(buf), 9000);
    for (size_t i = 0; i < ARRAY_SIZE(digests); i++) {
        struct blkhash *h = blkhash_new(4096, digests[i]);
        unsigned len, expected_len;

        test_case("%s", digests[i]);
        feed(h, buf, sizeof(buf), 7000);
        assert_int_equal(blkhash_final(h, md, &len), 0);
        expected_len =
            oracle_checksum(digests[i], 4096, buf, sizeof(buf), expected);
        assert_int_equal(len, expected_len);
        assert_memory_equal(md, expected, len);
        blkhash_free(h);
    }
}

/* 64 TiB of zeros: a length of more than 32 bits. */
static void test_huge_hole(void **state)
{
    uint64_t size = UINT64_C(1) << 46;
    unsigned char *block = calloc(1, BLKHASH_MAX_BLOCK_SIZE);
    unsigned char md[MD], zero_md[MD], expected[MD], le64[8];
    struct blkhash *h = blkhash_new(BLKHASH_MAX_BLOCK_SIZE, "sha256");
    EVP_MD_CTX *root = EVP_MD_CTX_new();

    (void)state;
    add_zeros(h, size - 5);
    add_zeros(h, 5);
    assert_int_equal(blkhash_final(h, md, NULL), 0);
    blkhash_free(h);

    oracle_digest("sha256", block, BLKHASH_MAX_BLOCK_SIZE, zero_md);
    EVP_DigestInit_ex(root, EVP_sha256(), NULL);
    for (uint64_t i = 0; i < size / BLKHASH_MAX_BLOCK_SIZE; i++)
        EVP_DigestUpdate(root, zero_md, MD);
    for (int i = 0; i < 8; i++)
        le64[i] = size >> (8 * i);
    EVP_DigestUpdate(root, le64, 8);
    EVP_DigestFinal_ex(root, expected, NULL);
    assert_memory_equal(md, expected, MD);
    EVP_MD_CTX_free(root);
    free(block);
}

/* --- wrong use ---------------------------------------------------------- */

static void test_too_long(void **state)
{
    const size_t too_long = (size_t)(INT64_MAX - 4);
    struct blkhash *h = blkhash_new(512, "sha256");
    unsigned char md[MD], expected[MD];

    (void)state;
    assert_int_equal(blkhash_update(h, "hello", 5), 0);
    if (SIZES_ARE_LARGE) {
        assert_int_equal(blkhash_zero(h, too_long), EOVERFLOW);
        assert_int_equal(blkhash_zero(h, SIZE_MAX), EOVERFLOW);
        assert_int_equal(blkhash_update(h, md, SIZE_MAX), EOVERFLOW);
    }
    /* Nothing was added, and the stream can still be used. */
    assert_int_equal(blkhash_final(h, md, NULL), 0);
    oracle_checksum("sha256", 512, "hello", 5, expected);
    assert_memory_equal(md, expected, MD);
    blkhash_free(h);
}

static void test_after_final(void **state)
{
    struct blkhash *h = blkhash_new(512, "sha256");
    unsigned char md[MD];

    (void)state;
    assert_int_equal(blkhash_final(h, md, NULL), 0);
    assert_int_equal(blkhash_final(h, md, NULL), EINVAL);
    assert_int_equal(blkhash_update(h, "x", 1), EINVAL);
    assert_int_equal(blkhash_zero(h, 1), EINVAL);
    assert_int_equal(blkhash_async_update(h, "x", 1, NULL), EINVAL);
    blkhash_free(h);
}

static void test_wrong_arguments(void **state)
{
    struct blkhash *h;
    struct blkhash_options *o;
    unsigned char md[MD];
    unsigned count;

    (void)state;
    assert_null(blkhash_new(0, "sha256"));
    assert_int_equal(errno, EINVAL);
    assert_null(blkhash_new(BLKHASH_MAX_BLOCK_SIZE + 1, "sha256"));
    assert_int_equal(errno, EINVAL);
    assert_null(blkhash_new(512, NULL));
    assert_int_equal(errno, EINVAL);
    assert_null(blkhash_new(512, "no-such-digest"));
    assert_int_equal(errno, ENOTSUP);
    assert_null(blkhash_new_with_options(NULL));
    assert_int_equal(errno, EINVAL);
    assert_null(blkhash_options_new(NULL));
    assert_int_equal(errno, EINVAL);

    o = blkhash_options_new("sha256");
    assert_int_equal(blkhash_options_set_block_size(o, 0), EINVAL);
    assert_int_equal(
        blkhash_options_set_block_size(o, BLKHASH_MAX_BLOCK_SIZE + 1), EINVAL);
    assert_int_equal(blkhash_options_set_threads(o, 0), EINVAL);
    assert_int_equal(blkhash_options_set_threads(o, BLKHASH_MAX_THREADS + 1),
                     EINVAL);
    assert_int_equal(blkhash_options_set_queue_depth(o, 0), EINVAL);
    assert_int_equal(
        blkhash_options_set_queue_depth(o, BLKHASH_MAX_QUEUE_DEPTH + 1),
        EINVAL);
    assert_int_equal(blkhash_options_set_block_size(NULL, 1), EINVAL);
    assert_int_equal(blkhash_options_set_threads(NULL, 1), EINVAL);
    assert_int_equal(blkhash_options_set_queue_depth(NULL, 1), EINVAL);
    blkhash_options_free(o);
    blkhash_options_free(NULL);

    h = blkhash_new(512, "sha256");
    assert_int_equal(blkhash_update(NULL, "x", 1), EINVAL);
    assert_int_equal(blkhash_update(h, NULL, 1), EINVAL);
    assert_int_equal(blkhash_update(h, NULL, 0), 0);
    assert_int_equal(blkhash_zero(NULL, 1), EINVAL);
    assert_int_equal(blkhash_async_update(NULL, "x", 1, NULL), EINVAL);
    assert_int_equal(blkhash_async_update(h, NULL, 1, NULL), EINVAL);
    assert_int_equal(blkhash_completion_fd(NULL, NULL), EINVAL);
    assert_int_equal(blkhash_completion_fd(h, NULL), EINVAL);
    assert_int_equal(blkhash_completions(NULL, NULL, 0, &count), EINVAL);
    assert_int_equal(blkhash_completions(h, NULL, 1, &count), EINVAL);
    assert_int_equal(blkhash_completions(h, NULL, 0, NULL), EINVAL);
    assert_int_equal(blkhash_final(NULL, md, NULL), EINVAL);
    assert_int_equal(blkhash_final(h, NULL, NULL), EINVAL);
    assert_int_equal(blkhash_final(h, md, NULL), 0);
    blkhash_free(h);
    blkhash_free(NULL);
}

/* Free a stream in the middle of its work. */
static void test_free_unfinished(void **state)
{
    static unsigned char buf[4 << 20];

    (void)state;
    for (unsigned threads = 1; threads <= 4; threads++) {
        struct blkhash *h = new_stream(4096, threads, 64);

        test_case("threads %u", threads);
        assert_int_equal(blkhash_update(h, buf, 1000000), 0);
        assert_int_equal(blkhash_async_update(h, buf, sizeof(buf), NULL), 0);
        blkhash_free(h);
    }
}

static void put_page(int signal, siginfo_t *info, void *context)
{
    uintptr_t page = (uintptr_t)info->si_addr & ~(uintptr_t)4095;

    (void)signal;
    (void)context;
    mmap((void *)page, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
         -1, 0);
}

/* A program that hashes a mapped file can handle SIGBUS, also in the threads of
 * the library: they do not block it. */
static void test_fault_in_the_bytes(void **state)
{
    struct sigaction action = { .sa_sigaction = put_page,
                                .sa_flags = SA_SIGINFO };
    const size_t size = 1 << 20;
    struct sigaction before;

    (void)state;
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &before);
    for (int threads = 1; threads <= 3; threads++) {
        int fd = memfd_create("bytes", 0);
        unsigned char md[32], expected[32];
        struct blkhash *h = new_stream(4096, threads, 64);
        void *bytes;

        test_case("threads %d", threads);
        assert_int_equal(ftruncate(fd, size), 0);
        bytes = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
        assert_true(bytes != MAP_FAILED);
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(blkhash_update(h, bytes, size), 0);
        assert_int_equal(blkhash_final(h, md, NULL), 0);
        oracle_checksum("sha256", 4096, bytes, size, expected);
        assert_memory_equal(md, expected, 32);
        blkhash_free(h);
        munmap(bytes, size);
        close(fd);
    }
    sigaction(SIGBUS, &before, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_mixtures),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_large_updates),
        cmocka_unit_test(test_other_digests),
        cmocka_unit_test(test_huge_hole),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_after_final),
        cmocka_unit_test(test_wrong_arguments),
        cmocka_unit_test(test_free_unfinished),
        cmocka_unit_test(test_fault_in_the_bytes),
    };

    return RUN_WITH_KERNEL(tests);
}
