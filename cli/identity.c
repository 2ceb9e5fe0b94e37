/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/identity.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "blkhash.h"
#include "cli/json.h"
#include "common/array.h"
#include "common/mask.h"

/*
 * A header has room for 1 MiB. A text takes up to 8 times its bytes, with its
 * escapes and in hex. So the three of the image take less than 200 KiB, and the
 * files 512 KiB and one file: less than IDENTITY_MAX_SIZE in all.
 */
#define MAX_TEXT 8192
#define MAX_FILES_TEXT (512 * 1024)

/* As much of a value as a message has. */
#define MAX_VALUE 64

#define DIGEST "sha256"

/* The digest of texts, one after the other. */
struct summary {
    size_t count;
    unsigned char md[BLKHASH_MAX_MD_SIZE];
    size_t md_size;
};

/* H(the digest so far || text) */
static bool summary_add(struct summary *s, const char *text, size_t len)
{
    struct blkhash_leaf *leaf =
        blkhash_leaf_new(BLKHASH_MAX_BLOCK_SIZE, DIGEST);
    size_t before = s->md_size;
    char *buf = leaf ? malloc(before + len) : NULL;
    bool ok = false;

    if (buf) {
        memcpy(buf, s->md, before);
        memcpy(buf + before, text, len);
        s->count++;
        s->md_size = blkhash_leaf_md_size(leaf);
        ok = blkhash_leaf_hash(leaf, buf, before + len, s->md, NULL) == 0;
    }
    free(buf);
    blkhash_leaf_free(leaf);
    return ok;
}

/* --- write -------------------------------------------------------------- */

/* Add the start of a long name, and a digest for the rest. */
static bool add_long_name(struct json_object *object, const char *key,
                          const char *name)
{
    struct summary all = { .count = 0 };
    char start[MAX_TEXT + 1];
    char digest_key[32];

    snprintf(start, sizeof(start), "%.*s", MAX_TEXT, name);
    snprintf(digest_key, sizeof(digest_key), "%s-" DIGEST, key);
    return summary_add(&all, name, strlen(name)) &&
           json_add_name(object, key, start) &&
           json_add_hex(object, digest_key, all.md, all.md_size);
}

static bool add_name(struct json_object *object, const char *key,
                     const char *name)
{
    char *masked = mask_name(name);
    bool ok = masked &&
              (strlen(masked) <= MAX_TEXT ? json_add_name(object, key, masked)
                                          : add_long_name(object, key, masked));

    free(masked);
    return ok;
}

/* Add a time in UTC: "2026-01-31T23:59:59.123456789Z". */
static bool add_time(struct json_object *object, const char *key,
                     struct timespec time)
{
    char seconds[64], text[80];
    struct tm tm;

    if (!gmtime_r(&time.tv_sec, &tm) ||
        !strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &tm))
        snprintf(seconds, sizeof(seconds), "%jd", (intmax_t)time.tv_sec);
    snprintf(text, sizeof(text), "%s.%09ldZ", seconds, time.tv_nsec);
    return json_add_text(object, key, text);
}

static bool add_inode(struct json_object *object, const struct image_file *file)
{
    char id[17];

    snprintf(id, sizeof(id), "%016" PRIx64, file->state.file_system);
    return json_add_number(object, "device", file->id.device) &&
           (!file->state.file_system ||
            json_add_text(object, "file-system", id)) &&
           json_add_number(object, "inode", file->id.inode) &&
           add_time(object, "mtime", file->state.mtime) &&
           add_time(object, "ctime", file->state.ctime);
}

static bool add_file(struct json_object *object, const struct image_file *file)
{
    static const char *const kinds[] = {
        [OBJECT_OTHER] = "other",
        [OBJECT_FILE] = "file",
        [OBJECT_DEVICE] = "block device",
    };

    return add_name(object, "filename", file->name) &&
           json_add_text(object, "kind", kinds[file->state.kind]) &&
           json_add_number(object, "size", file->size) &&
           (file->state.kind != OBJECT_FILE || add_inode(object, file));
}

