/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How fast one core hashes memory: OpenSSL's SHA-256 in one stream, and blocks
 * by blkhash_leaf_hash(), in turns, so that each pair has the same noise.
 *
 *     memory DIGEST PAIRS
 *     memory --kernels
 *
 * Prints one line of JSON; or the SHA-256 kernels of this machine, one a line.
 * The library reads BLKHASH_SHA256 once in a process, so each kernel is a run
 * of its own; "check" must be the same for all.
 */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>

#include "common/clock.h"
#include "blkhash.h"

#define BLOCK ((size_t)BLKHASH_DEFAULT_BLOCK_SIZE)
/* What disksum gives the library at once. */
#define PIECE ((size_t)1024 * 1024)
/* Larger than the caches of a core, so that memory is read as in real work. */
#define BUFFER ((size_t)64 * 1024 * 1024)
#define MAX_PAIRS 1000

static _Noreturn void die(const char *what, int err)
{
    fprintf(stderr, "memory: %s: %s\n", what, strerror(err));
    exit(EXIT_FAILURE);
}

/* The last CPU allowed: the first often serves interrupts. */
static void stay_on_one_cpu(void)
{
    cpu_set_t all, one;
    int last = -1;

    if (sched_getaffinity(0, sizeof(all), &all) < 0)
        die("sched_getaffinity", errno);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &all))
            last = cpu;
    }
    CPU_ZERO(&one);
    CPU_SET(last, &one);
    if (sched_setaffinity(0, sizeof(one), &one) < 0)
        die("sched_setaffinity", errno);
}

/* Bytes that look random, and are the same in each process. */
static void fill(unsigned char *buf)
{
    uint64_t x = 88172645463325252;

    for (size_t i = 0; i < BUFFER; i += sizeof(x)) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        memcpy(buf + i, &x, sizeof(x));
    }
}

/* Seconds of one SHA-256 over the buffer, by OpenSSL. */
static double hash_stream(EVP_MD_CTX *ctx, const EVP_MD *md,
                          const unsigned char *buf)
{
    unsigned char out[EVP_MAX_MD_SIZE];
    double start = clock_seconds();

    if (!EVP_DigestInit_ex(ctx, md, NULL))
        die("OpenSSL", EIO);
    for (size_t i = 0; i < BUFFER; i += BLOCK) {
        if (!EVP_DigestUpdate(ctx, buf + i, BLOCK))
            die("OpenSSL", EIO);
    }
    if (!EVP_DigestFinal_ex(ctx, out, NULL))
        die("OpenSSL", EIO);
    return clock_seconds() - start;
}

/* Seconds of the digests of all blocks. */
static double hash_leaves(struct blkhash_leaf *leaf, const unsigned char *buf,
                          unsigned char *mds)
{
    size_t md_size = blkhash_leaf_md_size(leaf);
    double start = clock_seconds();

    for (size_t i = 0; i < BUFFER; i += PIECE) {
        int err = blkhash_leaf_hash(leaf, buf + i, PIECE,
                                    mds + i / BLOCK * md_size, NULL);
        if (err)
            die("blkhash_leaf_hash", err);
    }
    return clock_seconds() - start;
}

static void print_speeds(const char *name, const double *seconds, int count)
{
    printf(", \"%s\": [", name);
    for (int i = 0; i < count; i++)
        printf("%s%.4f", i ? ", " : "", BUFFER / 1e9 / seconds[i]);
    putchar(']');
}

/* A digest of all the digests, to compare the kernels by. */
static void print_check(EVP_MD_CTX *ctx, const EVP_MD *md,
                        const unsigned char *mds, size_t len)
{
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned int out_len;

    if (!EVP_DigestInit_ex(ctx, md, NULL) || !EVP_DigestUpdate(ctx, mds, len) ||
        !EVP_DigestFinal_ex(ctx, out, &out_len))
        die("OpenSSL", EIO);
    printf(", \"check\": \"");
    for (unsigned i = 0; i < out_len; i++)
        printf("%02x", out[i]);
    putchar('"');
}

static int print_kernels(void)
{
    for (const char *const *name = blkhash_kernels(); *name; name++)
        puts(*name);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static double stream[MAX_PAIRS], leaves[MAX_PAIRS];
    int pairs = argc == 3 ? atoi(argv[2]) : 0;
    EVP_MD_CTX *ctx;
    EVP_MD *md;
    struct blkhash_leaf *leaf;
    unsigned char *buf, *mds;

    if (argc == 2 && strcmp(argv[1], "--kernels") == 0)
        return print_kernels();
    if (pairs < 1 || pairs > MAX_PAIRS) {
        fprintf(stderr, "Usage: memory DIGEST PAIRS | --kernels\n");
        return 2;
    }
    stay_on_one_cpu();
    leaf = blkhash_leaf_new(BLOCK, argv[1]);
    if (!leaf)
        die(argv[1], errno);
    ctx = EVP_MD_CTX_new();
    md = EVP_MD_fetch(NULL, "SHA256", NULL);
    buf = aligned_alloc(PIECE, BUFFER);
    mds = malloc(BUFFER / BLOCK * BLKHASH_MAX_MD_SIZE);
    if (!ctx || !md || !buf || !mds)
        die("memory", ENOMEM);
    fill(buf);

    /* The first turn, not counted, warms up the clock of the CPU. */
    hash_stream(ctx, md, buf);
    hash_leaves(leaf, buf, mds);
    for (int i = 0; i < pairs; i++) {
        stream[i] = hash_stream(ctx, md, buf);
        leaves[i] = hash_leaves(leaf, buf, mds);
    }

    printf("{\"digest\": \"%s\", \"kernel\": \"%s\"", argv[1],
           blkhash_leaf_kernel(leaf));
    print_speeds("stream", stream, pairs);
    print_speeds("leaf", leaves, pairs);
    print_check(ctx, md, mds, BUFFER / BLOCK * blkhash_leaf_md_size(leaf));
    printf("}\n");

    blkhash_leaf_free(leaf);
    EVP_MD_CTX_free(ctx);
    EVP_MD_free(md);
    free(buf);
    free(mds);
    return EXIT_SUCCESS;
}
