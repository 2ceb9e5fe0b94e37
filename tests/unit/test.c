/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "blkhash.h"

unsigned oracle_digest(const char *digest, const void *buf, size_t len,
                       unsigned char *md)
{
    const EVP_MD *type = EVP_get_digestbyname(digest);
    unsigned md_len;

    assert_non_null(type);
    assert_int_equal(EVP_Digest(buf, len, md, &md_len, type, NULL), 1);
    return md_len;
}

unsigned oracle_checksum(const char *digest, size_t block_size, const void *buf,
                         size_t len, unsigned char *md)
{
    const unsigned char *p = buf;
    EVP_MD_CTX *root = EVP_MD_CTX_new();
    unsigned char le64[8];
    unsigned md_len;

    EVP_DigestInit_ex(root, EVP_get_digestbyname(digest), NULL);
    for (size_t done = 0; done < len; done += block_size) {
        size_t n = len - done < block_size ? len - done : block_size;

        md_len = oracle_digest(digest, p + done, n, md);
        EVP_DigestUpdate(root, md, md_len);
    }
    for (int i = 0; i < 8; i++)
        le64[i] = (uint64_t)len >> (8 * i);
    EVP_DigestUpdate(root, le64, sizeof(le64));
    EVP_DigestFinal_ex(root, md, &md_len);
    EVP_MD_CTX_free(root);
    return md_len;
}

uint32_t random_number(void)
{
    static uint64_t state = 1;

    state = state * 6364136223846793005 + 1442695040888963407;
    return state >> 32;
}

void random_fill(void *buf, size_t len)
{
    unsigned char *p = buf;

    for (size_t i = 0; i < len; i++)
        p[i] = random_number();
}

void random_mixture(unsigned char *buf, size_t len, size_t longest_run)
{
    while (len) {
        size_t n = 1 + random_number() % longest_run;

        if (n > len)
            n = len;
        if (random_number() % 2)
            memset(buf, 0, n);
        else
            random_fill(buf, n);
        buf += n;
        len -= n;
    }
}

bool kernel_is_missing(void)
{
    const char *name = getenv("BLKHASH_SHA256");
    struct blkhash_leaf *leaf = blkhash_leaf_new(512, "sha256");
    bool missing = !leaf && errno == ENOTSUP && name;

    if (missing)
        printf("1..0 # SKIP %s is not for this CPU\n", name);
    blkhash_leaf_free(leaf);
    return missing;
}

void assert_hex(const unsigned char *md, unsigned len, const char *hex)
{
    char text[2 * BLKHASH_MAX_MD_SIZE + 1];

    for (unsigned i = 0; i < len; i++)
        snprintf(text + 2 * i, 3, "%02x", md[i]);
    assert_string_equal(text, hex);
}