/* Add a file to the array, or to the rest if there is no more room. */
static bool append_file(struct json_object *array, const struct image_file *f,
                        size_t *room, struct summary *rest)
{
    struct json_object *object = json_new();
    size_t len = 0;
    char *text =
        object && add_file(object, f) ? json_to_text(object, &len) : NULL;
    bool ok = text;

    if (ok && (rest->count || len > *room)) {
        ok = summary_add(rest, text, len);
    } else if (ok) {
        *room -= len;
        ok = json_append(array, object);
        object = NULL;
    }
    json_free(object);
    free(text);
    return ok;
}

static bool add_files(struct json_object *object, const struct identity_of *of)
{
    struct json_object *array = json_add_array(object, "files");
    struct summary rest = { .count = 0 };
    size_t room = MAX_FILES_TEXT;
    struct image_file file;

    if (!array)
        return false;
    for (size_t i = 0; image_file(of->image, of->layer, i, &file); i++) {
        if (!append_file(array, &file, &room, &rest))
            return false;
    }
    return !rest.count ||
           (json_add_number(object, "more-files", rest.count) &&
            json_add_hex(object, "more-files-" DIGEST, rest.md, rest.md_size));
}

static bool add_options(struct json_object *object,
                        const struct identity_of *of)
{
    struct json_object *options = json_add_object(object, "options");
    const struct image_options *o = of->layer ? NULL : of->options;

    return options &&
           (!o || !o->snapshot || add_name(options, "snapshot", o->snapshot)) &&
           (!o || !o->image_opts || json_add_bool(options, "image-opts", true));
}

/* The identity as a JSON object. NULL when out of memory. */
static struct json_object *make(const struct identity_of *of)
{
    struct json_object *object = json_new();
    struct image_layer layer = { .name = of->name, .format = "raw" };
    bool known = of->image && image_layer(of->image, of->layer, &layer);

    if (object && json_add_text(object, "program", "disksum " VERSION) &&
        add_name(object, "filename", of->layer ? layer.name : of->name) &&
        json_add_text(object, "format", layer.format) &&
        (!known || json_add_number(object, "virtual-size", layer.size)) &&
        add_options(object, of) && (!known || add_files(object, of)))
        return object;
    json_free(object);
    return NULL;
}

int identity_write(const struct identity_of *of, char **text, size_t *len,
                   struct error *error)
{
    struct json_object *object = make(of);

    *text = object ? json_to_text(object, len) : NULL;
    json_free(object);
    return *text ? 0 : error_no_memory(error, of->name);
}

/* --- check -------------------------------------------------------------- */

/* A field that decides. */
struct field {
    const char *key;
    const char *name;
};

/* What is compared: the same object in the list and of the open image. */
struct pair {
    const char *list; /* its name, for messages */
    const char *name; /* of the image or file, likewise */
    const struct json_object *theirs;
    const struct json_object *ours;
};

/* The value of a key, for messages. */
static const char *value_text(const struct json_object *object, const char *key,
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
    return text;
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

    return error_set(error, ESTALE,
                     "%s: the list is of another image: the %s of '%s' was %s, "
                     "and is %s now",
                     p->list, name, p->name, value_text(p->theirs, key, theirs),
                     value_text(p->ours, key, ours));
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
        { "kind", "kind" },   { "inode", "inode" }, { "size", "size" },
        { "mtime", "mtime" }, { "ctime", "ctime" },
    };

    if (json_has(p->ours, "inode") && !same_file_system(p))
        return set_differs(p, "device", "device", error);
    return check_fields(p, fields, ARRAY_SIZE(fields), error);
}

static int check_files(const struct identity_of *of, const struct pair *image,
                       struct error *error)
{
    size_t count = json_get_length(image->ours, "files");
    size_t listed = json_get_length(image->theirs, "files");
    struct image_file file;

