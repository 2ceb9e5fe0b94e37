/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether an image is that of a list, or two lists are of the same image.
 */
#include "cli/identity.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/json.h"
#include "cli/sum-part.h"
#include "common/array.h"

/* As much of a value as a message has. */
#define MAX_VALUE 64

/* A field that decides. */
struct field {
    const char *key;
    const char *name;
};

/* What is compared: the same object in a list, and of the open image or in
 * another list. */
struct pair {
    const struct identity_of *of; /* the image; NULL: it is in a list */
    const char *list;             /* the names of the lists, for messages */
    const char *other;            /* NULL: the image is open */
    const char *host;             /* where it is open, too; NULL: it is not */
    const char *name;             /* of the image or file, likewise, */
    const char *other_name;       /* and in the other list */
    bool name_counts;
    bool may_be_chowned; /* a file: its owner, mode and links do not count */
    const struct json_object *theirs;
    const struct json_object *ours;
};

/* The value of a key, for messages. */
static void value_text(const struct json_object *object, const char *key,
                       char text[MAX_VALUE])
{
    const char *string = json_get_text(object, key);
    uint64_t n;

    if (string)
        snprintf(text, MAX_VALUE, "%s", string);
    else if (json_get_number(object, key, &n))
        snprintf(text, MAX_VALUE, "%" PRIu64, n);
    else
        snprintf(text, MAX_VALUE, "%s", "none");
}

static bool same_value(const struct pair *p, const char *key)
{
    const char *theirs = json_get_text(p->theirs, key);
    const char *ours = json_get_text(p->ours, key);
    uint64_t a, b;

    if (theirs || ours)
        return theirs && ours && strcmp(theirs, ours) == 0;
    if (json_get_number(p->ours, key, &b))
        return json_get_number(p->theirs, key, &a) && a == b;
    return !json_has(p->theirs, key);
}

static int set_differs(const struct pair *p, const char *key, const char *name,
                       struct error *error)
{
    char theirs[MAX_VALUE], ours[MAX_VALUE];

    value_text(p->theirs, key, theirs);
    value_text(p->ours, key, ours);
    if (p->host)
        return error_set(error, ESTALE,
                         "%s: is not what %s has: the %s of '%s' is %s, but %s "
                         "there",
                         p->of->name, p->host, name, p->name, ours, theirs);
    if (p->other && strcmp(p->name, p->other_name) != 0)
        return error_set(error, ESTALE,
                         "%s: the list is of another image than %s: the %s of "
                         "'%s' is %s, but that of '%s' is %s there",
                         p->list, p->other, name, p->name, theirs,
                         p->other_name, ours);
    if (p->other)
        return error_set(error, ESTALE,
                         "%s: the list is of another image than %s: the %s of "
                         "'%s' is %s, but %s there",
                         p->list, p->other, name, p->name, theirs, ours);
    return error_set(error, ESTALE,
                     "%s: the list is of another image: the %s of '%s' was %s, "
                     "and is %s now",
                     p->list, name, p->name, theirs, ours);
}

static int check_fields(const struct pair *p, const struct field *fields,
                        size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (!same_value(p, fields[i].key))
            return set_differs(p, fields[i].key, fields[i].name, error);
    }
    return 0;
}

/* A file system may get another device number when it is mounted again, and
 * then it is known by its ID. Some have no ID, or one that follows from the
 * device number. */
static bool same_file_system(const struct pair *p)
{
    return same_value(p, "device") ||
           (json_has(p->ours, "file-system") && same_value(p, "file-system"));
}

static int check_file(const struct pair *p, struct error *error)
{
    static const struct field fields[] = {
        { "kind", "kind" },
        { "inode", "inode" },
        { "size", "size" },
        { "mtime", "mtime" },
    };
    static const struct field ctime[] = { { "ctime", "ctime" } };
    int err;

    if (!p->other && !p->host && json_has(p->ours, "inode") &&
        !same_file_system(p))
        return set_differs(p, "device", "device", error);
    err = check_fields(p, fields, ARRAY_SIZE(fields), error);
    return err || p->may_be_chowned ? err : check_fields(p, ctime, 1, error);
}

