/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The names in a VMDK image that QEMU reads: below an image in a format that
 * only QEMU knows, or as --image-opts. QEMU leaves out extents that are part of
 * the disk, so some images must not be given to it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "format/format.h"
#include "format/vmdk.h"

#define HEADER_SIZE 44 /* what is used here of an extent's header */

/* QEMU takes too long for many of them. Nobody writes any. */
#define MAX_EMPTY_LINES 1000

struct search {
    struct reader *reader;
    const struct name_visitor *visitor;
    unsigned extents;
};

/* --- extents ------------------------------------------------------------ */

static int set_left_out(const struct search *s, const struct vmdk_line *line,
                        struct error *error)
{
    return error_set(error, ENOTSUP,
                     "%s: QEMU would leave out an extent of this VMDK image, "
                     "and show a shorter disk: '%.*s'",
                     s->reader->name, vmdk_line_length(line), line->text);
}

static bool is_shown(const struct vmdk_line *line)
{
    static const char *const types[] = { "FLAT",       "SPARSE",   "VMFS",
                                         "VMFSSPARSE", "SESPARSE", NULL };

    if (line->fields < 4 || strcmp(line->access, "RW") != 0 ||
        line->sectors <= 0)
        return false;
    for (const char *const *type = types; *type; type++) {
        if (strcmp(line->type, *type) == 0)
            return true;
    }
    return false;
}

typedef int check_line(struct search *s, const struct vmdk_line *line,
                       struct error *error);

/* Check a line of the descriptor that QEMU uses. */
static int visit_line(struct search *s, const struct vmdk_line *line,
                      struct error *error)
{
    bool has_header;

    if (!is_shown(line))
        return set_left_out(s, line, error);
    s->extents++;
    /* An extent that has a header can have a descriptor of its own. */
    has_header =
        strcmp(line->type, "FLAT") != 0 && strcmp(line->type, "VMFS") != 0;
    return names_visit(s->visitor, NAME_EXTENT, "extent", line->name,
                       has_header ? "vmdk" : "raw", error);
}

/* Check that a descriptor that QEMU does not use has no more extents than the
 * one that QEMU shows. */
static int check_single(struct search *s, const struct vmdk_line *line,
                        struct error *error)
{
    return ++s->extents > 1 ? set_left_out(s, line, error) : 0;
}

/* QEMU looks for an extent from each line anew, and skips the empty lines that
 * follow. So its time grows with the square of their number. */
static int check_empty_lines(const struct search *s, const char *text,
                             struct error *error)
{
    unsigned empty = 0;

    for (const char *p = text; *p; p++) {
        if (!strchr(" \t\n\v\f\r", *p))
            empty = 0;
        else if (*p == '\n' && ++empty > MAX_EMPTY_LINES)
            return error_set(error, ENOTSUP,
                             "%s: QEMU reads this VMDK image, and would take "
                             "too long: it has more than %d empty lines in a "
                             "row",
                             s->reader->name, MAX_EMPTY_LINES);
    }
    return 0;
}

/* Check the descriptor at offset, of at most len bytes. */
static int check_descriptor(struct search *s, uint64_t offset, uint64_t len,
                            check_line *check, struct error *error)
{
    struct vmdk_lines lines = { .reader = s->reader };
    /* Not on the stack: the visitor goes on to the names in that file. */
    struct vmdk_line *line = malloc(sizeof(*line));
    bool found;
    char *text;
    int err;

    if (!line)
        return error_no_memory(error, s->reader->name);
    err = vmdk_read_text(s->reader, offset, len, &text, error);
    lines.next = text;
    if (!err && check == visit_line)
        err = check_empty_lines(s, text, error);
    for (found = true; !err && found;) {
        err = vmdk_next_line(&lines, line, &found, error);
        if (!err && found)
            err = check(s, line, error);
    }
    if (!err && check == visit_line && s->extents == 0)
        err = error_set(error, EINVAL, "%s: this VMDK image has no extents",
                        s->reader->name);
    free(text);
    free(line);
    return err;
}

/* --- the parent --------------------------------------------------------- */

/* A copy of the name; NULL if there is none. */
static int copy_parent(struct reader *r, uint64_t offset, char **copy,
                       struct error *error)
{
    struct vmdk_identity *identity = malloc(sizeof(*identity));
    const char *name, *end;
    int err;

    /* Not on the stack, for the same reason. */
    *copy = NULL;
    if (!identity)
        return error_no_memory(error, r->name);
    err = vmdk_read_identity(r, offset, identity, error);
    name = err ? NULL : vmdk_find_parent(identity, &end);
    if (name && end > name) {
        *copy = strndup(name, end - name);
        if (!*copy)
            err = error_no_memory(error, r->name);
    }
    free(identity);
    return err;
}

static int visit_parent(struct search *s, uint64_t offset, struct error *error)
{
    char *name;
    int err = copy_parent(s->reader, offset, &name, error);

    if (!err && name)
        err =
            names_visit(s->visitor, NAME_IMAGE, "parent", name, "vmdk", error);
    free(name);
    return err;
}

int vmdk_names(struct reader *reader, const struct name_visitor *visitor,
               struct error *error)
{
    struct search s = { .reader = reader, .visitor = visitor };
    unsigned char h[HEADER_SIZE];
    int err = metadata_read(reader, 0, h, sizeof(h), error);
    bool sparse = memcmp(h, "KDMV", 4) == 0;
    bool is_text = !sparse && memcmp(h, "COWD", 4) != 0;
    uint64_t embedded_at = sparse ? get_le64(h + 28) : 0;
    uint64_t sectors = sparse ? get_le64(h + 36) : 0;

    if (err)
        return err;
    embedded_at *= SECTOR_SIZE;
    if (sectors > VMDK_MAX_DESCRIPTOR / SECTOR_SIZE)
        sectors = VMDK_MAX_DESCRIPTOR / SECTOR_SIZE;
    /* An image without a capacity is only a descriptor. */
    if (is_text)
        err = check_descriptor(&s, 0, VMDK_MAX_DESCRIPTOR, visit_line, error);
    else if (sparse && get_le64(h + 12) == 0 && embedded_at != 0)
        err = check_descriptor(&s, embedded_at, VMDK_MAX_DESCRIPTOR, visit_line,
                               error);
    else if (embedded_at != 0)
        err = check_descriptor(&s, embedded_at, sectors * SECTOR_SIZE,
                               check_single, error);
    if (!err && (is_text || sparse))
        err = visit_parent(&s, 0, error);
    return err ? err : visit_parent(&s, VMDK_EMBEDDED_AT, error);
}