    for (size_t i = 0;
         i < count && i < listed && image_file(of->image, of->layer, i, &file);
         i++) {
        const struct pair pair = {
            .list = image->list,
            .name = file.name,
            .theirs = json_get_element(image->theirs, "files", i),
            .ours = json_get_element(image->ours, "files", i),
        };

        if (check_file(&pair, error))
            return error->code;
    }
    if (count != listed)
        return error_set(error, ESTALE,
                         "%s: the list is of another image: '%s' was read from "
                         "%zu files, and is from %zu now",
                         image->list, image->name, listed, count);
    return 0;
}

static int check_image(const struct identity_of *of, const struct pair *p,
                       struct error *error)
{
    static const struct field fields[] = {
        { "format", "format" },
        { "virtual-size", "virtual size" },
    };
    static const struct field rest[] = {
        { "more-files", "number of files" },
        { "more-files-" DIGEST, "identity of more files" },
    };
    int err = check_fields(p, fields, ARRAY_SIZE(fields), error);

    if (!err)
        err = check_files(of, p, error);
    return err ? err : check_fields(p, rest, ARRAY_SIZE(rest), error);
}

/* An option string says itself which bytes are the disk. */
static bool name_counts(const struct identity_of *of)
{
    return !of->layer && ((of->options && of->options->image_opts) ||
                          strncmp(of->name, "json:", 5) == 0);
}

static int check_options(const struct identity_of *of, const struct pair *p,
                         struct error *error)
{
    static const struct field snapshot[] = {
        { "snapshot", "snapshot" },
        { "snapshot-hex", "snapshot" },
        { "snapshot-" DIGEST, "snapshot" },
    };
    static const struct field name[] = {
        { "filename", "description" },
        { "filename-hex", "description" },
        { "filename-" DIGEST, "description" },
    };
    struct pair options = *p;

    options.theirs = json_get(p->theirs, "options");
    options.ours = json_get(p->ours, "options");
    if (check_fields(&options, snapshot, ARRAY_SIZE(snapshot), error))
        return error->code;
    return name_counts(of) ? check_fields(p, name, ARRAY_SIZE(name), error) : 0;
}

static int parse_source(const char *list, const char *source, size_t len,
                        struct json_object **theirs, struct error *error)
{
    int err = json_parse(source, len, theirs);

    if (err == ENOMEM)
        return error_no_memory(error, list);
    if (!err && json_is_object(*theirs))
        return 0;
    json_free(*theirs);
    return error_set(error, EINVAL,
                     "%s: broken list: its header does not say of which image "
                     "it is",
                     list);
}

int identity_check(const struct identity_of *of, const char *list,
                   const char *source, size_t len, struct error *error)
{
    struct pair pair = { .list = list, .name = of->name };
    struct json_object *theirs, *ours;
    int err = parse_source(list, source, len, &theirs, error);

    if (err)
        return err;
    ours = make(of);
    pair.theirs = theirs;
    pair.ours = ours;
    err = ours ? check_options(of, &pair, error)
               : error_no_memory(error, of->name);
    if (!err)
        err = check_image(of, &pair, error);
    json_free(theirs);
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

int identity_check_file(const struct identity_of *of, const char *list,
                        const char *source, size_t len, struct error *error)
{
    struct json_object *theirs;
    const struct json_object *first;
    struct image_file file;
    int err = parse_source(list, source, len, &theirs, error);

    if (err)
        return err;
    first = json_get_element(theirs, "files", 0);
    if (image_file(of->image, of->layer, 0, &file) &&
        file.state.kind == OBJECT_FILE && is_other_file(first, &file))
        err = error_set(error, ESTALE,
                        "%s: the list is of another image: '%s' is not '%s'",
                        list, json_get_text(first, "filename"), file.name);
    json_free(theirs);
    return err;
}

bool identity_is_weak(const struct identity_of *of)
{
    bool weak = !of->image;
    struct image_file file;

    for (size_t i = 0; !weak && image_file(of->image, of->layer, i, &file); i++)
        weak = file.state.kind != OBJECT_FILE;
    return weak;
}
