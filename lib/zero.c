/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/zero.h"

#include <stdint.h>
#include <string.h>

/* Words that are combined before a branch: a few cache lines, so that the
 * compiler can use wide registers and the branch costs little. */
#define WORDS 32

bool is_zero(const void *buf, size_t len)
{
    const unsigned char *p = buf;
    uint64_t words[WORDS];

    while (len >= sizeof(words)) {
        uint64_t any = 0;

        memcpy(words, p, sizeof(words));
        for (int i = 0; i < WORDS; i++)
            any |= words[i];
        if (any)
            return false;
        p += sizeof(words);
        len -= sizeof(words);
    }
    for (size_t i = 0; i < len; i++) {
        if (p[i])
            return false;
    }
    return true;
}

/*
 * To hash a block of zeros takes longer than to open, read and hash a small
 * file. A thread that hashes many of them needs the same digest each time.
 */
static __thread struct {
    char name[32]; /* of the digest; empty: none is known */
    size_t len;
    unsigned char md[BLKHASH_MAX_MD_SIZE];
} last;

static bool is_known(const char *name, size_t len)
{
    return last.len == len && strcmp(last.name, name) == 0;
}

static void remember(const char *name, size_t len, const unsigned char *md)
{
    if (strlen(name) >= sizeof(last.name))
        return;
    strcpy(last.name, name);
    last.len = len;
    memcpy(last.md, md, sizeof(last.md));
}

static int compute(struct digest_ctx *ctx, size_t len, unsigned char *md)
{
    static const unsigned char zeros[4096];
    int err = digest_start(ctx);

    while (!err && len > 0) {
        size_t n = len < sizeof(zeros) ? len : sizeof(zeros);

        err = digest_update(ctx, zeros, n);
        len -= n;
    }
    return err ? err : digest_finish(ctx, md);
}

int zero_digest(struct digest_ctx *ctx, const char *name, size_t len,
                unsigned char md[BLKHASH_MAX_MD_SIZE])
{
    int err;

    if (is_known(name, len)) {
        memcpy(md, last.md, sizeof(last.md));
        return 0;
    }
    memset(md, 0, BLKHASH_MAX_MD_SIZE);
    err = compute(ctx, len, md);
    if (!err)
        remember(name, len, md);
    return err;
}
