/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/changes.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cli/change-map.h"
#include "cli/json-items.h"
#include "cli/json.h"
#include "common/array.h"

/* What an object says. */
enum verdict {
    CHANGED,
    UNCHANGED,
    SUMMARY, /* it is no range, but sums up all of them */
    UNKNOWN, /* it does not say whether its range has changed */
};

/* A program that prints ranges. */
struct program {
    const char *name;
    const char *marks[2]; /* keys by which its objects are known; or NULL */
    const char *start;    /* the key of the offset */
    enum change_default default_change;
    enum verdict (*judge)(const struct json_object *object);
    const char *why_unknown;
};

static enum verdict judge_nbdinfo(const struct json_object *object)
{
    const char *text = json_get_text(object, "description");

    if (text && strcmp(text, "dirty") == 0)
        return CHANGED;
    return text && strcmp(text, "clean") == 0 ? UNCHANGED : UNKNOWN;
}

/* What was discarded, and is zeros now, has changed, too. */
static enum verdict judge_rbd(const struct json_object *object)
{
    const char *text = json_get_text(object, "exists");

    return text && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
               ? CHANGED
               : UNKNOWN;
}

/* Only the image itself, not what is below it, is at depth 0. */
static enum verdict judge_qemu_img(const struct json_object *object)
{
    uint64_t depth;

    if (!json_get_number(object, "depth", &depth))
        return UNKNOWN;
    return depth ? UNCHANGED : CHANGED;
}

static enum verdict judge_disksum(const struct json_object *object)
{
    if (json_has(object, "compared"))
        return SUMMARY;
    return json_get_text(object, "what") ? CHANGED : UNKNOWN;
}

/* A map has all of the disk. What is missing in it may have changed. */
static const struct program programs[] = {
    {
        .name = "nbdinfo --map",
        .marks = { "description", "type" },
        .start = "offset",
        .default_change = DEFAULT_CHANGED,
        .judge = judge_nbdinfo,
        .why_unknown = "is not of a bitmap, and does not say what has changed; "
                       "use nbdinfo --map=qemu:dirty-bitmap:NAME --json",
    },
    {
        .name = "qemu-img map",
        .marks = { "depth" },
        .start = "start",
        .default_change = DEFAULT_CHANGED,
        .judge = judge_qemu_img,
        .why_unknown = "has no valid depth",
    },
    {
        .name = "rbd diff",
        .marks = { "exists" },
        .start = "offset",
        .default_change = DEFAULT_UNCHANGED,
        .judge = judge_rbd,
        .why_unknown = "does not say whether it exists",
    },
    {
        .name = "disksum --diff",
        .marks = { "what", "compared" },
        .start = "start",
        .default_change = DEFAULT_UNCHANGED,
        .judge = judge_disksum,
        .why_unknown = "does not say what differs",
    },
};

struct parser {
    const char *name; /* of the file */
    uint64_t size;    /* of the disk */
    struct json_items *items;
    const struct program *program; /* NULL: no object yet */
    struct change_map *map;        /* NULL, likewise */
    uint64_t changed;              /* the lengths of all changes */
    bool summed_up;
};

static bool is_of(const struct json_object *object, const struct program *p)
{
    for (size_t i = 0; i < ARRAY_SIZE(p->marks); i++) {
        if (p->marks[i] && json_has(object, p->marks[i]))
            return true;
    }
    return false;
}

static int set_bad_range(const struct parser *p, const char *why,
                         struct error *error)
{
    return error_set(error, EINVAL, "%s: range %zu: %s", p->name,
                     json_items_count(p->items), why);
}

/* All ranges that are not added later are as the program means them. */
static int set_program(struct parser *p, const struct program *program,
                       struct error *error)
{
    enum change_default d =
        program ? program->default_change : DEFAULT_UNCHANGED;

    p->program = program;
    p->map = change_map_new(p->size ? p->size : 1, d);
    return p->map ? 0 : error_no_memory(error, p->name);
}

