/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as a list of checksums. A line that is read is written again, and
 * must mean the same then.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/lines.h"
#include "cli/parse-sum.h"
#include "cli/sums.h"
#include "common/mask.h"

#define MAX_PATH 64

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool is_same(const struct sum *a, const struct sum *b)
{
    return strcmp(a->name, b->name) == 0 && a->md_len == b->md_len &&
           memcmp(a->md, b->md, a->md_len) == 0 &&
           strcmp(a->digest, b->digest) == 0 &&
           a->block_size == b->block_size && a->plain == b->plain &&
           is_same_text(a->part.snapshot, b->part.snapshot) &&
           is_same_text(a->part.member, b->part.member) &&
           a->part.has_offset == b->part.has_offset &&
           a->part.offset == b->part.offset &&
           a->part.has_length == b->part.has_length &&
           a->part.length == b->part.length;
}

static bool is_masked(const char *name)
{
    char *masked = mask_name(name);
    bool same;

    require(masked);
    same = strcmp(masked, name) == 0;
    free(masked);
    return !same;
}

/* Whether a line says all that is known, and without a mask. A tag of disksum
 * in lower case is taken for a digest that there is not. */
static bool is_whole(const struct sum *sum)
{
    return *sum->digest && strncmp(sum->digest, "blkhash-", 8) != 0 &&
           (sum->plain || sum->block_size) && !is_masked(sum->name);
}

static void write_and_read(const struct sum *sum)
{
    const struct list_options o = { .tag = *sum->digest };
    const struct sums_line line = { .name = sum->name,
                                    .part = sum->part,
                                    .digest = sum->digest,
                                    .block_size = sum->block_size,
                                    .md = sum->md,
                                    .md_len = sum->md_len };
    struct sum_spacing spacing = { false, false };
    const char *why = NULL;
    char *text = NULL;
    struct sum again;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    require(f);
    sums_write(f, &o, &line);
    require(fclose(f) == 0 && size > 0 && text[size - 1] == '\n');
    text[--size] = '\0';
    require(sum_parse(text, size, &spacing, &again, &why) == 0);
    require(is_same(sum, &again));
    sum_clear(&again);
    free(text);
}

static void read_line(const struct line *line, struct sum_spacing *spacing)
{
    struct sum_spacing kept = *spacing;
    const char *why = NULL;
    struct sum sum;

    require(line->text[line->len] == '\0');
    if (sum_parse(line->text, line->len, &kept, &sum, &why)) {
        require(why && *why);
    } else {
        *spacing = kept;
        require(sum.name && sum.md_len <= sizeof(sum.md));
        require(!sum.plain || !sum.block_size);
        if (sum.md_len && is_whole(&sum))
            write_and_read(&sum);
    }
    sum_clear(&sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sum_spacing spacing = { false, false };
    struct error error = ERROR_INIT;
    struct lines *lines;
    struct line line;
    uint64_t number = 0;
    char path[MAX_PATH];
    int fd = memfd_create("sums", MFD_CLOEXEC);
    int err;

    require(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    err = lines_open(path, "sums", &lines, &error);
    if (!err) {
        while (!(err = lines_next(lines, &line, &error)) && line.text) {
            if (line.why) {
                require(*line.why); /* it may be about an earlier line */
            } else {
                require(line.number >= number);
                number = line.number;
                read_line(&line, &spacing);
            }
        }
        lines_close(lines);
    }
    require(!err || (error.code == err && *error_message(&error)));
    error_clear(&error);
    close(fd);
    return 0;
}
