/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/digest-option.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "blkhash.h"
#include "cli/message.h"
#include "cli/null-digest.h"
#include "cli/option-value.h"
#include "cli/options.h"
#include "cli/output.h"
#include "common/units.h"

/* Whether the library has a digest. If not, errno is ENOTSUP, or tells why that
 * cannot be found out. */
static bool digest_exists(const char *name)
{
    struct blkhash_leaf *leaf =
        blkhash_leaf_new(BLKHASH_DEFAULT_BLOCK_SIZE, name);

    blkhash_leaf_free(leaf);
    return leaf != NULL;
}

enum options_result digest_option_failed(const char *name, int err)
{
    message("digest '%s': %s", name, strerror(err));
    return OPTIONS_FAILED;
}

/* A block is whole sectors, as a disk is. */
static enum options_result parse_block_size(const char *argument,
                                            size_t *block_size)
{
    uint64_t size;
    enum options_result result = option_size(
        "block size", argument, SECTOR_SIZE, BLKHASH_MAX_BLOCK_SIZE, &size);

    if (result != OPTIONS_RUN)
        return result;
    if (size % SECTOR_SIZE) {
        usage_message("invalid block size '%s': must be a multiple of %d",
                      argument, SECTOR_SIZE);
        return OPTIONS_BAD;
    }
    *block_size = size;
    return OPTIONS_RUN;
}

enum options_result block_size_option(struct options *o, char *argument)
{
    return parse_block_size(argument, &o->digests.block_size);
}

/* Some names of OpenSSL have a slash, too: "SHA2-512/256". */
enum options_result digest_option_parse(char *text,
                                        struct digest_choice *choice)
{
    char *slash = strrchr(text, '/');

    *choice = (struct digest_choice){ .digest = text };
    if (!slash || digest_exists(text))
        return OPTIONS_RUN;
    if (errno != ENOTSUP)
        return digest_option_failed(text, errno);
    *slash = 0;
    return parse_block_size(slash + 1, &choice->block_size);
}

enum options_result digest_option(struct options *o, char *argument)
{
    struct digest_options *d = &o->digests;
    struct digest_choice *choice = &d->choices[d->choice_count];

    /* In blksum, the last one counts. */
    for (unsigned i = 0; o->blksum && i < d->choice_count; i++) {
        if (!d->choices[i].plain)
            choice = &d->choices[i];
    }
    if (choice == &d->choices[d->choice_count])
        d->choice_count++;
    return digest_option_parse(argument, choice);
}

enum options_result plain_option(struct options *o, char *argument)
{
    struct digest_options *d = &o->digests;

    d->choices[d->choice_count++] =
        (struct digest_choice){ .digest = argument, .plain = true };
    return OPTIONS_RUN;
}

enum options_result list_digests_option(struct options *o, char *argument)
{
    const char *const *names = blkhash_digests();

    (void)o;
    (void)argument;
    if (!names) {
        message("cannot list the digests: %s", strerror(errno));
        return OPTIONS_FAILED;
    }
    while (*names)
        fprintf(output(), "%s\n", *names++);
    return OPTIONS_DONE;
}

/* The digest of one byte. Returns 0 or a positive errno value: ENOTSUP where
 * the library does not have the digest. */
static int sample(const char *name, unsigned char *md, size_t *size)
{
    struct blkhash_leaf *leaf = blkhash_leaf_new(SECTOR_SIZE, name);
    int err = leaf ? blkhash_leaf_hash(leaf, "x", 1, md, NULL) : errno;

    *size = blkhash_leaf_md_size(leaf);
    blkhash_leaf_free(leaf);
    return err;
}

static int compare_samples(const char *a, const char *b, bool *same)
{
    unsigned char one[BLKHASH_MAX_MD_SIZE], other[BLKHASH_MAX_MD_SIZE];
    size_t size, other_size;
    int err = sample(a, one, &size);

    if (!err)
        err = sample(b, other, &other_size);
    *same = !err && size == other_size && memcmp(one, other, size) == 0;
    return err == ENOTSUP ? 0 : err;
}

int digest_option_same(const char *a, const char *b, bool *same)
{
    *same = strcasecmp(a, b) == 0;
    return *same ? 0 : compare_samples(a, b, same);
}

int digest_option_name(const char *given, const char **name)
{
    const char *const *names = blkhash_digests();
    bool same = false;

    *name = given;
    if (!names)
        return errno;
    for (size_t i = 0; names[i]; i++) {
        if (strcasecmp(names[i], given) == 0) {
            *name = names[i];
            return 0;
        }
    }
    if (is_null_digest(given)) {
        *name = "null";
        return 0;
    }
    for (size_t i = 0; names[i] && !same; i++) {
        int err = compare_samples(names[i], given, &same);

        if (err)
            return err;
        if (same)
            *name = names[i];
    }
    return 0;
}

/* Whether BLKHASH_SHA256 names a kernel that this machine does not have. */
static bool kernel_is_missing(const char *name)
{
    const char *const *kernels = blkhash_kernels();

    if (!name || !*name)
        return false;
    while (*kernels && strcmp(*kernels, name) != 0)
        kernels++;
    return !*kernels;
}

static void missing_kernel_message(const char *name)
{
    const char *const *kernels = blkhash_kernels();
    char list[256] = "";
    size_t len = 0;

    for (size_t i = 0; kernels[i] && len < sizeof(list); i++)
        len += snprintf(list + len, sizeof(list) - len, "%s%s", i ? ", " : "",
                        kernels[i]);
    message("BLKHASH_SHA256: no kernel '%s'; this machine has %s", name, list);
}

enum options_result digest_option_check(const char *name)
{
    const char *kernel = getenv("BLKHASH_SHA256");

    if (digest_exists(name))
        return OPTIONS_RUN;
    if (errno == ENOTSUP && !kernel_is_missing(kernel)) {
        usage_message("unknown digest '%s'; see --list-digests", name);
        return OPTIONS_BAD;
    }
    if (errno == ENOTSUP)
        missing_kernel_message(kernel);
    else
        return digest_option_failed(name, errno);
    return OPTIONS_FAILED;
}
