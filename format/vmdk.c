/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VMDK: how an image is recognised, and what it is made of.
 */
#include "format/vmdk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/bytes.h"
#include "format/format.h"

/* QEMU looks for a descriptor in no more than this. */
#define PROBE_SIZE 512

static bool starts_with(const char *p, const char *end, const char *start)
{
    size_t len = strlen(start);

    return (size_t)(end - p) >= len && memcmp(p, start, len) == 0;
}

/* The end of a line that has blanks only, and may have a carriage return. NULL
 * if it has anything else. */
static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && *p == ' ')
        p++;
    if (p < end && *p == '\r')
        p++;
    return p < end && *p == '\n' ? p + 1 : NULL;
}

/* A descriptor: lines of comments and of blanks, and then the version. To QEMU
 * an empty line is not one of blanks. */
static bool is_descriptor(const char *p, const char *end)
{
    static const char *const versions[] = {
        "version=1\n",   "version=2\n",   "version=3\n",
        "version=1\r\n", "version=2\r\n", "version=3\r\n",
    };

    while (p && p < end && (*p == '#' || *p == ' ')) {
        if (*p == ' ') {
            p = skip_blanks(p, end);
        } else {
            p = memchr(p, '\n', end - p);
            p = p ? p + 1 : NULL;
        }
    }
    for (size_t i = 0; p && i < ARRAY_SIZE(versions); i++) {
        if (starts_with(p, end, versions[i]))
            return true;
    }
    return false;
}

bool vmdk_probe(const unsigned char *start, size_t len)
{
    const char *text = (const char *)start;

    if (starts_with(text, text + len, "KDMV") ||
        starts_with(text, text + len, "COWD"))
        return true;
    return is_descriptor(text, text + (len < PROBE_SIZE ? len : PROBE_SIZE));
}

/* --- open and close ----------------------------------------------------- */

/* An image whose extents are in other files. */
static int open_descriptor(struct vmdk *v, uint64_t offset,
                           const struct layer_options *options,
                           struct error *error)
{
    struct reader *r = v->layer->reader;
    char *text;
    int err = vmdk_read_text(r, offset, VMDK_MAX_DESCRIPTOR, &text, error);

    if (err)
        return err;
    err = vmdk_check_type(r, text, error);
    if (!err && strlen(text) == VMDK_MAX_DESCRIPTOR &&
        r->size - offset > VMDK_MAX_DESCRIPTOR)
        err = error_set(error, EFBIG,
                        "%s: the descriptor of this VMDK image has more than "
                        "%" PRIu64 " bytes",
                        r->name, VMDK_MAX_DESCRIPTOR);
    if (!err)
        err = vmdk_open_extents(v, text, options, error);
    free(text);
    return err;
}

/* An image that is an extent. */
static int open_embedded(struct vmdk *v, struct vmdk_header *header,
                         struct error *error)
{
    struct reader *r = v->layer->reader;
    uint64_t size = header->descriptor_size;
    char *text;
    int err;

    if (header->descriptor_offset && size &&
        header->descriptor_offset < VMDK_MAX_SECTORS) {
        if (size > VMDK_MAX_DESCRIPTOR / SECTOR_SIZE)
            size = VMDK_MAX_DESCRIPTOR / SECTOR_SIZE;
        err = vmdk_read_text(r, header->descriptor_offset * SECTOR_SIZE,
                             size * SECTOR_SIZE, &text, error);
        if (!err)
            err = vmdk_check_embedded(v, text, error);
        free(text);
        if (err)
            return err;
    }
    return vmdk_open_sparse(v, r, header, error);
}

static int open_extents(struct vmdk *v, const unsigned char *h,
                        const struct layer_options *options,
                        struct error *error)
{
    struct vmdk_header header;

    if (memcmp(h, "COWD", 4) == 0)
        return vmdk_open_cowd(v, v->layer->reader, error);
    if (memcmp(h, "KDMV", 4) != 0)
        return open_descriptor(v, 0, options, error);
    vmdk_parse_header(h, &header);
    if (!vmdk_is_descriptor(&header))
        return open_embedded(v, &header, error);
    if (header.descriptor_offset > VMDK_MAX_SECTORS)
        return error_set(error, EINVAL,
                         "%s: broken VMDK image: its descriptor is at sector "
                         "%" PRIu64,
                         v->layer->reader->name, header.descriptor_offset);
    return open_descriptor(v, header.descriptor_offset * SECTOR_SIZE, options,
                           error);
}

static int open_image(struct vmdk *v, const struct layer_options *options,
                      struct error *error)
{
    unsigned char h[VMDK_HEADER_SIZE];
    bool is_text;
    int err = metadata_read(v->layer->reader, 0, h, sizeof(h), error);

    if (err)
        return err;
    is_text = memcmp(h, "KDMV", 4) != 0 && memcmp(h, "COWD", 4) != 0;
    err = open_extents(v, h, options, error);
    if (err)
        return err;
    return vmdk_read_parent(v, is_text ? 0 : VMDK_EMBEDDED_AT, error);
}

static void vmdk_close(struct layer *layer)
{
    struct vmdk *v = vmdk_of(layer);

    table_free(&v->gd);
    table_free(&v->gt);
    free(v->extents);
    free(v);
}

static const struct layer_ops vmdk_ops = {
    .map = vmdk_map,
    .check_backing = vmdk_check_backing,
    .close = vmdk_close,
};

int vmdk_open(struct layer *layer, const struct layer_options *options,
              struct error *error)
{
    struct vmdk *v = calloc(1, sizeof(*v));
    int err;

    if (!v)
        return error_no_memory(error, layer->reader->name);
    v->layer = layer;
    layer->ops = &vmdk_ops;
    layer->format_data = v;
    if (options->snapshot)
        return error_set(error, ENOTSUP, "%s: a VMDK image has no snapshots",
                         layer->reader->name);
    err = open_image(v, options, error);
    if (err)
        return err;
    layer->size = v->size;
    layer->memory = v->extent_room * sizeof(*v->extents);
    for (size_t i = 0; i < v->extent_count; i++) {
        const struct vmdk_extent *e = &v->extents[i];

        if (e->codec != CODEC_NONE && e->grain_size > layer->largest_cluster)
            layer->largest_cluster = e->grain_size;
        if (e->gt_entries * e->grain_size > layer->table_span)
            layer->table_span = e->gt_entries * e->grain_size;
    }
    return 0;
}
