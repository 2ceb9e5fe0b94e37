/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/qcow2.h"

#include <errno.h>
#include <stdlib.h>

#include "common/bytes.h"
#include "format/format.h"
#include "format/qcow2-bitmap.h"

/* Version 1 is qcow. QEMU takes version 0 for raw, and refuses unknown
 * versions. */
bool qcow2_probe(const unsigned char *start, size_t len)
{
    return len >= 8 && get_be32(start) == QCOW2_MAGIC &&
           get_be32(start + 4) >= 2;
}

/*
 * Open the file that has the data of all clusters. As in QEMU 7.2, its name is
 * relative to the current directory, not to that of the image, and is a path
 * even if it begins with "file:" or another protocol.
 */
static int open_data_file(struct qcow2 *q, const struct layer_options *options,
                          struct error *error)
{
    const struct recorded_name name = {
        .kind = NAME_DATA,
        .what = "data file",
        .name = q->data_file_name,
        .format = "raw",
    };

    if (!(q->incompatible_features & QCOW2_INCOMPATIBLE_DATA_FILE))
        return 0;
    if (!name.name || !*name.name)
        return qcow2_broken(q, EINVAL, error, "its data file has no name");
    return layer_open_file(q->layer, options, &name, &q->data_file, error);
}

static void qcow2_close(struct layer *layer)
{
    struct qcow2 *q = qcow2_of(layer);

    table_free(&q->l1);
    table_free(&q->l2);
    free(q->data_file_name);
    free(q);
}

static const struct layer_ops qcow2_ops = {
    .map = qcow2_map,
    .bitmap = qcow2_bitmap,
    .close = qcow2_close,
};

int qcow2_open(struct layer *layer, const struct layer_options *options,
               struct error *error)
{
    struct qcow2 *q = calloc(1, sizeof(*q));
    int err;

    if (!q)
        return error_no_memory(error, layer->reader->name);
    q->layer = layer;
    layer->ops = &qcow2_ops;
    layer->format_data = q;

    err = qcow2_read_header(q, error);
    if (!err)
        err = qcow2_read_extensions(q, error);
    if (!err)
        err = qcow2_read_snapshots(q, options->snapshot, error);
    if (!err)
        err = open_data_file(q, options, error);
    if (err)
        return err;

    layer->size = q->size - q->size % SECTOR_SIZE;
    layer->largest_cluster = q->cluster_size;
    layer->table_span = (uint64_t)q->cluster_size << q->l2_bits;
    table_set(&q->l1, layer->reader, q->l1_offset,
              (uint64_t)q->l1_entries * sizeof(uint64_t));
    return 0;
}
