/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/identity.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "blkhash.h"
#include "cli/json.h"
#include "common/mask.h"

/*
 * A header has room for 1 MiB. A text takes up to 8 times its bytes, with its
 * escapes and in hex. So the three of the image take less than 200 KiB, and the
 * files 512 KiB and one file: less than IDENTITY_MAX_SIZE in all.
 */
#define MAX_TEXT 8192
#define MAX_FILES_TEXT (512 * 1024)

#define DIGEST IDENTITY_DIGEST

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

/* Which part of what the files have is hashed. */
static bool add_part(struct json_object *options, const struct image_options *o)
{
    return (!o->member || add_name(options, "member", o->member)) &&
           (!o->offset || json_add_number(options, "offset", o->offset)) &&
           (!o->has_length || json_add_number(options, "length", o->length));
}

static bool add_options(struct json_object *object,
                        const struct identity_of *of)
{
    struct json_object *options = json_add_object(object, "options");
    const struct image_options *o = of->layer ? NULL : of->options;

    return options &&
           (!o || !o->snapshot || add_name(options, "snapshot", o->snapshot)) &&
           (!o || add_part(options, o)) &&
           (!o || !o->image_opts || json_add_bool(options, "image-opts", true));
}

struct json_object *identity_make(const struct identity_of *of)
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
    struct json_object *object = identity_make(of);

    *text = object ? json_to_text(object, len) : NULL;
    json_free(object);
    return *text ? 0 : error_no_memory(error, of->name);
}

/* --- times ---------------------------------------------------------------- */

/* The kernel takes the time from a clock that ticks at least 100 times a
 * second. Some file systems keep only the second, or every other one. */
#define NS_PER_SECOND INT64_C(1000000000)
#define TICK_NS (NS_PER_SECOND / 50)
#define COARSE_TICK_NS (2 * NS_PER_SECOND)

/* How long to wait after the last change of a file. */
static int64_t time_to_settle(const struct object_state *state)
{
    bool coarse = !state->mtime.tv_nsec && !state->ctime.tv_nsec;
    int64_t tick = coarse ? COARSE_TICK_NS : TICK_NS;
    struct timespec now;
    int64_t seconds, age;

    clock_gettime(CLOCK_REALTIME, &now);
    seconds = (int64_t)now.tv_sec - state->ctime.tv_sec;
    if (seconds < -2 || seconds > 2)
        return 0;
    age = seconds * NS_PER_SECOND + now.tv_nsec - state->ctime.tv_nsec;
    return age > -tick && age < tick ? tick - age : 0;
}

void identity_settle(const struct identity_of *of)
{
    struct image_file file;
    int64_t wait = 0;

    for (size_t i = 0; image_file(of->image, of->layer, i, &file); i++) {
        int64_t ns =
            file.state.kind == OBJECT_FILE ? time_to_settle(&file.state) : 0;

        if (ns > wait)
            wait = ns;
    }
    if (wait)
        nanosleep(&(struct timespec){ .tv_sec = wait / NS_PER_SECOND,
                                      .tv_nsec = wait % NS_PER_SECOND },
                  NULL);
}

bool identity_is_weak(const struct identity_of *of)
{
    bool weak = !of->image;
    struct image_file file;

    for (size_t i = 0; !weak && image_file(of->image, of->layer, i, &file); i++)
        weak = file.state.kind != OBJECT_FILE;
    return weak;
}
