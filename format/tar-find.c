/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Members of a tar archive: one by its name, and those that are disks.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/format.h"
#include "format/probe.h"
#include "format/tar.h"

/* Messages name so many members, and so much of each name. */
#define MAX_NAMES 8
#define MAX_NAME 255

/* The names of members that are disks. */
struct disks {
    char *names[MAX_NAMES];
    uint64_t count;
};

static const char *plain_name(const char *name)
{
    while (strncmp(name, "./", 2) == 0)
        name += 2;
    return name;
}

/* --- disks -------------------------------------------------------------- */

/* Whether a name ends as those of disks do. */
static bool is_name_of_disk(const char *name)
{
    const char *dot = strrchr(name, '.');
    const char *suffix;

    return dot && (strcmp(dot, ".img") == 0 || format_find(dot + 1) ||
                   format_meant_by(dot + 1, &suffix));
}

/* Whether a member is a disk: by its name, or by its first bytes. If these
 * cannot be read, others may be. */
static bool is_disk(struct tar *t, const struct tar_member *member)
{
    unsigned char start[TAR_HEADER_SIZE];
    struct error ignored = ERROR_INIT;
    bool is_read;

    if (member->unreadable || member->size == 0)
        return false;
    if (is_name_of_disk(member->name))
        return true;
    is_read = tar_read_start(t, member, start, sizeof(start), &ignored) == 0;
    error_clear(&ignored);
    return is_read && probe_start(start, sizeof(start));
}

static int add(struct disks *d, struct tar *t, const struct tar_member *member,
               const struct reader *reader, struct error *error)
{
    if (!is_disk(t, member))
        return 0;
    if (d->count < MAX_NAMES) {
        d->names[d->count] = strndup(member->name, MAX_NAME);
        if (!d->names[d->count])
            return error_no_memory(error, reader->name);
    }
    d->count++;
    return 0;
}

/* Write "'a', 'b' and 3 more". NULL when out of memory. */
static char *join(const struct disks *d)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    if (!f)
        return NULL;
    for (uint64_t i = 0; i < d->count && i < MAX_NAMES; i++) {
        bool is_last = i + 1 == d->count && i > 0;

        fprintf(f, "%s'%s'", is_last ? " and " : i ? ", " : "", d->names[i]);
    }
    if (d->count > MAX_NAMES)
        fprintf(f, " and %" PRIu64 " more", d->count - MAX_NAMES);
    if (fclose(f) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static void clear(struct disks *d)
{
    for (uint64_t i = 0; i < d->count && i < MAX_NAMES; i++)
        free(d->names[i]);
}

/* --- one ---------------------------------------------------------------- */

static int keep(struct tar_member *found, const struct tar_member *member,
                const struct reader *reader, struct error *error)
{
    free(found->name);
    *found = *member;
    found->name = strdup(member->name);
    return found->name ? 0 : error_no_memory(error, reader->name);
}

/* Walk over all members. wanted: NULL for none. */
static int walk(struct reader *reader, const char *wanted,
                struct tar_member *found, struct disks *disks,
                struct error *error)
{
    struct tar_member member;
    struct tar *t;
    int err = tar_open(reader, &t, error);

    if (err)
        return err;
    while ((err = tar_next(t, &member, error)) == 0 && member.name) {
        if (wanted && strcmp(plain_name(member.name), plain_name(wanted)) == 0)
            err = keep(found, &member, reader, error);
        if (!err)
            err = add(disks, t, &member, reader, error);
        if (err)
            break;
    }
    tar_close(t);
    return err;
}

static int set_missing(const struct reader *reader, const char *name,
                       const struct disks *disks, struct error *error)
{
    char *names;
    int err;

    if (!disks->count)
        return error_set(error, ENOENT,
                         "%s: no member '%s', and no other is a disk",
                         reader->name, name);
    names = join(disks);
    if (!names)
        return error_no_memory(error, reader->name);
    err = error_set(error, ENOENT, "%s: no member '%s'; its disks: %s",
                    reader->name, name, names);
    free(names);
    return err;
}

int tar_find(struct reader *reader, const char *name, struct tar_member *member,
             struct error *error)
{
    struct disks disks = { .count = 0 };
    int err;

    *member = (struct tar_member){ .name = NULL };
    err = walk(reader, name, member, &disks, error);
    if (!err && !member->name)
        err = set_missing(reader, name, &disks, error);
    if (!err && member->unreadable)
        err = error_set(error, EINVAL, "%s: its member '%s' %s", reader->name,
                        member->name, member->unreadable);
    clear(&disks);
    if (err) {
        free(member->name);
        member->name = NULL;
    }
    return err;
}

int tar_list_disks(struct reader *reader, char **names, struct error *error)
{
    struct disks disks = { .count = 0 };
    int err = walk(reader, NULL, NULL, &disks, error);

    *names = NULL;
    if (!err && disks.count) {
        *names = join(&disks);
        if (!*names)
            err = error_no_memory(error, reader->name);
    }
    clear(&disks);
    return err;
}
