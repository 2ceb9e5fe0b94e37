/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Failures of OpenSSL, whose functions go through the test (--wrap). And how
 * often the library reads the environment.
 */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "blkhash.h"
#include "lib/sha256-dispatch.h"

enum step { NONE, INIT, UPDATE, FINAL };

static enum step failing;
static unsigned looks; /* at the environment */

int __real_EVP_DigestInit_ex2(EVP_MD_CTX *ctx, const EVP_MD *md,
                              const OSSL_PARAM *params);
int __real_EVP_DigestUpdate(EVP_MD_CTX *ctx, const void *buf, size_t len);
int __real_EVP_DigestFinal_ex(EVP_MD_CTX *ctx, unsigned char *md,
                              unsigned int *len);
char *__real_secure_getenv(const char *name);
int __wrap_EVP_DigestInit_ex2(EVP_MD_CTX *ctx, const EVP_MD *md,
                              const OSSL_PARAM *params);
int __wrap_EVP_DigestUpdate(EVP_MD_CTX *ctx, const void *buf, size_t len);
int __wrap_EVP_DigestFinal_ex(EVP_MD_CTX *ctx, unsigned char *md,
                              unsigned int *len);
char *__wrap_secure_getenv(const char *name);

int __wrap_EVP_DigestInit_ex2(EVP_MD_CTX *ctx, const EVP_MD *md,
                              const OSSL_PARAM *params)
{
    return failing == INIT ? 0 : __real_EVP_DigestInit_ex2(ctx, md, params);
}

int __wrap_EVP_DigestUpdate(EVP_MD_CTX *ctx, const void *buf, size_t len)
{
    return failing == UPDATE ? 0 : __real_EVP_DigestUpdate(ctx, buf, len);
}

int __wrap_EVP_DigestFinal_ex(EVP_MD_CTX *ctx, unsigned char *md,
                              unsigned int *len)
{
    if (failing == FINAL) {
        ERR_raise(ERR_LIB_EVP, ERR_R_MALLOC_FAILURE);
        return 0;
    }
    return __real_EVP_DigestFinal_ex(ctx, md, len);
}

char *__wrap_secure_getenv(const char *name)
{
    looks++;
    return __real_secure_getenv(name);
}

/* --- dispatch ----------------------------------------------------------- */

/* Much slower than OpenSSL, and cannot fail. */
static void compress(struct sha256_state *state, const uint8_t *const data[],
                     unsigned count, size_t blocks)
{
    (void)state;
    (void)data;
    (void)count;
    for (volatile int i = 0; i < 100000; i++)
        (void)blocks;
}

static bool yes(void)
{
    return true;
}

static bool no(void)
{
    return false;
}

static const struct sha256_kernel slow = {
    .name = "slow", .lanes = 2, .usable = yes, .compress = compress
};
static const struct sha256_kernel missing = {
    .name = "missing", .lanes = 2, .usable = no, .compress = compress
};

/* A kernel that fails at once is not the fastest, wherever it is in the list.
 */
static void test_failing_candidate(void **state)
{
    const struct sha256_kernel *const candidates[] = { NULL, &missing, &slow,
                                                       NULL };
    uint64_t ns[4];

    (void)state;
    for (failing = INIT; failing <= FINAL; failing++) {
        struct sha256_dispatch dispatch = { 0 };

        test_case("step %d fails", (int)failing);
        assert_int_equal(sha256_choose(candidates, 4, &dispatch, ns), 0);
        for (unsigned n = 1; n <= SHA256_MAX_LANES; n++)
            assert_ptr_equal(dispatch.best[n], &slow);
        assert_int_equal(ns[0], 0);
        assert_int_equal(ns[1], 0);
        assert_true(ns[2] > 0);
    }
    failing = NONE;
    struct sha256_dispatch dispatch = { 0 };

    assert_int_equal(sha256_choose(candidates, 4, &dispatch, ns), 0);
    for (unsigned n = 1; n <= SHA256_MAX_LANES; n++)
        assert_null(dispatch.best[n]);
    assert_true(ns[0] > 0);
}

static void test_all_fail(void **state)
{
    const struct sha256_kernel *const candidates[] = { &missing, NULL };
    static const int errors[] = {
        [INIT] = EIO, [UPDATE] = EIO, [FINAL] = ENOMEM
    };
    struct sha256_dispatch dispatch = { 0 };
    uint64_t ns[2];

    (void)state;
    for (failing = INIT; failing <= FINAL; failing++)
        assert_int_equal(sha256_choose(candidates, 2, &dispatch, ns),
                         errors[failing]);
    failing = NONE;
}

