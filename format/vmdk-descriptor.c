/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The text that describes a VMDK image, in a file of its own or embedded:
 * VMware's "Virtual Disk Format 5.0", as QEMU reads it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/bytes.h"
#include "common/units.h"
#include "format/format.h"

/* QEMU reads no more of a descriptor than this. */
#define MAX_DESCRIPTOR (MiB - 1)

/* QEMU looks for the name of the parent in so many bytes of the descriptor, */
#define PARENT_TEXT 10240
/* which it expects here, unless the image is the descriptor alone. */
#define EMBEDDED_AT 512

/* The longest line of an extent, up to the end of its name. Only a line that
 * hides something behind blanks is longer. */
#define MAX_LINE 2000

/* QEMU takes too long for many of them. Nobody writes any. */
#define MAX_EMPTY_LINES 1000

#define HEADER_SIZE 44 /* what is used here of an extent's header */

struct descriptor {
    struct reader *reader;
    const struct name_visitor *visitor;
    unsigned extents;
};

/* --- extents ------------------------------------------------------------ */

static bool is_one_of(const char *word, const char *const *words)
{
    while (*words && strcmp(word, *words) != 0)
        words++;
    return *words != NULL;
}

static const char *const accesses[] = { "RW", "RDONLY", "NOACCESS" };

/* Whether a line begins as that of an extent does. */
static bool has_access(const char *line)
{
    size_t len = strcspn(line, " \t\n\v\f\r");

    for (size_t i = 0; i < ARRAY_SIZE(accesses); i++) {
        if (strlen(accesses[i]) == len && strncmp(line, accesses[i], len) == 0)
            return true;
    }
    return false;
}

static int set_left_out(const struct descriptor *d, const char *line,
                        struct error *error)
{
    return error_set(error, ENOTSUP,
                     "%s: QEMU would leave out an extent of this VMDK image, "
                     "and show a shorter disk: '%.*s'",
                     d->reader->name, (int)strcspn(line, "\r\n"), line);
}

/* Check a line, which may describe an extent: ACCESS SECTORS TYPE "NAME"
 * [OFFSET]. */
static int check_line(struct descriptor *d, const char *line,
                      struct error *error)
{
    static const char *const types[] = { "FLAT",       "SPARSE",   "VMFS",
                                         "VMFSSPARSE", "SESPARSE", NULL };
    char access[11], type[11], name[512];
    char words[MAX_LINE + 1];
    int64_t sectors;
    int fields, end = 0;
    bool has_header;

    if (!has_access(line))
        return 0;
    snprintf(words, sizeof(words), "%.*s", MAX_LINE, line);
    fields = sscanf(words, "%10s %" SCNd64 " %10s \"%511[^\n\r\"]%n", access,
                    &sectors, type, name, &end);
    if (fields == 1 && strlen(words) < MAX_LINE)
        return 0;
    if (fields < 4 || end == MAX_LINE || strcmp(access, "RW") != 0 ||
        sectors <= 0 || !is_one_of(type, types))
        return set_left_out(d, words, error);
    d->extents++;
    /* An extent that has a header can have a descriptor of its own. */
    has_header = strcmp(type, "FLAT") != 0 && strcmp(type, "VMFS") != 0;
    return names_visit(d->visitor, NAME_EXTENT, "extent", name,
                       has_header ? "vmdk" : "raw", error);
}

/* Skip blanks, also those of empty lines, as QEMU's sscanf() does. QEMU does so
 * again from each of the lines, which takes time in proportion to the square of
 * their number. */
static int skip_blanks(const struct descriptor *d, const char **text,
                       struct error *error)
{
    unsigned lines = 0;

    while (**text && strchr(" \t\n\v\f\r", **text))
        lines += *(*text)++ == '\n';
    if (lines <= MAX_EMPTY_LINES)
        return 0;
    return error_set(
        error, ENOTSUP,
        "%s: this VMDK image has more than %d empty lines in a row",
        d->reader->name, MAX_EMPTY_LINES);
}

static int check_lines(struct descriptor *d, const char *text,
                       struct error *error)
{
    int err = skip_blanks(d, &text, error);