/* The name of file n of an image that an object describes. */
static const char *name_in(const struct json_object *image, size_t n,
                           const char *image_name)
{
    const char *name =
        json_get_text(json_get_element(image, "files", n), "filename");

    return name ? name : image_name;
}

/* Set the names of file n, for messages. An image has all bytes of them. */
static void set_names(const struct pair *image, size_t n, struct pair *file)
{
    struct image_file open;

    if (!image->of) {
        file->name = name_in(image->theirs, n, image->name);
        file->other_name = name_in(image->ours, n, image->other_name);
    } else if (image_file(image->of->image, image->of->layer, n, &open)) {
        file->name = open.name;
    } else {
        file->name = name_in(image->ours, n, image->name);
    }
}

static int set_other_count(const struct pair *p, size_t theirs, size_t ours,
                           struct error *error)
{
    if (p->host)
        return error_set(error, ESTALE,
                         "%s: is not what %s has: it is read from %zu files, "
                         "but from %zu there",
                         p->of->name, p->host, ours, theirs);
    if (p->other)
        return error_set(error, ESTALE,
                         "%s: the list is of another image than %s: '%s' was "
                         "read from %zu files, but from %zu there",
                         p->list, p->other, p->name, theirs, ours);
    return error_set(error, ESTALE,
                     "%s: the list is of another image: '%s' was read from "
                     "%zu files, and is from %zu now",
                     p->list, p->name, theirs, ours);
}

/* Check the files from this one on. */
static int check_files(const struct pair *image, size_t first,
                       struct error *error)
{
    static const struct field rest[] = {
        { "more-files", "number of files" },
        { "more-files-" IDENTITY_DIGEST, "identity of more files" },
    };
    size_t ours = json_get_length(image->ours, "files");
    size_t theirs = json_get_length(image->theirs, "files");

    for (size_t i = first; i < ours && i < theirs; i++) {
        struct pair file = *image;

        set_names(image, i, &file);
        file.theirs = json_get_element(image->theirs, "files", i);
        file.ours = json_get_element(image->ours, "files", i);
        if (check_file(&file, error))
            return error->code;
    }
    if (ours != theirs)
        return set_other_count(image, theirs, ours, error);
    return check_fields(image, rest, ARRAY_SIZE(rest), error);
}

static int check_image(const struct pair *p, struct error *error)
{
    static const struct field fields[] = {
        { "format", "format" },
        { "virtual-size", "virtual size" },
    };
    int err = check_fields(p, fields, ARRAY_SIZE(fields), error);

    return err ? err : check_files(p, 0, error);
}

static int check_options(const struct pair *p, struct error *error)
{
    static const struct field parts[] = {
        { "snapshot", "snapshot" },
        { "snapshot-hex", "snapshot" },
        { "snapshot-" IDENTITY_DIGEST, "snapshot" },
        { "member", "member" },
        { "member-hex", "member" },
        { "member-" IDENTITY_DIGEST, "member" },
        { "offset", "offset" },
        { "length", "length" },
    };
    static const struct field name[] = {
        { "filename", "description" },
        { "filename-hex", "description" },
        { "filename-" IDENTITY_DIGEST, "description" },
    };
    struct pair options = *p, description = *p;

    options.theirs = json_get(p->theirs, "options");
    options.ours = json_get(p->ours, "options");
    if (check_fields(&options, parts, ARRAY_SIZE(parts), error))
        return error->code;
    if (!p->name_counts)
        return 0;
    description.other_name = p->name; /* the message has the other anyway */
    return check_fields(&description, name, ARRAY_SIZE(name), error);
}

static int check_all(const struct pair *p, struct error *error)
{
    int err = check_options(p, error);

    return err ? err : check_image(p, error);
}

