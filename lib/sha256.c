/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/sha256.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/array.h"
#include "common/clock.h"
#include "lib/digest.h"

/* clang-format off */
_Alignas(64) const uint32_t sha256_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5,
    0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
    0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5,
    0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static const uint32_t initial_hash[SHA256_WORDS] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};
/* clang-format on */

static void put_be32(unsigned char *p, uint32_t v)
{
    p[0] = v >> 24;
    p[1] = v >> 16;
    p[2] = v >> 8;
    p[3] = v;
}

void sha256_hash(const struct sha256_kernel *kernel,
                 const uint8_t *const messages[], unsigned count, size_t len,
                 unsigned char *const mds[])
{
    size_t rest = len % SHA256_BLOCK;
    size_t whole = len - rest;
    /* The rest, a bit that is set, and the length in bits. */
    size_t tail_blocks = rest + 1 + 8 <= SHA256_BLOCK ? 1 : 2;
    unsigned char tails[SHA256_MAX_LANES][2 * SHA256_BLOCK] = { 0 };
    const uint8_t *data[SHA256_MAX_LANES];
    struct sha256_state state;

    for (unsigned i = 0; i < SHA256_WORDS; i++) {
        for (unsigned lane = 0; lane < SHA256_MAX_LANES; lane++)
            state.word[i][lane] = initial_hash[i];
    }

    for (unsigned lane = 0; lane < kernel->lanes; lane++)
        data[lane] = messages[lane < count ? lane : 0];
    kernel->compress(&state, data, count, whole / SHA256_BLOCK);

    for (unsigned lane = 0; lane < kernel->lanes; lane++) {
        unsigned char *end = tails[lane] + tail_blocks * SHA256_BLOCK;

        memcpy(tails[lane], data[lane] + whole, rest);
        tails[lane][rest] = 0x80;
        put_be32(end - 8, (uint64_t)len >> 29);
        put_be32(end - 4, (uint64_t)len << 3);
        data[lane] = tails[lane];
    }
    kernel->compress(&state, data, count, tail_blocks);

    for (unsigned lane = 0; lane < count; lane++) {
        for (unsigned i = 0; i < SHA256_WORDS; i++)
            put_be32(mds[lane] + 4 * i, state.word[i][lane]);
    }
}

unsigned sha256_group(const struct sha256_kernel *kernel, size_t n)
{
    unsigned lanes = kernel ? kernel->lanes : 1;
    size_t groups = (n + lanes - 1) / lanes;

    return (n + groups - 1) / groups;
}

/* --- the choice --------------------------------------------------------- */

static const struct sha256_kernel *const kernels[] = {
#if HAVE_X86_64_KERNELS
    &sha256_shani, &sha256_avx512, &sha256_avx2,
#endif
    NULL, /* OpenSSL */
};

#define KERNELS ARRAY_SIZE(kernels)

/* Long enough that padding does not count, short enough for a start-up. */
#define RACE_MESSAGE 1024
/* The best of so many counts: the first warms up the caches and the wide
 * units of the CPU. */
#define RACE_ROUNDS 3

struct race {
    uint8_t *message;
    struct digest *digest;
    struct digest_ctx *ctx;
};

static int digest_message(const struct race *race, unsigned char *md)
{
    int err = digest_start(race->ctx);

    if (!err)
        err = digest_update(race->ctx, race->message, RACE_MESSAGE);
    if (!err)
        err = digest_finish(race->ctx, md);
    return err;
}

/* Nanoseconds that one call with count messages takes. */
static int race_call(const struct race *race,
                     const struct sha256_kernel *kernel, unsigned count,
                     uint64_t *best)
{
    const uint8_t *messages[SHA256_MAX_LANES];
    unsigned char md[SHA256_MAX_LANES][SHA256_SIZE];
    unsigned char *mds[SHA256_MAX_LANES];

    *best = UINT64_MAX;
    for (unsigned i = 0; i < count; i++) {
        messages[i] = race->message;
        mds[i] = md[i];
    }
    for (int round = 0; round < RACE_ROUNDS; round++) {
        uint64_t start = clock_ns();
        uint64_t took;
        int err = 0;

        if (kernel)
            sha256_hash(kernel, messages, count, RACE_MESSAGE, mds);
        else
            err = digest_message(race, md[0]);
        if (err)
            return err;
        took = clock_ns() - start;
        if (took < *best)
            *best = took;
    }
    return 0;
}

