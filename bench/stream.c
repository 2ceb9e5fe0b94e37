/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One SHA-256 stream over so many bytes, by OpenSSL: what the root of an image
 * of holes cannot be faster than, since it takes 32 bytes for each block.
 *
 *     stream BYTES
 */
#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>

/* Stays in the first cache of the CPU, as the digest of a zero block does. */
#define UPDATE 8192

int main(int argc, char **argv)
{
    static unsigned char buf[UPDATE];
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned int out_len = 0;
    unsigned long long left = argc == 2 ? strtoull(argv[1], NULL, 10) : 0;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_MD *md = EVP_MD_fetch(NULL, "SHA256", NULL);
    int ok;

    if (left == 0) {
        fprintf(stderr, "Usage: stream BYTES\n");
        return 2;
    }
    ok = ctx && md && EVP_DigestInit_ex(ctx, md, NULL);
    while (ok && left > 0) {
        size_t n = left < UPDATE ? left : UPDATE;

        ok = EVP_DigestUpdate(ctx, buf, n);
        left -= n;
    }
    ok = ok && EVP_DigestFinal_ex(ctx, out, &out_len);
    if (!ok)
        fprintf(stderr, "stream: OpenSSL failed\n");
    for (unsigned i = 0; ok && i < out_len; i++)
        printf("%02x", out[i]);
    if (ok)
        putchar('\n');

    EVP_MD_CTX_free(ctx);
    EVP_MD_free(md);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
