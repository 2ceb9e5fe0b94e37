/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/sha256-dispatch.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "blkhash.h"
#include "common/array.h"
#include "lib/cancel.h"
#include "lib/digest-provider.h"
#include "lib/sha256-benchmark.h"

#define ADDRESS(name) &SHA256_KERNEL(name),
const struct sha256_kernel *const sha256_kernels[] = {
    SHA256_KERNELS(ADDRESS) NULL,
};
#define KERNELS ARRAY_SIZE(sha256_kernels)
const size_t sha256_kernel_count = KERNELS;

/* The state of the process, under the lock until it is chosen. After that it is
 * constant. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool chosen;
static struct sha256_dispatch the_dispatch;
static uint64_t the_ns[KERNELS];
static const char *the_names[KERNELS + 1];

const char *sha256_kernel_name(const struct sha256_kernel *kernel)
{
    return kernel ? kernel->name : DIGEST_PROVIDER(openssl).name;
}

bool sha256_kernel_usable(const struct sha256_kernel *kernel)
{
    return !kernel || kernel->usable();
}

int sha256_choose(const struct sha256_kernel *const kernels[], size_t count,
                  struct sha256_dispatch *dispatch, uint64_t ns[])
{
    uint64_t best[SHA256_MAX_LANES + 1];
    bool any = false;
    int first_error = 0;

    for (unsigned n = 0; n <= SHA256_MAX_LANES; n++)
        best[n] = UINT64_MAX;

    for (size_t k = 0; k < count; k++) {
        uint64_t cost[SHA256_MAX_LANES + 1];
        int err;

        ns[k] = 0;
        if (!sha256_kernel_usable(kernels[k]))
            continue;
        err = sha256_benchmark(kernels[k], cost);
        if (err) {
            first_error = first_error ? first_error : err;
            continue;
        }
        any = true;
        ns[k] = cost[SHA256_MAX_LANES];
        for (unsigned n = 1; n <= SHA256_MAX_LANES; n++) {
            if (cost[n] < best[n]) {
                best[n] = cost[n];
                dispatch->best[n] = kernels[k];
            }
        }
    }
    return any ? 0 : first_error;
}

static int force(const char *name, struct sha256_dispatch *dispatch)
{
    for (size_t k = 0; k < KERNELS; k++) {
        const struct sha256_kernel *kernel = sha256_kernels[k];

        if (strcmp(name, sha256_kernel_name(kernel)) != 0)
            continue;
        if (!sha256_kernel_usable(kernel))
            return ENOTSUP;
        for (unsigned n = 0; n <= SHA256_MAX_LANES; n++)
            dispatch->best[n] = kernel;
        return 0;
    }
    return ENOTSUP;
}

/* The environment is read once: later, another thread of the program may be
 * changing it. */
static int choose(void)
{
    const char *name = secure_getenv("BLKHASH_SHA256");

    if (name && *name)
        return force(name, &the_dispatch);
    return sha256_choose(sha256_kernels, KERNELS, &the_dispatch, the_ns);
}

int sha256_get_dispatch(const struct sha256_dispatch **dispatch)
{
    int err = 0;

    pthread_mutex_lock(&lock);
    /* After an error, such as ENOMEM, the next call tries again. */
    if (!chosen)
        err = choose();
    chosen = !err;
    pthread_mutex_unlock(&lock);
    *dispatch = &the_dispatch;
    return err;
}

/* --- functions of blkhash.h --------------------------------------------- */

const char *const *blkhash_kernels(void)
{
    HOLD_CANCEL;
    size_t count = 0;

    pthread_mutex_lock(&lock);
    if (!the_names[0]) {
        for (size_t k = 0; k < KERNELS; k++) {
            if (sha256_kernel_usable(sha256_kernels[k]))
                the_names[count++] = sha256_kernel_name(sha256_kernels[k]);
        }
    }
    pthread_mutex_unlock(&lock);
    return the_names;
}

uint64_t blkhash_kernel_speed(const char *name)
{
    HOLD_CANCEL;
    const struct sha256_dispatch *dispatch;
    const uint64_t bytes = SHA256_MAX_LANES * SHA256_BENCHMARK_MESSAGE;

    if (!name || sha256_get_dispatch(&dispatch) != 0)
        return 0;
    for (size_t k = 0; k < KERNELS; k++) {
        if (strcmp(name, sha256_kernel_name(sha256_kernels[k])) == 0)
            return the_ns[k] ? bytes * 1000000000 / the_ns[k] : 0;
    }
    return 0;
}
