/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parent of a VHDX image, which has what is not in the image. The locator
 * is a list of keys and values: where the parent is, as Windows names files,
 * and who it is. QEMU reads no such image.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/utf16.h"
#include "format/parent-name.h"
#include "format/vhdx.h"

/* Offsets in the locator, */
enum {
    TYPE = 0,
    COUNT = 18,
    ENTRIES = 20,
};
/* and in an entry. Those of texts are from the start of the locator. */
enum {
    KEY_OFFSET = 0,
    VALUE_OFFSET = 4,
    KEY_LENGTH = 8, /* in bytes */
    VALUE_LENGTH = 10,
    ENTRY_SIZE = 12,
};

static const struct vhdx_guid type_vhdx = VHDX_GUID(
    0xb04aefb7, 0xd19e, 0x4a81, 0xb7, 0x89, 0x25, 0xb8, 0xe9, 0x44, 0x59, 0x13);

enum key {
    LINKAGE,
    LINKAGE_2,
    RELATIVE_PATH, /* the order in which paths are tried */
    VOLUME_PATH,
    ABSOLUTE_PATH,
    KEY_COUNT,
};

static const char *const keys[KEY_COUNT] = {
    [LINKAGE] = "parent_linkage",
    [LINKAGE_2] = "parent_linkage2",
    [RELATIVE_PATH] = "relative_path",
    [VOLUME_PATH] = "volume_path",
    [ABSOLUTE_PATH] = "absolute_win32_path",
};

/* A text of the locator, in UTF-16. */
struct text {
    const unsigned char *bytes; /* NULL: there is none */
    size_t len;
};

struct locator {
    struct vhdx *v;
    struct text values[KEY_COUNT];
};

/* --- the list ----------------------------------------------------------- */

static bool text_is(const struct text *text, const char *ascii)
{
    if (text->len != 2 * strlen(ascii))
        return false;
    for (size_t i = 0; ascii[i]; i++) {
        if (get_le16(text->bytes + 2 * i) != (unsigned char)ascii[i])
            return false;
    }
    return true;
}

static int set_value(struct locator *l, const struct text *key,
                     const struct text *value, struct error *error)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (!text_is(key, keys[i]))
            continue;
        if (l->values[i].bytes)
            return vhdx_broken(l->v, EINVAL, error,
                               "its parent locator has two values for %s",
                               keys[i]);
        l->values[i] = *value;
    }
    return 0;
}

/* Get a text of at most 64 KiB. */
static bool get_text(const unsigned char *locator, size_t len, uint32_t offset,
                     uint16_t length, struct text *text)
{
    text->bytes = locator + offset;
    text->len = length;
    return !sum_exceeds(offset, length, len);
}

static int read_entries(struct locator *l, const unsigned char *locator,
                        size_t len, struct error *error)
{
    size_t count = len < ENTRIES ? 0 : get_le16(locator + COUNT);
    int err = 0;

    if (len < ENTRIES + count * ENTRY_SIZE)
        return vhdx_broken(l->v, EINVAL, error,
                           "its parent locator of %zu bytes is too short", len);
    if (!vhdx_guid_equal(&type_vhdx, locator + TYPE))
        return error_set(error, ENOTSUP,
                         "%s: the parent of the VHDX image is not a VHDX image",
                         l->v->layer->reader->name);
    for (size_t i = 0; !err && i < count; i++) {
        const unsigned char *e = locator + ENTRIES + i * ENTRY_SIZE;
        struct text key, value;

        if (!get_text(locator, len, get_le32(e + KEY_OFFSET),
                      get_le16(e + KEY_LENGTH), &key) ||
            !get_text(locator, len, get_le32(e + VALUE_OFFSET),
                      get_le16(e + VALUE_LENGTH), &value))
            return vhdx_broken(l->v, EINVAL, error,
                               "entry %zu of its parent locator is outside the "
                               "locator",
                               i);
        err = set_value(l, &key, &value, error);
    }
    return err;
}

/* --- who the parent is -------------------------------------------------- */

static int get_utf8(const struct locator *l, enum key key, char **utf8,
                    struct error *error)
{
    const struct text *text = &l->values[key];
    int err = utf16_to_utf8(text->bytes, text->len, UTF16_LE, utf8);

    if (err == ENOMEM)
        return error_no_memory(error, l->v->layer->reader->name);
    if (err)
        return vhdx_broken(l->v, err, error,
                           "its parent locator has a value of %s that is not "
                           "UTF-16",
                           keys[key]);
    return 0;
}

static int read_linkage(const struct locator *l, enum key key,
                        struct error *error)
{
    struct vhdx *v = l->v;
    char *text;
    bool good;
    int err;

    if (!l->values[key].bytes)
        return 0;
    err = get_utf8(l, key, &text, error);
    if (err)
        return err;
    good = vhdx_guid_parse(text, &v->linkage[v->linkage_count]);
    free(text);
    if (!good)
        return vhdx_broken(v, EINVAL, error,
                           "its parent locator has a %s that is not a GUID",
                           keys[key]);
    v->linkage_count++;
    return 0;
}

/* --- where the parent is ------------------------------------------------ */

static int read_name(const struct locator *l, enum key key, struct error *error)
{
    char *text;
    int err;

    if (!l->values[key].bytes)
        return 0;
    err = get_utf8(l, key, &text, error);
    if (err)
        return err;
    if (strlen(text) >= PATH_MAX)
        err = vhdx_broken(l->v, ENAMETOOLONG, error,
                          "its parent locator has a %s that is too long",
                          keys[key]);
    else
        err = parent_name_add_windows(l->v->layer, text, error);
    free(text);
    return err;
}

int vhdx_read_locator(struct vhdx *v, const unsigned char *locator, size_t len,
                      struct error *error)
{
    struct layer *layer = v->layer;
    struct locator l = { .v = v };
    int err = read_entries(&l, locator, len, error);

    for (size_t key = 0; !err && key < KEY_COUNT; key++)
        err = key < RELATIVE_PATH ? read_linkage(&l, key, error)
                                  : read_name(&l, key, error);
    if (err)
        return err;
    if (v->linkage_count == 0)
        return vhdx_broken(v, EINVAL, error,
                           "it does not say who its parent is");
    if (!layer->backing_names[0])
        return vhdx_broken(v, EINVAL, error, "it does not name its parent");
    layer->backing_format = strdup("vhdx");
    if (!layer->backing_format)
        return error_no_memory(error, layer->reader->name);
    return 0;
}

int vhdx_check_parent(const struct layer *layer, const struct layer *backing,
                      struct error *error)
{
    const struct vhdx *v = vhdx_of(layer), *parent = vhdx_of(backing);
    char found[VHDX_GUID_TEXT], expected[VHDX_GUID_TEXT];
    bool right = false;

    for (size_t i = 0; i < v->linkage_count; i++)
        right = right ||
                vhdx_guid_equal(&v->linkage[i], parent->data_write_guid.bytes);
    vhdx_guid_format(&parent->data_write_guid, found);
    vhdx_guid_format(&v->linkage[0], expected);
    if (!right)
        return error_set(error, EINVAL,
                         "%s: '%s' is not its parent, or has been changed "
                         "since: it is %s, not %s",
                         layer->reader->name, backing->reader->name, found,
                         expected);
    if (parent->sector_size != v->sector_size)
        return error_set(error, EINVAL,
                         "%s: has sectors of %u bytes, but its parent '%s' has "
                         "sectors of %u bytes",
                         layer->reader->name, v->sector_size,
                         backing->reader->name, parent->sector_size);
    return 0;
}
