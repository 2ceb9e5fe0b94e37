/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/sha256-benchmark.h"

#include <errno.h>
#include <stddef.h>

#include "common/clock.h"
#include "lib/digest.h"

/* The fastest of these rounds counts: the first warms up the caches and the
 * wide vector units of the CPU. */
#define ROUNDS 3

/* A kernel with more lanes is a vector kernel. It takes the same time for any
 * number of messages, so it is measured only once. */
#define MAX_SCALAR_LANES 4

/* Long enough that the padding does not matter, short enough not to delay a
 * program. */
static const uint8_t message[SHA256_BENCHMARK_MESSAGE];

static int hash_message(struct digest_ctx *ctx, unsigned char *md)
{
    int err = digest_start(ctx);

    if (!err)
        err = digest_update(ctx, message, sizeof(message));
    if (!err)
        err = digest_finish(ctx, md);
    return err;
}

/* The time of one call with count messages. Without a kernel, ctx hashes. */
static int measure(const struct sha256_kernel *kernel, struct digest_ctx *ctx,
                   unsigned count, uint64_t *best)
{
    const uint8_t *messages[SHA256_MAX_LANES];
    unsigned char md[SHA256_MAX_LANES][SHA256_SIZE];
    unsigned char *mds[SHA256_MAX_LANES];

    *best = UINT64_MAX;
    for (unsigned i = 0; i < count; i++) {
        messages[i] = message;
        mds[i] = md[i];
    }
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t start = clock_ns();
        uint64_t took;
        int err = 0;

        if (kernel)
            sha256_hash(kernel, messages, count, sizeof(message), mds);
        else
            err = hash_message(ctx, md[0]);
        if (err)
            return err;
        took = clock_ns() - start;
        if (took < *best)
            *best = took;
    }
    return 0;
}

/* The time of one call for each number of messages up to the lanes. */
static int measure_calls(const struct sha256_kernel *kernel,
                         struct digest_ctx *ctx, uint64_t call[])
{
    unsigned lanes = kernel ? kernel->lanes : 1;
    int err = 0;

    for (unsigned count = 1; !err && count <= lanes; count++) {
        if (lanes > MAX_SCALAR_LANES && count > 1)
            call[count] = call[1];
        else
            err = measure(kernel, ctx, count, &call[count]);
    }
    return err;
}

static int open_openssl(struct digest **digest, struct digest_ctx **ctx)
{
    int err = digest_open("sha256", digest);

    if (err)
        return err;
    *ctx = digest_ctx_new(*digest);
    return *ctx ? 0 : ENOMEM;
}

int sha256_benchmark(const struct sha256_kernel *kernel,
                     uint64_t ns[SHA256_MAX_LANES + 1])
{
    uint64_t call[SHA256_MAX_LANES + 1] = { 0 };
    struct digest *digest = NULL;
    struct digest_ctx *ctx = NULL;
    int err = kernel ? 0 : open_openssl(&digest, &ctx);

    if (!err)
        err = measure_calls(kernel, ctx, call);
    digest_ctx_free(ctx);
    digest_close(digest);

    for (unsigned n = 0; !err && n <= SHA256_MAX_LANES; n++) {
        ns[n] = 0;
        for (unsigned left = n; left > 0;) {
            unsigned group = sha256_group(kernel, left);

            ns[n] += call[group];
            left -= group;
        }
    }
    return err;
}
