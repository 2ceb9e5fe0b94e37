/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parent of a differencing VPC image. The header names it up to eight
 * times, in the ways of several systems, and once more without a path. Who made
 * the image decides what is there:
 *   - Hyper-V and Virtual PC: an absolute and a relative name of Windows.
 *   - XenServer: the same relative name as MacX, as W2ku and as W2ru; or an
 *     absolute one below /dev. A parent without an id is raw.
 *   - Xen Orchestra: a relative name as W2ku.
 * QEMU 7.2 reads such an image without its parent.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/bytes.h"
#include "common/url.h"
#include "common/utf16.h"
#include "format/parent-name.h"
#include "format/vpc.h"

/* The header. */
#define AT_NAME 64
#define NAME_SIZE 512
#define AT_LOCATORS 576
#define LOCATORS 8

/* A locator. */
#define LOCATOR_SIZE 24
#define AT_LENGTH 8
#define AT_OFFSET 16

/* A path has less than 4,096 bytes, so its UTF-16 text has less than 8,192. */
#define MAX_TEXT (2 * PATH_MAX)

/* Where a name leads, by its platform. */
enum platform {
    PLATFORM_W2RU = 0x57327275, /* Windows, relative, UTF-16LE */
    PLATFORM_W2KU = 0x57326b75, /* Windows, absolute, UTF-16LE */
    PLATFORM_MACX = 0x4d616358, /* file URL, UTF-8 */
    PLATFORM_WI2R = 0x57693272, /* Windows, relative, in some code page */
    PLATFORM_WI2K = 0x5769326b, /* Windows, absolute, in some code page */
};

/* --- names -------------------------------------------------------------- */

/* XenServer writes relative paths after "file://", and escapes nothing. It has
 * the same name in other locators. */
static int add_url(struct layer *layer, const char *url, struct error *error)
{
    static const char scheme[] = "file://", local[] = "localhost/";
    const char *start = url + strlen(scheme);
    char *path;
    int err;

    if (strncmp(url, scheme, strlen(scheme)) != 0)
        return 0;
    if (strncmp(start, local, strlen(local)) == 0)
        start += strlen(local) - 1;
    path = url_decode(span_between(start, start + strlen(start)));
    if (!path && errno == ENOMEM)
        return error_no_memory(error, layer->reader->name);
    err = path ? parent_name_add(layer, path, error) : 0;
    free(path);
    return err;
}

/* --- the header --------------------------------------------------------- */

/* A text that is not UTF-16 names no file. */
static int add_utf16(struct layer *layer, const unsigned char *text, size_t len,
                     enum utf16_order order, struct error *error)
{
    char *path;
    int err = utf16_to_utf8(text, len, order, &path);

    if (err == ENOMEM)
        return error_no_memory(error, layer->reader->name);
    if (err)
        return 0;
    err = parent_name_add_windows(layer, path, error);
    free(path);
    return err;
}

static int add_locator(struct layer *layer, const unsigned char *locator,
                       struct error *error)
{
    unsigned char text[MAX_TEXT + 1] = { 0 };
    uint32_t length = get_be32(locator + AT_LENGTH);
    int err;

    /* What is longer is not the name of a file. */
    if (length > MAX_TEXT)
        return 0;
    err = metadata_read(layer->reader, get_be64(locator + AT_OFFSET), text,
                        length, error);
    if (err)
        return err;
    switch (get_be32(locator)) {
    case PLATFORM_W2RU:
    case PLATFORM_W2KU:
        return add_utf16(layer, text, length, UTF16_LE, error);
    case PLATFORM_MACX:
        return add_url(layer, (char *)text, error);
    default:
        return parent_name_add_windows(layer, (char *)text, error);
    }
}

/* Add the names that have a locator of a platform. */
static int add_platform(struct layer *layer, const unsigned char *header,
                        enum platform platform, struct error *error)
{
    int err = 0;

    for (unsigned i = 0; !err && i < LOCATORS; i++) {
        const unsigned char *locator =
            header + AT_LOCATORS + (size_t)i * LOCATOR_SIZE;

        if (get_be32(locator) == platform)
            err = add_locator(layer, locator, error);
    }
    return err;
}

int vpc_find_parent(struct layer *layer, const unsigned char *header,
                    struct error *error)
{
    static const enum platform platforms[] = {
        PLATFORM_W2RU, PLATFORM_W2KU, PLATFORM_MACX,
        PLATFORM_WI2R, PLATFORM_WI2K,
    };
    const struct vpc *v = layer->format_data;
    int err = 0;

    for (size_t i = 0; !err && i < ARRAY_SIZE(platforms); i++)
        err = add_platform(layer, header, platforms[i], error);
    if (!err)
        err = add_utf16(layer, header + AT_NAME, NAME_SIZE, UTF16_BE, error);
    if (err)
        return err;
    if (!layer->backing_names[0])
        return error_set(error, EINVAL,
                         "%s: broken VPC image: it has the differences from a "
                         "parent, but no name of it that can be read",
                         layer->reader->name);
    layer->backing_format =
        strdup(bytes_are_zero(v->parent_uuid, VPC_UUID_SIZE) ? "raw" : "vpc");
    return layer->backing_format ? 0
                                 : error_no_memory(error, layer->reader->name);
}

/* --- the identity ------------------------------------------------------- */

#define UUID_TEXT 37

static const char *format_uuid(const unsigned char *uuid, char text[UUID_TEXT])
{
    snprintf(text, UUID_TEXT, "%08x-%04x-%04x-%04x-%04x%08x", get_be32(uuid),
             get_be16(uuid + 4), get_be16(uuid + 6), get_be16(uuid + 8),
             get_be16(uuid + 10), get_be32(uuid + 12));
    return text;
}

/* A parent without an id is the bytes of a disk. If it has a footer, somebody
 * has forgotten the id: what is the disk, nobody knows. */
int vpc_check_raw_parent(const struct layer *layer, const struct layer *parent,
                         struct error *error)
{
    struct reader *r = parent->reader;
    uint64_t end = vpc_file_end(r);
    const uint64_t places[] = { 0, end ? end - VPC_FOOTER_SIZE : 0 };

    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        char cookie[VPC_COOKIE_SIZE];
        int err = metadata_read(r, places[i], cookie, sizeof(cookie), error);

        if (err)
            return err;
        if (memcmp(cookie, VPC_COOKIE, sizeof(cookie)) == 0)
            return error_set(error, EINVAL,
                             "%s: it records no id of its parent, which must "
                             "be raw then, but '%s' is a VPC image",
                             layer->reader->name, r->name);
    }
    return 0;
}

int vpc_check_parent(const struct layer *layer, const struct layer *parent,
                     struct error *error)
{
    const struct vpc *v = layer->format_data;
    const struct vpc *p = parent->format_data;
    char wanted[UUID_TEXT], found[UUID_TEXT];

    if (memcmp(v->parent_uuid, p->uuid, VPC_UUID_SIZE) == 0)
        return 0;
    return error_set(
        error, EINVAL, "%s: '%s' is not its parent: it has the id %s, not %s",
        layer->reader->name, parent->reader->name, format_uuid(p->uuid, found),
        format_uuid(v->parent_uuid, wanted));
}