    while (!err && *text) {
        err = check_line(d, text, error);
        text += strcspn(text, "\n");
        if (!err)
            err = skip_blanks(d, &text, error);
    }
    if (!err && d->extents == 0)
        err = error_set(error, EINVAL, "%s: this VMDK image has no extents",
                        d->reader->name);
    return err;
}

/* Check that a descriptor that QEMU does not use has no more extents than the
 * one that QEMU shows. */
static int check_single(struct descriptor *d, const char *text,
                        struct error *error)
{
    int err = skip_blanks(d, &text, error);

    while (!err && *text) {
        if (has_access(text) && ++d->extents > 1)
            return set_left_out(d, text, error);
        text += strcspn(text, "\n");
        err = skip_blanks(d, &text, error);
    }
    return err;
}

typedef int check_text(struct descriptor *d, const char *text,
                       struct error *error);

/* Check the descriptor at offset, of at most len bytes. It may end early with a
 * NUL. */
static int check_descriptor(struct descriptor *d, uint64_t offset, uint64_t len,
                            check_text *check, struct error *error)
{
    struct reader *r = d->reader;
    uint64_t rest = offset < r->size ? r->size - offset : 0;
    char *text;
    int err;

    if (len > rest)
        len = rest;
    text = malloc(len + 1);
    if (!text)
        return error_no_memory(error, r->name);
    err = metadata_read(r, offset, text, len, error);
    text[len] = '\0';
    if (!err)
        err = check(d, text, error);
    free(text);
    return err;
}

/* --- the parent --------------------------------------------------------- */

/* The name begins two bytes after the key. QEMU does not check that they are
 * =", so there may be a NUL. */
static const char *find_parent(char *text)
{
    static const char key[] = "parentFileNameHint";
    char *name = strstr(text, key);

    if (!name || name + strlen(key) + 2 > text + PARENT_TEXT)
        return NULL;
    name += strlen(key) + 2;
    name[strcspn(name, "\"")] = '\0';
    return *name ? name : NULL;
}

static int check_parent(struct descriptor *d, uint64_t offset,
                        struct error *error)
{
    char *text = calloc(1, PARENT_TEXT + 1);
    const char *name;
    int err;

    if (!text)
        return error_no_memory(error, d->reader->name);
    err = metadata_read(d->reader, offset, text, PARENT_TEXT, error);
    name = err ? NULL : find_parent(text);
    if (name)
        err =
            names_visit(d->visitor, NAME_IMAGE, "parent", name, "vmdk", error);
    free(text);
    return err;
}

int vmdk_names(struct reader *reader, const struct name_visitor *visitor,
               struct error *error)
{
    struct descriptor d = { .reader = reader, .visitor = visitor };
    unsigned char h[HEADER_SIZE];
    int err = metadata_read(reader, 0, h, sizeof(h), error);
    bool sparse = memcmp(h, "KDMV", 4) == 0;
    bool is_text = !sparse && memcmp(h, "COWD", 4) != 0;
    uint64_t embedded_at = sparse ? get_le64(h + 28) : 0;
    uint64_t sectors = sparse ? get_le64(h + 36) : 0;

    if (err)
        return err;
    embedded_at *= SECTOR_SIZE;
    if (sectors > MAX_DESCRIPTOR / SECTOR_SIZE)
        sectors = MAX_DESCRIPTOR / SECTOR_SIZE;
    /* An image without a capacity is only a descriptor. */
    if (is_text)
        err = check_descriptor(&d, 0, MAX_DESCRIPTOR, check_lines, error);
    else if (sparse && get_le64(h + 12) == 0 && embedded_at != 0)
        err = check_descriptor(&d, embedded_at, MAX_DESCRIPTOR, check_lines,
                               error);
    else if (embedded_at != 0)
        err = check_descriptor(&d, embedded_at, sectors * SECTOR_SIZE,
                               check_single, error);
    if (!err && (is_text || sparse))
        err = check_parent(&d, 0, error);
    return err ? err : check_parent(&d, EMBEDDED_AT, error);
}
