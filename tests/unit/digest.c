/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/err.h>

#include "blkhash.h"
#include "common/array.h"
#include "lib/digest.h"

static void hash(const char *name, const void *buf, size_t len,
                 unsigned char *md, size_t *md_len)
{
    struct digest *d;
    struct digest_ctx *ctx;

    assert_int_equal(digest_open(name, &d), 0);
    *md_len = digest_size(d);
    ctx = digest_ctx_new(d);
    assert_non_null(ctx);
    /* Twice, since a context can be used again. */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(digest_start(ctx), 0);
        assert_int_equal(digest_update(ctx, buf, len / 2), 0);
        assert_int_equal(
            digest_update(ctx, (const char *)buf + len / 2, len - len / 2), 0);
        assert_int_equal(digest_finish(ctx, md), 0);
    }
    digest_ctx_free(ctx);
    digest_close(d);
}

/* Whether this build has it. */
static bool is_listed(const char *digest)
{
    const char *const *names = blkhash_digests();

    for (size_t i = 0; names[i]; i++) {
        if (strcmp(names[i], digest) == 0)
            return true;
    }
    return false;
}

/* Digests of "abc" as they were published: SHA-1 and SHA-2 in FIPS 180-4, SHA-3
 * in FIPS 202, BLAKE2 in RFC 7693. */