/* Once, since later another thread of the program may change it. */
static void test_environment_is_read_once(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct blkhash_leaf *leaf = blkhash_leaf_new(4096, "sha256");

        assert_non_null(leaf);
        blkhash_leaf_free(leaf);
    }
    assert_int_equal(looks, 1);
}

/* --- hashing ------------------------------------------------------------ */

/* All later calls return the first error. */
static void test_stream_fails(void **state)
{
    static unsigned char buf[1 << 20];

    (void)state;
    memset(buf, 'x', sizeof(buf));
    for (failing = INIT; failing <= UPDATE; failing++) {
        enum step step = failing;
        unsigned char md[BLKHASH_MAX_MD_SIZE];
        struct blkhash *h;

        failing = NONE;
        test_case("step %d fails", (int)step);
        h = blkhash_new(4096, "sha512");
        assert_non_null(h);
        failing = step;
        assert_int_equal(blkhash_update(h, buf, sizeof(buf)), EIO);
        failing = NONE;
        assert_int_equal(blkhash_update(h, buf, 1), EIO);
        assert_int_equal(blkhash_zero(h, 1), EIO);
        assert_int_equal(blkhash_async_update(h, buf, 1, NULL), EIO);
        assert_int_equal(blkhash_final(h, md, NULL), EIO);
        blkhash_free(h);
        failing = step;
    }
    failing = NONE;
}

static void test_root_fails(void **state)
{
    struct blkhash_root *root = blkhash_root_new(4096, "sha512");
    unsigned char md[BLKHASH_MAX_MD_SIZE] = { 0 };

    (void)state;
    assert_int_equal(blkhash_root_digests(root, md, 1), 0);
    failing = UPDATE;
    assert_int_equal(blkhash_root_zero(root, 1000), EIO);
    failing = NONE;
    assert_int_equal(blkhash_root_zero(root, 1), EIO);
    assert_int_equal(blkhash_root_digests(root, md, 1), EIO);
    assert_int_equal(blkhash_root_digests(root, NULL, 0), EIO);
    assert_int_equal(blkhash_root_final(root, 1003 * 4096, md, NULL), EIO);
    assert_int_equal(blkhash_root_final(root, 1, md, NULL), EIO);
    blkhash_root_free(root);
}

static void test_plain_digest_fails(void **state)
{
    unsigned char md[BLKHASH_MAX_MD_SIZE] = { 0 };

    (void)state;
    for (enum step step = UPDATE; step <= FINAL; step++) {
        struct blkhash_digest *d = blkhash_digest_new("sha512");
        int err = step == FINAL ? ENOMEM : EIO;

        test_case("step %d fails", (int)step);
        assert_int_equal(blkhash_digest_update(d, md, 1), 0);
        failing = step;
        if (step == UPDATE)
            assert_int_equal(blkhash_digest_zero(d, 1 << 20), err);
        else
            assert_int_equal(blkhash_digest_final(d, md, NULL), err);
        failing = NONE;
        assert_int_equal(blkhash_digest_update(d, md, 1), err);
        assert_int_equal(blkhash_digest_zero(d, 0), err);
        assert_int_equal(blkhash_digest_zero(d, SIZE_MAX), err);
        assert_int_equal(blkhash_digest_final(d, md, NULL), err);
        blkhash_digest_free(d);
    }
}

static void test_new_fails(void **state)
{
    (void)state;
    failing = INIT;
    /* Of no other test: the digest of zeros is remembered. */
    assert_null(blkhash_new(8192, "sha512"));
    assert_int_equal(errno, EIO);
    assert_null(blkhash_leaf_new(8192, "sha512"));
    assert_int_equal(errno, EIO);
    assert_null(blkhash_root_new(8192, "sha512"));
    assert_int_equal(errno, EIO);
    assert_null(blkhash_digest_new("sha512"));
    assert_int_equal(errno, EIO);
    failing = NONE;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failing_candidate),
        cmocka_unit_test(test_all_fail),
        cmocka_unit_test(test_environment_is_read_once),
        cmocka_unit_test(test_stream_fails),
        cmocka_unit_test(test_root_fails),
        cmocka_unit_test(test_plain_digest_fails),
        cmocka_unit_test(test_new_fails),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
