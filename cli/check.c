/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "cli/checksum.h"
#include "cli/input.h"
#include "cli/lines.h"
#include "cli/message.h"
#include "cli/null-digest.h"
#include "cli/output.h"
#include "cli/parse-sum.h"
#include "cli/sums.h"
#include "cli/workload.h"
#include "common/mask.h"
#include "common/path.h"
#include "common/units.h"

/* How many lines --warn names while none is properly formatted: the file is
 * hardly a list. */
#define MAX_NAMED 20

struct list {
    const struct options *o;
    const char *path;
    const char *name; /* for messages */
    bool is_stdin;
    uint64_t line;
    uint64_t formatted;
    uint64_t malformed;
    uint64_t unread;
    uint64_t mismatched;
    uint64_t matched;
    bool foreign; /* a line that failed does not say which program made it */
    bool sums;    /* of other programs are in it, although malformed */
    bool plain;   /* the plain digest of a line did not match */
};

/* Kept across lists. Only lines that are accepted count: another line may be of
 * another program, with another spacing. */
static struct sum_spacing spacing;

static void malformed(struct list *list, const char *why)
{
    list->malformed++;
    if (list->o->list.verbosity != VERBOSITY_WARN)
        return;
    if (list->formatted || list->malformed <= MAX_NAMED)
        message("%s: %" PRIu64 ": improperly formatted checksum line: %s",
                list->name, list->line, why);
    else if (list->malformed == MAX_NAMED + 1)
        message("%s: more such lines follow", list->name);
}

static void verdict(const struct list *list, const struct sum *sum,
                    const char *text)
{
    if (list->o->list.verbosity == VERBOSITY_STATUS)
        return;
    sums_write_verdict(output(), sum->name, &sum->part, text);
    output_flush();
}

/* --- one line ----------------------------------------------------------- */

/* Check that the digest is known, and as long as the checksum in the line. The
 * last digest is cached, since most lists have only one. Returns 0, EINVAL and
 * why not, or another error. */
static int check_digest(const struct sum *sum, const char *digest,
                        const char **why)
{
    static char last[SUM_DIGEST_SIZE];
    static size_t last_size;

    if (strcasecmp(last, digest) != 0) {
        struct blkhash_leaf *leaf = blkhash_leaf_new(SECTOR_SIZE, digest);

        if (!leaf && errno != ENOTSUP)
            return errno;
        last_size = blkhash_leaf_md_size(leaf);
        snprintf(last, sizeof(last), "%s", leaf ? digest : "");
        blkhash_leaf_free(leaf);
    }
    *why = "this digest is for measurements, and verifies nothing";
    if (is_null_digest(digest))
        return EINVAL;
    *why = "the block size is not a multiple of 512";
    if (sum->block_size % SECTOR_SIZE)
        return EINVAL;
    *why = "unknown digest";
    if (!last_size)
        return EINVAL;
    *why = "the checksum does not have the length of the digest; see -d";
    return !sum->md_len || sum->md_len == last_size ? 0 : EINVAL;
}

/* Whether the image itself does not exist, rather than its backing file. What
 * QEMU or a server opens is never missing: a server may be down. */
static bool is_missing(const struct options *o, const struct checksum *c)
{
    const char *path = o->image.image_opts ? NULL : path_of_name(c->name);
    struct stat st;

    return path && c->error.code == ENOENT && stat(path, &st) != 0 &&
           errno == ENOENT;
}

static void compare(struct list *list, const struct sum *sum,
                    const struct options *o, const struct engine_result *result)
{
    bool is_plain = o->engine.hashes[0].block_size == 0;

    if (result->sums[0].md_len == sum->md_len &&
        memcmp(result->sums[0].md, sum->md, sum->md_len) == 0) {
        list->matched++;
        if (list->o->list.verbosity != VERBOSITY_QUIET)
            verdict(list, sum, "OK");
    } else {
        list->mismatched++;
        list->foreign |= sum->foreign;
        list->plain |= is_plain;
        verdict(list, sum, "FAILED");
    }
}

static void print_unusable(const struct list *list, const struct sum *sum)
{
    message_know_name(sum->name);
    if (!sum->md_len)
        message("%s: %" PRIu64 ": records an error for %s, not a checksum",
                list->name, list->line, sum->name);
    else
        message("%s: %" PRIu64 ": the secret in %s is masked in the list; "
                "use a name without it, and --object",
                list->name, list->line, sum->name);
    message_know_name(NULL);
}

static void verify(struct list *list, const struct sum *sum,
                   const struct options *o)
{
    struct checksum c;

    if (!sum->md_len || has_mask(sum->name)) {
        print_unusable(list, sum);
        list->unread++;
        verdict(list, sum, "FAILED open or read");
        return;
    }
    if (checksum_begin(&c, o, NULL, sum->name) == 0) {
        compare(list, sum, o, &c.result);
    } else if (!o->list.ignore_missing || !is_missing(o, &c)) {
        message("%s", error_message(&c.error));
        list->unread++;
        verdict(list, sum, "FAILED open or read");
    }
    checksum_end(&c);
}

/* A json: name says by itself to whom it sends which secret of the user, who
 * did not type it. With --image-opts, the user knows that names do. */
static bool is_trusted_with_secrets(const struct options *o, const char *name)
{
    return o->image.image_opts || o->image.trust_names ||
           strncmp(name, "json:", 5) != 0;
}

/* More than what the options ask for: memory for blocks that a list makes
 * large. */
#define BLOCK_MEMORY (64 * MiB)

