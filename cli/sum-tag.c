/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/sum-tag.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/array.h"
#include "common/units.h"

/* What other programs call a digest, if the library has another name for it.
 * The first tag of a digest is the one that is written. */
static const struct {
    const char *digest;
    const char *tag;
} other_names[] = {
    { "blake2b512", "BLAKE2b" }, /* cksum, b2sum */
    { "blake2s256", "BLAKE2s" },
    { "sha512-224", "SHA512/224" }, /* shasum */
    { "sha512-256", "SHA512/256" },
    { "sha512-224", "SHA512t224" }, /* FreeBSD */
    { "sha512-256", "SHA512t256" },
};

/* --- writing ------------------------------------------------------------ */

/* Write the shortest exact text of a size: "64K", "1M", "512". */
static void write_size(FILE *f, size_t size)
{
    if (size % MiB == 0)
        fprintf(f, "%zuM", (size_t)(size / MiB));
    else if (size % KiB == 0)
        fprintf(f, "%zuK", (size_t)(size / KiB));
    else
        fprintf(f, "%zu", size);
}

static void write_upper(FILE *f, const char *text)
{
    for (; *text; text++)
        putc(toupper((unsigned char)*text), f);
}

static void write_plain(FILE *f, const char *digest)
{
    for (size_t i = 0; i < ARRAY_SIZE(other_names); i++) {
        if (strcasecmp(digest, other_names[i].digest) == 0) {
            fputs(other_names[i].tag, f);
            return;
        }
    }
    write_upper(f, digest);
}

void sum_tag_write(FILE *f, const char *digest, size_t block_size,
                   const struct sum_part *part)
{
    if (block_size) {
        fputs(SUM_TAG, f);
        write_upper(f, digest);
        putc('-', f);
        write_size(f, block_size);
    } else {
        write_plain(f, digest);
    }
    sum_part_write(f, part, " ");
}

/* --- reading ------------------------------------------------------------ */

static bool set_digest(struct sum *sum, const char *name, size_t len)
{
    if (len == 0 || len >= sizeof(sum->digest))
        return false;
    for (size_t i = 0; i < len; i++)
        sum->digest[i] = tolower((unsigned char)name[i]);
    sum->digest[len] = 0;
    return true;
}

/* "SHA256-64K": the digest, and the block size after the last hyphen. */
static bool parse_blocks(const char *tag, struct sum *sum)
{
    const char *hyphen = strrchr(tag, '-');
    uint64_t size;

    if (!hyphen || parse_size(hyphen + 1, &size) != 0 || size == 0 ||
        size > BLKHASH_MAX_BLOCK_SIZE)
        return false;
    sum->block_size = size;
    sum->blocks = true;
    return set_digest(sum, tag, hyphen - tag);
}

/* "SHA256". With another length, BLAKE2b is another digest. */
static bool parse_plain(const char *tag, struct sum *sum, const char **why)
{
    static const char shortened[] = "BLAKE2b-";

    sum->plain = true;
    for (size_t i = 0; i < ARRAY_SIZE(other_names); i++) {
        if (strcasecmp(tag, other_names[i].tag) == 0)
            return set_digest(sum, other_names[i].digest,
                              strlen(other_names[i].digest));
    }
    if (strncasecmp(tag, shortened, strlen(shortened)) == 0 &&
        strcmp(tag + strlen(shortened), "512") != 0) {
        *why = "BLAKE2b is supported only with 512 bits";
        return false;
    }
    for (const char *p = tag; *p; p++) {
        if (!isalnum((unsigned char)*p) && !strchr("-/", *p))
            return false;
    }
    return set_digest(sum, tag, strlen(tag));
}

int sum_tag_parse(char *text, struct sum *sum, const char **why)
{
    char *word = text, *next = strchr(text, ' ');
    unsigned stage = 0;
    int err;

    *why = "not in the format of --tag";
    if (next)
        *next++ = 0;
    if (strncmp(word, SUM_TAG, strlen(SUM_TAG)) == 0
            ? !parse_blocks(word + strlen(SUM_TAG), sum)
            : !parse_plain(word, sum, why))
        return EINVAL;
    while (next) {
        word = next;
        next = strchr(word, ' ');
        if (next)
            *next++ = 0;
        *why = "unknown part of an image in the tag";
        err = sum_part_parse(word, &stage, &sum->part);
        if (err)
            return err;
    }
    return 0;
}