/* The same for each count of messages that one call can have. */
static int race_calls(const struct race *race,
                      const struct sha256_kernel *kernel, uint64_t cost[])
{
    unsigned lanes = kernel ? kernel->lanes : 1;
    int err = 0;

    /* A vector kernel does all its lanes whether they are used or not. */
    for (unsigned count = 1; !err && count <= lanes; count++) {
        if (lanes > 4 && count > 1)
            cost[count] = cost[1];
        else
            err = race_call(race, kernel, count, &cost[count]);
    }
    return err;
}

/* Find, for each number of messages, the kernel that takes the least time. One
 * that fails is none of them. */
static int race_run(const struct race *race,
                    const struct sha256_kernel *const candidates[],
                    size_t candidate_count, struct sha256_choice *choice)
{
    uint64_t best[SHA256_MAX_LANES + 1];
    bool any = false;
    int first_error = 0;

    for (unsigned n = 0; n <= SHA256_MAX_LANES; n++)
        best[n] = UINT64_MAX;

    for (size_t k = 0; k < candidate_count; k++) {
        const struct sha256_kernel *kernel = candidates[k];
        uint64_t cost[SHA256_MAX_LANES + 1] = { 0 };
        int err;

        if (kernel && !kernel->usable())
            continue;
        err = race_calls(race, kernel, cost);
        if (err) {
            first_error = first_error ? first_error : err;
            continue;
        }
        any = true;
        for (unsigned n = 1; n <= SHA256_MAX_LANES; n++) {
            uint64_t total = 0;

            for (unsigned left = n; left > 0;) {
                unsigned group = sha256_group(kernel, left);

                total += cost[group];
                left -= group;
            }
            if (total < best[n]) {
                best[n] = total;
                choice->best[n] = kernel;
            }
        }
    }
    return any ? 0 : first_error;
}

int sha256_race(const struct sha256_kernel *const candidates[], size_t count,
                struct sha256_choice *choice)
{
    struct race race = { 0 };
    int err = ENOMEM;

    race.message = calloc(1, RACE_MESSAGE);
    if (!race.message)
        goto out;
    err = digest_open("sha256", &race.digest);
    if (err)
        goto out;
    race.ctx = digest_ctx_new(race.digest);
    if (!race.ctx) {
        err = ENOMEM;
        goto out;
    }
    err = race_run(&race, candidates, count, choice);
out:
    digest_ctx_free(race.ctx);
    digest_close(race.digest);
    free(race.message);
    return err;
}

static int force(const char *name, struct sha256_choice *choice)
{
    for (size_t k = 0; k < KERNELS; k++) {
        const struct sha256_kernel *kernel = kernels[k];

        if (strcmp(name, kernel ? kernel->name : "openssl") != 0)
            continue;
        if (kernel && !kernel->usable())
            return ENOTSUP;
        for (unsigned n = 0; n <= SHA256_MAX_LANES; n++)
            choice->best[n] = kernel;
        return 0;
    }
    return ENOTSUP;
}

/* The environment is looked at here and not in each call: the program may be
 * changing it meanwhile. */
static int choose(struct sha256_choice *choice)
{
    const char *name = secure_getenv("BLKHASH_SHA256");

    if (name && *name)
        return force(name, choice);
    return sha256_race(kernels, KERNELS, choice);
}

int sha256_choose(const struct sha256_choice **choice)
{
    static struct sha256_choice the_choice;
    static bool chosen;
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    int err = 0;

    pthread_mutex_lock(&lock);
    /* What failed, as for lack of memory, is tried again the next time. */
    if (!chosen)
        err = choose(&the_choice);
    chosen = !err;
    pthread_mutex_unlock(&lock);
    *choice = &the_choice;
    return err;
}