/* Find out which program has written the file. */
static int recognise(struct parser *p, const struct json_object *object,
                     struct error *error)
{
    for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
        if (is_of(object, &programs[i]))
            return set_program(p, &programs[i], error);
    }
    return set_bad_range(
        p,
        "not the output of nbdinfo --map, rbd diff, qemu-img map or "
        "disksum --diff",
        error);
}

/* --- ranges ------------------------------------------------------------- */

static int check_summary(struct parser *p, const struct json_object *object,
                         struct error *error)
{
    uint64_t compared, different;

    if (!json_get_number(object, "compared", &compared) ||
        !json_get_number(object, "different", &different))
        return set_bad_range(p, "not the output of disksum --diff", error);
    if (different != p->changed)
        return error_set(error, EINVAL,
                         "%s: has ranges of %" PRIu64
                         " bytes in all, but disksum --diff found %" PRIu64,
                         p->name, p->changed, different);
    if (compared != p->size)
        return error_set(error, EINVAL,
                         "%s: is of disks of up to %" PRIu64
                         " bytes, but this one has %" PRIu64,
                         p->name, compared, p->size);
    p->summed_up = true;
    return 0;
}

static int add_range(struct parser *p, const struct json_object *object,
                     bool changed, struct error *error)
{
    uint64_t start, length;

    if (!json_get_number(object, p->program->start, &start) ||
        !json_get_number(object, "length", &length))
        return set_bad_range(p, "has no valid start or length", error);
    if (start > p->size || length > p->size - start)
        return error_set(error, EINVAL,
                         "%s: range %zu: %" PRIu64 " bytes at offset %" PRIu64
                         " exceed the disk, which has %" PRIu64 " bytes",
                         p->name, json_items_count(p->items), length, start,
                         p->size);
    change_map_add(p->map, start, length, changed);
    if (changed)
        p->changed += length;
    return 0;
}

static int add_object(struct parser *p, const struct json_object *object,
                      struct error *error)
{
    enum verdict verdict;

    if (!p->program && recognise(p, object, error))
        return error->code;
    if (p->summed_up || !is_of(object, p->program))
        return error_set(
            error, EINVAL,
            "%s: range %zu: not the output of %s, unlike those before", p->name,
            json_items_count(p->items), p->program->name);
    verdict = p->program->judge(object);
    if (verdict == UNKNOWN)
        return set_bad_range(p, p->program->why_unknown, error);
    if (verdict == SUMMARY)
        return check_summary(p, object, error);
    return add_range(p, object, verdict == CHANGED, error);
}

/* --- files -------------------------------------------------------------- */

/* An array may be empty. The lines of disksum have a last one: where it is
 * missing, so may be others. */
static int check_end(struct parser *p, struct error *error)
{
    if (!p->program)
        return set_program(p, NULL, error);
    if (p->program->judge == judge_disksum && !p->summed_up)
        return error_set(error, EINVAL,
                         "%s: the last line of disksum --diff is missing; did "
                         "it fail?",
                         p->name);
    return 0;
}

static int parse(struct parser *p, struct error *error)
{
    for (;;) {
        struct json_object *object;
        int err = json_items_next(p->items, &object, error);

        if (err)
            return err;
        if (!object)
            return check_end(p, error);
        err = add_object(p, object, error);
        json_free(object);
        if (err)
            return err;
    }
}

static int parse_file(int fd, const char *name, uint64_t size,
                      struct changes **changes, struct error *error)
{
    struct parser p = {
        .name = name,
        .size = size,
        .items = json_items_new(fd, name),
    };
    int err = p.items ? parse(&p, error) : error_no_memory(error, name);

    json_items_free(p.items);
    if (err)
        change_map_free(p.map);
    else
        *changes = change_map_finish(p.map);
    return err;
}

int changes_open(const char *path, uint64_t size, struct changes **changes,
                 struct error *error)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    int err;

    if (fd < 0)
        return error_set(error, errno, "%s: %s", path, strerror(errno));
    err = parse_file(fd, path, size, changes, error);
    if (!is_stdin)
        close(fd);
    return err;
}