/* An option string says itself which bytes are the disk. */
static bool is_description(const struct json_object *ours)
{
    const char *name = json_get_text(ours, "filename");
    bool option_string = false;

    json_get_bool(json_get(ours, "options"), "image-opts", &option_string);
    return option_string || (name && strncmp(name, "json:", 5) == 0);
}

static int parse_source(const struct identity_source *source,
                        struct json_object **object, struct error *error)
{
    int err = json_parse(source->text, source->len, object);

    if (err == ENOMEM)
        return error_no_memory(error, source->list);
    if (!err && json_is_object(*object))
        return 0;
    json_free(*object);
    return error_set(error, EINVAL,
                     "%s: broken list: its header does not say of which image "
                     "it is",
                     source->list);
}

/* Check the open image of a pair, which gets the rest. */
static int check_open(struct pair *pair, const struct identity_source *source,
                      struct error *error)
{
    const struct identity_of *of = pair->of;
    struct json_object *theirs, *ours;
    int err = parse_source(source, &theirs, error);

    if (err)
        return err;
    ours = identity_make(of);
    if (ours) {
        pair->name = of->name;
        pair->name_counts = !of->layer && is_description(ours);
        pair->theirs = theirs;
        pair->ours = ours;
        err = check_all(pair, error);
    } else {
        err = error_no_memory(error, of->name);
    }
    json_free(theirs);
    json_free(ours);
    return err;
}

int identity_check(const struct identity_of *of, const char *list,
                   const char *source, size_t len, struct error *error)
{
    const struct identity_source theirs = { list, source, len };
    struct pair pair = { .of = of, .list = list };

    return check_open(&pair, &theirs, error);
}

int identity_check_host(const struct identity_of *of,
                        const struct identity_source *theirs,
                        struct error *error)
{
    struct pair pair = { .of = of, .host = theirs->list };

    return check_open(&pair, theirs, error);
}

static const char *image_name(const struct json_object *source,
                              const char *list)
{
    const char *name = json_get_text(source, "filename");

    return name ? name : list;
}

int identity_compare(const struct identity_source *a,
                     const struct identity_source *b, struct error *error)
{
    struct pair pair = { .list = b->list, .other = a->list };
    struct json_object *theirs, *ours;
    int err = parse_source(a, &ours, error);

    if (err)
        return err;
    err = parse_source(b, &theirs, error);
    if (!err) {
        pair.name = image_name(theirs, b->list);
        pair.other_name = image_name(ours, a->list);
        pair.name_counts = is_description(ours);
        pair.theirs = theirs;
        pair.ours = ours;
        err = check_all(&pair, error);
        json_free(theirs);
    }
    json_free(ours);
    return err;
}

