/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "blkhash.h"

/* NULL: this build does not have the digest. */
static struct blkhash_digest *new_digest(const char *name)
{
    struct blkhash_digest *d = blkhash_digest_new(name);

    if (!d && strcmp(name, "blake3") == 0)
        assert_int_equal(errno, ENOTSUP);
    else
        assert_non_null(d);
    return d;
}

static void assert_final(struct blkhash_digest *d, const char *hex)
{
    unsigned char md[BLKHASH_MAX_MD_SIZE];
    unsigned len = 0;

    assert_int_equal(blkhash_digest_final(d, md, &len), 0);
    assert_int_equal(len, blkhash_digest_size(d));
    assert_hex(md, len, hex);
    blkhash_digest_free(d);
}

/* A million times "a": of FIPS 180-4 and 202, and as md5sum prints it. */
static void test_published(void **state)
{
    static const struct {
        const char *name, *hex;
    } vectors[] = {
        { "md5", "7707d6ae4e027c70eea2a935c2296f21" },
        { "sha256",
          "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0" },
        { "SHA512",
          "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
          "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b" },
        { "sha3-256",
          "5c8875ae474a3634ba4fd55ec85bffd661f32aca75c6d699d0cdcb6c115891c1" },
    };
    char buf[1000];

    (void)state;
    memset(buf, 'a', sizeof(buf));
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        struct blkhash_digest *d = new_digest(vectors[i].name);

        test_case("%s", vectors[i].name);
        for (int n = 0; n < 1000; n++)
            assert_int_equal(blkhash_digest_update(d, buf, sizeof(buf)), 0);
        assert_final(d, vectors[i].hex);
    }
}

/* head -c 1000000 /dev/zero | sha256sum, and likewise for the others. */
static void test_zeros(void **state)
{
    static const struct {
        const char *name, *hex;
    } vectors[] = {
        { "sha256",
          "d29751f2649b32ff572b5e0a9f541ea660a50f94ff0beedfb0b692b924cc8025" },
        { "md5", "879f4bba57ed37c9ec5e5aedf9864698" },
        { "sha1", "bef3595266a65a2ff36b700a75e8ed95c68210b6" },
        { "blake2b512",
          "9ef8b51be521c6e33abb22d6a69363902b6d7eb67ca1364ebc87a64d5a36ec5e"
          "749e5c9e7029a85b0008e46cff24281e87500886818dbe79dc8e094f119bbeb8" },
        { "blake3",
          "c211bb2e5afbd0efa21659d5578ea30217d5382734be1b494faf705d9aa202a1" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        static const size_t steps[] = { 1000000, 500000, 65536, 4099 };

        for (size_t s = 0; s < ARRAY_SIZE(steps); s++) {
            struct blkhash_digest *d = new_digest(vectors[i].name);

            test_case("%s, %zu at a time", vectors[i].name, steps[s]);
            if (!d)
                continue;
            for (size_t n = 0, len; n < 1000000; n += len) {
                len = 1000000 - n < steps[s] ? 1000000 - n : steps[s];
                assert_int_equal(blkhash_digest_zero(d, len), 0);
            }
            assert_final(d, vectors[i].hex);
        }
    }
}

static void test_nothing(void **state)
{
    struct blkhash_digest *d = new_digest("sha256");

    (void)state;
    assert_int_equal(blkhash_digest_update(d, NULL, 0), 0);
    assert_int_equal(blkhash_digest_zero(d, 0), 0);
    assert_final(
        d, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* However the content is split into calls, and wherever its zeros are. */
static void test_mixture(void **state)
{
    enum { SIZE = 400000 };
    unsigned char *buf = malloc(SIZE);

    (void)state;
    for (int round = 0; round < 40; round++) {
        struct blkhash_digest *d = new_digest("sha256");
        unsigned char md[BLKHASH_MAX_MD_SIZE], expected[BLKHASH_MAX_MD_SIZE];

        test_case("round %d", round);
        for (size_t n = 0, len; n < SIZE; n += len) {
            len = random_number() % (round % 2 ? 150000 : 5000);
            if (len > SIZE - n)
                len = SIZE - n;
            if (random_number() % 2) {
                memset(buf + n, 0, len);
                assert_int_equal(blkhash_digest_zero(d, len), 0);
            } else {
                random_fill(buf + n, len);
                assert_int_equal(blkhash_digest_update(d, buf + n, len), 0);
            }
        }
        assert_int_equal(blkhash_digest_final(d, md, NULL), 0);
        oracle_digest("sha256", buf, SIZE, expected);
        assert_memory_equal(md, expected, 32);
        blkhash_digest_free(d);
    }
    free(buf);
}

static void test_wrong_arguments(void **state)
{
    const size_t too_long = (size_t)(INT64_MAX - 2);
    struct blkhash_digest *d;
    unsigned char md[BLKHASH_MAX_MD_SIZE];

    (void)state;
    assert_null(blkhash_digest_new(NULL));
    assert_int_equal(errno, EINVAL);
    assert_null(blkhash_digest_new("no-such-digest"));
    assert_int_equal(errno, ENOTSUP);

    d = new_digest("sha256");
    assert_int_equal(blkhash_digest_size(d), 32);
    assert_int_equal(blkhash_digest_size(NULL), 0);
    assert_int_equal(blkhash_digest_update(NULL, md, 1), EINVAL);
    assert_int_equal(blkhash_digest_update(d, NULL, 1), EINVAL);
    assert_int_equal(blkhash_digest_zero(NULL, 1), EINVAL);
    assert_int_equal(blkhash_digest_final(NULL, md, NULL), EINVAL);
    assert_int_equal(blkhash_digest_final(d, NULL, NULL), EINVAL);

    /* Nothing was added by these, nor by content that is too long. */
    assert_int_equal(blkhash_digest_update(d, "abc", 3), 0);
    if (SIZES_ARE_LARGE) {
        assert_int_equal(blkhash_digest_zero(d, too_long), EOVERFLOW);
        assert_int_equal(blkhash_digest_zero(d, SIZE_MAX), EOVERFLOW);
        assert_int_equal(blkhash_digest_update(d, md, too_long), EOVERFLOW);
    }
    assert_int_equal(blkhash_digest_final(d, md, NULL), 0);
    assert_hex(
        md, 32,
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");

    assert_int_equal(blkhash_digest_final(d, md, NULL), EINVAL);
    assert_int_equal(blkhash_digest_update(d, md, 1), EINVAL);
    assert_int_equal(blkhash_digest_update(d, NULL, 0), EINVAL);
    assert_int_equal(blkhash_digest_zero(d, 0), EINVAL);
    blkhash_digest_free(d);
    blkhash_digest_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published),       cmocka_unit_test(test_zeros),
        cmocka_unit_test(test_nothing),         cmocka_unit_test(test_mixture),
        cmocka_unit_test(test_wrong_arguments),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
