/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image.h"

#include <stdlib.h>
#include <string.h>

#include "format/format.h"
#include "image/image.h"
#include "tests/unit/memory_reader.h"

/* Limits of the work for an input. A large disk is not mapped to its end. */
#define MAX_EXTENTS 2000
#define MAX_DECODED (8 << 20)
#define MAX_CLUSTER (4 << 20)

static void read_data(const struct extent *e, const struct memory_reader *m)
{
    unsigned char buf[512];
    size_t len = e->length < sizeof(buf) ? e->length : sizeof(buf);

    require(e->reader == &m->reader);
    require(e->host_offset < m->reader.size);
    require(e->length <= m->reader.size - e->host_offset);
    memcpy(buf, m->bytes + e->host_offset + e->length - len, len);
}

static size_t decode_cluster(struct decoder *d, const struct extent *e,
                             const struct memory_reader *m)
{
    static unsigned char in[2 * MAX_CLUSTER], out[MAX_CLUSTER];
    size_t there;

    require(e->reader == &m->reader);
    require(e->cluster_size <= MAX_CLUSTER);
    require(e->skip < e->cluster_size);
    require(e->length <= e->cluster_size - e->skip);
    require(e->host_length > 0 && e->host_length <= sizeof(in));
    require(e->host_offset < m->reader.size);

    there = m->reader.size - e->host_offset;
    if (there > e->host_length)
        there = e->host_length;
    memset(in, 0, e->host_length);
    memcpy(in, m->bytes + e->host_offset, there);
    decode(d, e->codec, in, e->host_length, out, e->cluster_size,
           e->skip + e->length);
    return e->cluster_size;
}

static void map_all(struct image *image, const struct memory_reader *m)
{
    struct decoder *d = decoder_new();
    size_t decoded = 0;
    uint64_t offset = 0;

    require(d);
    for (int i = 0; i < MAX_EXTENTS && offset < image->size; i++) {
        /* Now and then a short range, as for a slot that is nearly full. */
        uint64_t length = image->size - offset;
        struct error error = ERROR_INIT;
        struct extent e;

        if (i % 3 == 1 && length > 700)
            length = 700;
        if (image_map(image, offset, length, &e, &error)) {
            require(error.code && *error_message(&error));
            error_clear(&error);
            offset += length < 4096 ? length : 4096;
            continue;
        }
        require(e.offset == offset);
        require(e.length > 0 && e.length <= length);
        require(e.kind != EXTENT_UNALLOCATED);
        if (e.kind == EXTENT_DATA)
            read_data(&e, m);
        if (e.kind == EXTENT_COMPRESSED && decoded < MAX_DECODED)
            decoded += decode_cluster(d, &e, m);
        offset += e.length;
    }
    decoder_free(d);
}

void fuzz_image(const uint8_t *data, size_t size, const char *format,
                const char *snapshot)
{
    const struct image_options options = {
        .format = format,
        .snapshot = snapshot,
    };
    struct error error = ERROR_INIT;
    struct memory_reader m;
    struct image *image;

    memory_reader_init(&m, data, size);
    if (image_open_reader(&m.reader, &options, &image, &error)) {
        require(error.code && *error_message(&error));
        error_clear(&error);
        return;
    }
    require(image->size % 512 == 0);
    map_all(image, &m);
    image_close(image);
}

static void read_changes(struct changes *changes, uint64_t size)
{
    uint64_t offset = 0;

    for (int i = 0; i < MAX_EXTENTS && offset < size; i++) {
        uint64_t length = size - offset;
        struct error error = ERROR_INIT;
        struct change change;

        if (i % 3 == 1 && length > 700)
            length = 700;
        if (changes_next(changes, offset, length, &change, &error)) {
            require(error.code && *error_message(&error));
            error_clear(&error);
            return;
        }
        require(change.length > 0 && change.length <= length);
        offset += change.length;
    }
}

void fuzz_bitmap(const uint8_t *data, size_t size, const char *format,
                 const char *name)
{
    const struct image_options options = { .format = format, .bitmap = name };
    struct error error = ERROR_INIT;
    struct changes *changes;
    struct memory_reader m;
    struct image *image;

    memory_reader_init(&m, data, size);
    if (image_open_reader(&m.reader, &options, &image, &error)) {
        error_clear(&error);
        return;
    }
    if (image_bitmap(image, &changes, &error)) {
        require(error.code && *error_message(&error));
        error_clear(&error);
    } else {
        read_changes(changes, image->size);
        changes_free(changes);
    }
    image_close(image);
}

static void map_layer(struct layer *layer)
{
    uint64_t offset = 0;

    for (int i = 0; i < MAX_EXTENTS && offset < layer->size; i++) {
        uint64_t length = layer->size - offset;
        struct error error = ERROR_INIT;
        struct extent e;

        if (i % 3 == 1 && length > 700)
            length = 700;
        if (layer->ops->map(layer, offset, length, &e, &error)) {
            require(error.code && *error_message(&error));
            error_clear(&error);
            offset += length < 4096 ? length : 4096;
            continue;
        }
        require(e.offset == offset);
        require(e.length > 0 && e.length <= length);
        if (e.kind == EXTENT_DATA)
            require(e.reader == layer->reader &&
                    e.host_offset <= INT64_MAX - e.length);
        offset += e.length;
    }
}

void fuzz_layer(const uint8_t *data, size_t size, const char *format)
{
    const struct layer_options options = { .snapshot = NULL };
    struct error error = ERROR_INIT;
    struct memory_reader m;
    struct layer layer = { .reader = &m.reader };

    memory_reader_init(&m, data, size);
    if (format_find(format)->open(&layer, &options, &error)) {
        require(error.code && *error_message(&error));
        error_clear(&error);
    } else {
        require(layer.size % 512 == 0);
        map_layer(&layer);
    }
    if (layer.ops)
        layer.ops->close(&layer);
    for (size_t i = 0; i < LAYER_BACKING_NAMES; i++)
        free(layer.backing_names[i]);
    free(layer.backing_format);
    free(layer.files);
}
