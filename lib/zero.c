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
 * file. A thread that hashes many of them needs the same digests each time: one
 * for each checksum, and one for the checks of a list.
 */
#define REMEMBERED 8

static __thread struct remembered {
    char name[32]; /* of the digest; empty: none is known */
    size_t len;
    unsigned char md[BLKHASH_MAX_MD_SIZE];
} remembered[REMEMBERED];
static __thread unsigned oldest;

/* NULL: it is not known. */
static const unsigned char *find(const char *name, size_t len)
{
    for (unsigned i = 0; i < REMEMBERED; i++) {
        if (remembered[i].len == len && strcmp(remembered[i].name, name) == 0)
            return remembered[i].md;
    }
    return NULL;
}

static void remember(const char *name, size_t len, const unsigned char *md)
{
    struct remembered *r = &remembered[oldest];

    if (strlen(name) >= sizeof(r->name))
        return;
    oldest = (oldest + 1) % REMEMBERED;
    strcpy(r->name, name);
    r->len = len;
    memcpy(r->md, md, sizeof(r->md));
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
    const unsigned char *known = find(name, len);
    int err;

    if (known) {
        memcpy(md, known, BLKHASH_MAX_MD_SIZE);
        return 0;
    }
    memset(md, 0, BLKHASH_MAX_MD_SIZE);
    err = compute(ctx, len, md);
    if (!err)
        remember(name, len, md);
    return err;
}