/* Whether a file of a list is another one than this, and is still there. */
static bool is_other_file(const struct json_object *theirs,
                          const struct image_file *file)
{
    const char *name = json_get_text(theirs, "filename");
    uint64_t device, inode;
    struct stat st;

    return name && json_get_number(theirs, "device", &device) &&
           json_get_number(theirs, "inode", &inode) &&
           (device != file->id.device || inode != file->id.inode) &&
           stat(name, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

static bool is_same_file(const struct json_object *theirs,
                         const struct json_object *ours)
{
    const struct pair file = { .theirs = theirs, .ours = ours };

    return same_file_system(&file) && same_value(&file, "inode");
}

/* The files that QEMU had open are in the order of their names. Find one from
 * `at` on, and then from the first. NULL: the image was not read from it. */
static const struct json_object *find_file(const struct json_object *image,
                                           size_t *at,
                                           const struct json_object *ours)
{
    size_t count = json_get_length(image, "files");

    for (size_t i = 0; i < count; i++) {
        size_t n = (*at + i) % count;
        const struct json_object *theirs = json_get_element(image, "files", n);

        if (is_same_file(theirs, ours)) {
            *at = n + 1;
            return theirs;
        }
    }
    return NULL;
}

static bool is_of_qemu(const struct json_object *image)
{
    const char *format = json_get_text(image, "format");

    return format && strcmp(format, "qemu") == 0;
}

/* Check the files from this one on with a list of what QEMU had open. */
static int check_files_of_qemu(const struct pair *image, size_t first,
                               struct error *error)
{
    size_t count = json_get_length(image->ours, "files"), at = 0;

    for (size_t i = first; i < count; i++) {
        struct pair file = *image;

        set_names(image, i, &file);
        file.ours = json_get_element(image->ours, "files", i);
        file.theirs = find_file(image->theirs, &at, file.ours);
        if (!file.theirs)
            return error_set(error, ESTALE,
                             "%s: the list is of another image: it was not "
                             "read from '%s'",
                             image->list, file.name);
        if (check_file(&file, error))
            return error->code;
    }
    return check_files(image, count, error);
}

static size_t count_files(const struct image *image, size_t layer)
{
    struct image_file file;
    size_t count = 0;

    while (image_file(image, layer, count, &file))
        count++;
    return count;
}

/* Check what does not change when a guest writes. */
static int check_below(const struct pair *image, struct error *error)
{
    static const struct field format[] = { { "format", "format" } };
    const struct image *open = image->of->image;
    size_t top = count_files(open, 0) - count_files(open, 1);
    struct pair below = *image;

    /* Who starts a machine may give the files to the user that runs it. */
    below.may_be_chowned = true;
    if (is_of_qemu(image->theirs))
        return check_files_of_qemu(&below, top, error);
    if (check_fields(image, format, ARRAY_SIZE(format), error))
        return error->code;
    return check_files(&below, top, error);
}

int identity_check_file(const struct identity_of *of, const char *list,
                        const char *source, size_t len, struct error *error)
{
    const struct identity_source theirs_source = { list, source, len };
    const struct json_object *first, *image;
    size_t at = 0;
    struct pair pair = { .of = of, .list = list, .name = of->name };
    struct json_object *theirs, *ours;
    struct image_file file;
    int err = parse_source(&theirs_source, &theirs, error);

    if (err)
        return err;
    ours = identity_make(of);
    pair.theirs = theirs;
    pair.ours = ours;
    first = json_get_element(theirs, "files", 0);
    image = json_get_element(ours, "files", 0);
    if (ours && is_of_qemu(theirs) && find_file(theirs, &at, image))
        first = json_get_element(theirs, "files", at - 1);
    if (!ours)
        err = error_no_memory(error, of->name);
    else if (!image_file(of->image, of->layer, 0, &file) ||
             file.state.kind != OBJECT_FILE)
        err = 0; /* it cannot be told */
    else if (is_other_file(first, &file))
        err = error_set(error, ESTALE,
                        "%s: the list is of another image: '%s' is not '%s'",
                        list, json_get_text(first, "filename"), file.name);
    else if (is_same_file(first, image))
        err = check_below(&pair, error);
    json_free(theirs);
    json_free(ours);
    return err;
}

int identity_source_is_weak(const struct identity_source *source, bool *weak)
{
    struct json_object *object;
    int err = json_parse(source->text, source->len, &object);
    size_t count = err ? 0 : json_get_length(object, "files");

    *weak = count == 0;
    for (size_t i = 0; !*weak && i < count; i++) {
        const char *kind =
            json_get_text(json_get_element(object, "files", i), "kind");

        *weak = !kind || strcmp(kind, "file") != 0;
    }
    json_free(object);
    return err == ENOMEM ? err : 0;
}

int identity_source_part(const struct identity_source *source,
                         struct sum_part *part)
{
    struct json_object *object;
    int err = json_parse(source->text, source->len, &object);

    *part = (struct sum_part){ .snapshot = NULL };
    if (!err) {
        err = sum_part_get(json_get(object, "options"), part);
        json_free(object);
    }
    if (err && err != ENOMEM)
        sum_part_clear(part);
    return err == ENOMEM ? err : 0;
}