static void test_published_vectors(void **state)
{
    static const struct {
        const char *name, *hex;
        const char *optional; /* the name in the list; NULL: it must be there */
    } vectors[] = {
        { "sha256",
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        { "SHA-256",
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        { "sha1", "a9993e364706816aba3e25717850c26c9cd0d89d" },
        { "sha3-256",
          "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532" },
        { "blake2s256",
          "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982" },
        { "shake128", "5881092dd818bf5cf8a3ddb793fbcba7" },
        { "blake3",
          "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
          "blake3" },
        { "BLAKE3",
          "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
          "blake3" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        unsigned char md[BLKHASH_MAX_MD_SIZE];
        size_t len;

        if (vectors[i].optional && !is_listed(vectors[i].optional))
            continue;
        test_case("%s", vectors[i].name);
        hash(vectors[i].name, "abc", 3, md, &len);
        assert_hex(md, len, vectors[i].hex);
    }
}

static void test_unknown_digests(void **state)
{
    static const char *const names[] = { "",        "sha257", "UNDEF",
                                         "sha256 ", "shake",  "blake3x" };
    struct digest *d;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        test_case("'%s'", names[i]);
        assert_int_equal(digest_open(names[i], &d), ENOTSUP);
    }
}

/* The list is sorted and has no duplicates, and each name works in a stream. */
static void test_listed_digests_work(void **state)
{
    const char *const *names = blkhash_digests();
    bool sha256 = false;

    (void)state;
    assert_non_null(names);
    assert_ptr_equal(names, blkhash_digests());
    for (size_t i = 0; names[i]; i++) {
        unsigned char md[BLKHASH_MAX_MD_SIZE];
        unsigned len = 0;
        struct blkhash *h = blkhash_new(4096, names[i]);

        test_case("%s", names[i]);
        assert_true(i == 0 || strcmp(names[i - 1], names[i]) < 0);
        assert_non_null(h);
        assert_int_equal(blkhash_update(h, "hello", 5), 0);
        assert_int_equal(blkhash_zero(h, 1 << 20), 0);
        assert_int_equal(blkhash_final(h, md, &len), 0);
        assert_in_range(len, 16, BLKHASH_MAX_MD_SIZE);
        blkhash_free(h);
        sha256 |= strcmp(names[i], "sha256") == 0;
    }
    assert_true(sha256);
}

/* It is for measuring: nothing is computed, by any interface, and nobody finds
 * it in the list. */
static void test_null(void **state)
{
    /* Where sizes are large, other digests would take days. */
    const size_t hole = (size_t)1 << (SIZES_ARE_LARGE ? 60 : 30);
    const size_t rest = (size_t)(INT64_MAX - hole);
    static unsigned char buf[10000];
    unsigned char md[1] = { 77 };
    unsigned len = 5;
    size_t zero_blocks = 5;
    struct blkhash *h = blkhash_new(4096, "null");
    struct blkhash_leaf *leaf = blkhash_leaf_new(4096, "NULL");
    struct blkhash_root *root = blkhash_root_new(4096, "Null");
    struct blkhash_digest *d = blkhash_digest_new("null");

    (void)state;
    assert_false(is_listed("null"));
    assert_int_equal(blkhash_update(h, buf, sizeof(buf)), 0);
    assert_int_equal(blkhash_zero(h, hole), 0);
    assert_int_equal(blkhash_final(h, md, &len), 0);
    assert_int_equal(len, 0);

    assert_int_equal(blkhash_leaf_md_size(leaf), 0);
    assert_int_equal(
        blkhash_leaf_hash(leaf, buf, sizeof(buf), md, &zero_blocks), 0);
    assert_int_equal(zero_blocks, 0);

    len = 5;
    assert_int_equal(blkhash_root_digests(root, md, 3), 0);
    assert_int_equal(blkhash_root_zero(root, hole / 4096), 0);
    if (SIZES_ARE_LARGE)
        assert_int_equal(blkhash_root_digests(root, md, SIZE_MAX), EOVERFLOW);
    assert_int_equal(blkhash_root_final(root, hole, md, &len), EINVAL);
    assert_int_equal(blkhash_root_final(root, hole + 8193, md, &len), 0);
    assert_int_equal(len, 0);

    len = 5;
    assert_int_equal(blkhash_digest_size(d), 0);
    assert_int_equal(blkhash_digest_update(d, buf, sizeof(buf)), 0);
    assert_int_equal(blkhash_digest_zero(d, hole), 0);
    if (SIZES_ARE_LARGE)
        assert_int_equal(blkhash_digest_zero(d, rest), EOVERFLOW);
    assert_int_equal(blkhash_digest_final(d, md, &len), 0);
    assert_int_equal(len, 0);

    assert_int_equal(md[0], 77);
    blkhash_free(h);
    blkhash_leaf_free(leaf);
    blkhash_root_free(root);
    blkhash_digest_free(d);
}

/* Memory is looked at, so that a mapped file is read, or missed. */
static void test_null_reads_pages(void **state)
{
    const size_t page = sysconf(_SC_PAGESIZE);
    struct blkhash_leaf *leaf = blkhash_leaf_new(4 * page, "null");
    unsigned char md[1], there[4];
    unsigned char *p =
        mmap(NULL, 4 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)state;
    assert_ptr_not_equal(p, MAP_FAILED);
    assert_int_equal(blkhash_leaf_hash(leaf, p, 4 * page, md, NULL), 0);
    assert_int_equal(mincore(p, 4 * page, there), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(there[i] & 1, 1);
    munmap(p, 4 * page);
    blkhash_leaf_free(leaf);
}

/* The program uses the queue of errors, too: SSL_get_error() reads it. */
static void test_openssl_errors_stay_away(void **state)
{
    (void)state;
    ERR_clear_error();
    assert_null(blkhash_new(4096, "no-such-digest"));
    assert_int_equal(ERR_peek_error(), 0);
    assert_non_null(blkhash_digests());
    assert_int_equal(ERR_peek_error(), 0);
    ERR_raise(ERR_LIB_USER, 77);
    assert_null(blkhash_new(4096, "no-such-digest"));
    assert_int_equal(ERR_GET_REASON(ERR_get_error()), 77);
    assert_int_equal(ERR_get_error(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_vectors),
        cmocka_unit_test(test_unknown_digests),
        cmocka_unit_test(test_listed_digests_work),
        cmocka_unit_test(test_null),
        cmocka_unit_test(test_null_reads_pages),
        cmocka_unit_test(test_openssl_errors_stay_away),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
