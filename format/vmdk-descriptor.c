/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The text that describes a VMDK image, in a file of its own or embedded:
 * VMware's "Virtual Disk Format 5.0", as QEMU reads it. QEMU parses a line with
 * sscanf(), so this does, too.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "format/vmdk.h"

/* The longest line of an extent, up to its end. Only a line that hides
 * something behind blanks is longer. */
#define MAX_LINE 2000

#define BLANKS " \t\n\v\f\r"

int vmdk_read_text(struct reader *r, uint64_t offset, uint64_t max, char **text,
                   struct error *error)
{
    uint64_t rest = offset < r->size ? r->size - offset : 0;
    uint64_t len = max < rest ? max : rest;
    int err;

    *text = malloc(len + 1);
    if (!*text)
        return error_no_memory(error, r->name);
    err = metadata_read(r, offset, *text, len, error);
    (*text)[len] = '\0';
    if (!err)
        return 0;
    free(*text);
    *text = NULL;
    return err;
}

/* --- lines of extents --------------------------------------------------- */

/* Skip blanks, also those of empty lines, as QEMU's sscanf() does. Returns the
 * number of these lines: fewer than the bytes of a descriptor. */
static unsigned skip_blanks(struct vmdk_lines *lines)
{
    unsigned empty = 0;

    while (*lines->next && strchr(BLANKS, *lines->next))
        empty += *lines->next++ == '\n';
    return empty;
}

/* Whether a line begins as that of an extent does. */
static bool has_access(const char *line)
{
    static const char *const accesses[] = { "RW", "RDONLY", "NOACCESS" };
    size_t len = strcspn(line, BLANKS);

    for (size_t i = 0; i < ARRAY_SIZE(accesses); i++) {
        if (strlen(accesses[i]) == len && strncmp(line, accesses[i], len) == 0)
            return true;
    }
    return false;
}

/* Parse what begins with an access. Returns false if it is too long. */
static bool parse_line(const char *text, struct vmdk_line *line)
{
    char words[MAX_LINE + 1];
    size_t len = strnlen(text, sizeof(words));
    const char *rest;
    int at = 0;

    *line = (struct vmdk_line){ .text = text, .repeats = line->repeats };
    snprintf(words, sizeof(words), "%.*s", MAX_LINE, text);
    /* Where the last field that is found ends: each %n that is reached. */
    line->fields = sscanf(
        words, "%10s%n %" SCNd64 "%n %10s%n \"%511[^\n\r\"]%n\" %" SCNd64 "%n",
        line->access, &at, &line->sectors, &at, line->type, &at, line->name,
        &at, &line->offset, &at);
    rest = words + at;
    if (line->fields == 4 && *rest == '"')
        rest++;
    rest += strspn(rest, BLANKS);
    return len <= MAX_LINE || *rest;
}

int vmdk_next_line(struct vmdk_lines *lines, struct vmdk_line *line,
                   bool *found, struct error *error)
{
    *found = false;
    while (*lines->next) {
        line->repeats = skip_blanks(lines) + 1;
        if (has_access(lines->next)) {
            if (!parse_line(lines->next, line))
                return error_set(error, EINVAL,
                                 "%s: a line of this VMDK image is too long: "
                                 "'%.40s...'",
                                 lines->reader->name, lines->next);
            *found = line->fields > 1;
        }
        lines->next += strcspn(lines->next, "\n");
        lines->next += *lines->next == '\n';
        if (*found)
            return 0;
    }
    return 0;
}

int vmdk_line_length(const struct vmdk_line *line)
{
    return (int)strcspn(line->text, "\r\n");
}

/* --- settings ----------------------------------------------------------- */

int vmdk_check_type(const struct reader *r, const char *text,
                    struct error *error)
{
    static const char *const types[] = {
        "monolithicFlat",       "vmfs",
        "vmfsSparse",           "seSparse",
        "twoGbMaxExtentSparse", "twoGbMaxExtentFlat",
    };
    /* The value begins after the key and =", which QEMU does not check. */
    static const char key[] = "createType";
    const char *found = strstr(text, key);
    bool has_value = found && strlen(found) > strlen(key) + 2;
    const char *type = has_value ? found + strlen(key) + 2 : "";
    size_t len = strcspn(type, "\"");

    if (!type[len])
        return error_set(error, EINVAL,
                         "%s: not a VMDK image, or a broken one: there is no "
                         "descriptor with a createType",
                         r->name);
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (strlen(types[i]) == len && strncmp(types[i], type, len) == 0)
            return 0;
    }
    return error_set(error, ENOTSUP,
                     "%s: descriptors of the type '%.*s' are not supported, "
                     "nor does QEMU read them",
                     r->name, len < 40 ? (int)len : 40, type);
}

int vmdk_read_identity(struct reader *r, uint64_t offset,
                       struct vmdk_identity *identity, struct error *error)
{
    memset(identity, 0, sizeof(*identity));
    return metadata_read(r, offset, identity->text, VMDK_IDENTITY, error);
}

/* The name begins two bytes after the key. QEMU does not check that they are
 * =", so there may be a NUL. */
const char *vmdk_find_parent(const struct vmdk_identity *identity,
                             const char **end)
{
    static const char key[] = "parentFileNameHint";
    const char *text = identity->text;
    const char *name = strstr(text, key);

    if (!name || name + strlen(key) + 2 > text + VMDK_IDENTITY)
        return NULL;
    name += strlen(key) + 2;
    *end = name + strcspn(name, "\"");
    return name;
}

/* QEMU skips one byte after the key, whatever it is. It has a NUL in the place
 * of the last byte of the text. */
bool vmdk_find_cid(const struct vmdk_identity *identity, const char *key,
                   uint32_t *cid)
{
    struct vmdk_identity copy = *identity;
    const char *found;

    copy.text[VMDK_IDENTITY - 1] = '\0';
    found = strstr(copy.text, key);
    return found && sscanf(found + strlen(key) + 1, "%" SCNx32, cid) == 1;
}