/* A list may choose the size of blocks, but not how much memory they take. */
static void limit_memory(struct engine_options *o)
{
    uint64_t slots =
        ((uint64_t)o->threads * o->queue_depth * o->read_size + BLOCK_MEMORY) /
        o->hashes[0].block_size;

    if (o->hashes[0].block_size <= o->read_size)
        return;
    if (slots < o->threads)
        o->threads = slots ? slots : 1;
    if (slots / o->threads < o->queue_depth)
        o->queue_depth = slots / o->threads ? slots / o->threads : 1;
}

/* Standard input cannot be both the list and an image. */
static bool is_own_stdin(const struct list *list, const struct sum *sum)
{
    return list->is_stdin && strcmp(sum->name, "-") == 0;
}

/* What the line says goes before what the options say. */
static void apply_part(const struct sum_part *part, struct image_options *o)
{
    if (part->member)
        o->member = part->member;
    if (part->snapshot)
        o->snapshot = part->snapshot;
    if (part->has_offset)
        o->offset = part->offset;
    if (part->has_length) {
        o->has_length = true;
        o->length = part->length;
    }
}

static int apply_hash(const struct sum *sum, struct engine_options *o,
                      const char **why)
{
    struct engine_hash *hash = &o->hashes[0];

    if (*sum->digest)
        hash->digest = sum->digest;
    if (sum->plain) {
        hash->block_size = 0;
    } else if (sum->block_size && sum->block_size != hash->block_size) {
        hash->block_size = sum->block_size;
        limit_memory(o);
    }
    *why = "the block size is missing";
    if (sum->blocks && !hash->block_size)
        return EINVAL;
    return check_digest(sum, hash->digest, why);
}

/* Set the options for a line. Returns 0, EINVAL if it cannot be verified, or
 * another error. */
static int apply(const struct list *list, const struct sum *sum,
                 struct options *o, const char **why)
{
    *why = "standard input is the list";
    if (is_own_stdin(list, sum))
        return EINVAL;
    if (!is_trusted_with_secrets(o, sum->name))
        o->image.object_count = 0;
    apply_part(&sum->part, &o->image);
    return apply_hash(sum, &o->engine, why);
}

static int check_line(struct list *list, const struct line *line)
{
    struct options o = *list->o;
    struct sum_spacing after = spacing;
    const char *why = NULL;
    struct sum sum;
    int err = sum_parse(line->text, line->len, &after, &sum, &why);

    if (!err)
        workload_next(list->o, sum.name, &sum);
    if (!err)
        err = apply(list, &sum, &o, &why);
    if (err == EINVAL) {
        list->foreign |= sum.foreign;
        list->sums |= sum.foreign || sum.plain;
        malformed(list, why);
        err = 0;
    } else if (!err) {
        spacing = after;
        list->formatted++;
        verify(list, &sum, &o);
    }
    sum_clear(&sum);
    return err;
}

/* --- a list ------------------------------------------------------------- */

static void warn_number(uint64_t n, const char *one, const char *many)
{
    if (n)
        message("WARNING: %" PRIu64 " %s", n, n == 1 ? one : many);
}

/* This happens with a list that a publisher of images made, or when the user
 * forgot how a list was made. */
static void print_foreign_hint(const struct list *list)
{
    if (list->matched || list->o->list.verbosity == VERBOSITY_STATUS)
        return;
    if (list->plain)
        message("%s: plain digests are those of raw disks; check a list of "
                "files in other formats with the program that made it",
                list->name);
    else if (list->foreign)
        message("%s: check a list of sha256sum or a similar program with that "
                "program, or with --plain=NAME if it is of raw disks; a list "
                "of disksum may need the --digest and --block-size that it was "
                "made with",
                list->name);
}

#define NO_LIST_HINT "; to print the checksum of a disk image, omit -c"

static void summarize(const struct list *list)
{
    if (!list->formatted) {
        message("%s: no properly formatted checksum lines found%s", list->name,
                list->sums ? "" : NO_LIST_HINT);
    } else if (list->o->list.verbosity != VERBOSITY_STATUS) {
        warn_number(list->malformed, "line is improperly formatted",
                    "lines are improperly formatted");
        warn_number(list->unread, "listed file could not be read",
                    "listed files could not be read");
        warn_number(list->mismatched, "computed checksum did NOT match",
                    "computed checksums did NOT match");
        if (list->o->list.ignore_missing && !list->matched)
            message("%s: no file was verified", list->name);
    }
    print_foreign_hint(list);
}

static int check_lines(struct list *list, struct error *error)
{
    struct lines *lines;
    struct line line;
    int err = lines_open(strcmp(list->path, "-") ? list->path : NULL,
                         list->name, &lines, error);

    if (err)
        return err;
    list->is_stdin = lines_are_stdin(lines);
    if (list->is_stdin)
        input_take_stdin();
    while ((err = lines_next(lines, &line, error)) == 0 && line.text) {
        list->line = line.number;
        if (line.why)
            malformed(list, line.why);
        else if (*line.text != '#' && line.len)
            err = check_line(list, &line);
        if (err) {
            error_set(error, err, "%s: %s", list->name, strerror(err));
            break;
        }
    }
    lines_close(lines);
    return err;
}

bool check_list(const struct options *o, const char *path)
{
    struct list list = { .o = o, .path = path, .name = path };
    struct error error = ERROR_INIT;

    if (strcmp(path, "-") == 0)
        list.name = "'standard input'"; /* as GNU quotes it */
    if (check_lines(&list, &error) != 0) {
        message("%s", error_message(&error));
        error_clear(&error);
        return false;
    }
    summarize(&list);
    return list.matched && !list.unread && !list.mismatched &&
           !(o->list.strict && list.malformed);
}
