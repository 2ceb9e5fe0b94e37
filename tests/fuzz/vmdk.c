/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as a VMDK image; and, after two bytes that have its length, any
 * bytes as a descriptor, all of whose extents are in the bytes that follow.
 */
#include "image.h"

#include <stdlib.h>

#include "common/bytes.h"
#include "format/format.h"
#include "tests/unit/memory_reader.h"

/* More of a large disk is not mapped. */
#define MAX_MAPPED 2000

static int open_extent(void *arg, const struct recorded_name *name,
                       struct reader **reader, struct error *error)
{
    (void)error;
    require(name->kind == NAME_EXTENT && *name->name);
    *reader = arg;
    return 0;
}

static void map_layer(struct layer *layer)
{
    uint64_t offset = 0;

    for (int i = 0; i < MAX_MAPPED && offset < layer->size; i++) {
        struct error error = ERROR_INIT;
        struct extent e;
        uint64_t step = 512;

        if (layer->ops->map(layer, offset, layer->size - offset, &e, &error)) {
            require(error.code && *error_message(&error));
            error_clear(&error);
        } else {
            require(e.offset == offset);
            require(e.length > 0 && e.length <= layer->size - offset);
            require(e.kind != EXTENT_DATA ||
                    e.host_offset + e.length > e.host_offset);
            step = e.length;
        }
        offset += step;
    }
}

static void try_descriptor(const uint8_t *data, size_t size)
{
    struct memory_reader descriptor, extents;
    struct layer_options options = { .open_file = open_extent,
                                     .open_file_arg = &extents.reader };
    struct layer layer = { .reader = &descriptor.reader };
    struct error error = ERROR_INIT;
    size_t length;

    if (size < 2)
        return;
    length = data[0] | data[1] << 8;
    if (length > size - 2)
        length = size - 2;
    memory_reader_init(&descriptor, data + 2, length);
    memory_reader_init(&extents, data + 2 + length, size - 2 - length);
    if (vmdk_open(&layer, &options, &error) == 0)
        map_layer(&layer);
    else
        require(error.code && *error_message(&error));
    error_clear(&error);
    layer.ops->close(&layer);
    free(layer.files);
    free(layer.backing_format);
    for (size_t i = 0; i < LAYER_BACKING_NAMES; i++)
        free(layer.backing_names[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_image(data, size, "vmdk", NULL);
    try_descriptor(data, size);
    return 0;
}
