/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The header of a qcow2 image. Every number is hostile until it is checked
 * here.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "common/bytes.h"
#include "format/qcow2.h"

#define HEADER_READ 112

/* --- the header --------------------------------------------------------- */

/* The offsets are in the specification. */
static void parse(struct qcow2 *q, const unsigned char *h)
{
    q->version = get_be32(h + 4);
    q->backing_name_offset = get_be64(h + 8);
    q->backing_name_length = get_be32(h + 16);
    q->cluster_bits = get_be32(h + 20);
    q->size = get_be64(h + 24);
    q->encryption = get_be32(h + 32);
    q->l1_entries = get_be32(h + 36);
    q->l1_offset = get_be64(h + 40);
    q->refcount_table_offset = get_be64(h + 48);
    q->refcount_table_clusters = get_be32(h + 56);
    q->snapshots = get_be32(h + 60);
    q->snapshots_offset = get_be64(h + 64);
    if (q->version == 2) {
        q->refcount_order = 4;
        q->header_length = QCOW2_HEADER_V2;
        return;
    }
    q->incompatible_features = get_be64(h + 72);
    q->autoclear_features = get_be64(h + 88);
    q->refcount_order = get_be32(h + 96);
    q->header_length = get_be32(h + 100);
    if (q->header_length > QCOW2_HEADER_V3)
        q->compression_type = h[104];
}

static int check_shape(const struct qcow2 *q, struct error *error)
{
    if (q->version < 2 || q->version > 3)
        return error_set(error, ENOTSUP,
                         "%s: qcow2 version %u is not supported",
                         q->layer->reader->name, q->version);
    if (q->cluster_bits < QCOW2_MIN_CLUSTER_BITS ||
        q->cluster_bits > QCOW2_MAX_CLUSTER_BITS)
        return qcow2_broken(
            q, EINVAL, error, "cluster_bits is %u, but must be %d to %d",
            q->cluster_bits, QCOW2_MIN_CLUSTER_BITS, QCOW2_MAX_CLUSTER_BITS);
    if (q->version == 3 && q->header_length < QCOW2_HEADER_V3)
        return qcow2_broken(q, EINVAL, error,
                            "header_length is %u, but must be %d or more",
                            q->header_length, QCOW2_HEADER_V3);
    if (q->header_length > 1u << q->cluster_bits)
        return qcow2_broken(q, EINVAL, error,
                            "header_length is %u, which is more than a cluster",
                            q->header_length);
    if (q->backing_name_offset > 1u << q->cluster_bits)
        return qcow2_broken(q, EINVAL, error,
                            "the name of the backing file is at %" PRIu64
                            ", outside the first cluster",
                            q->backing_name_offset);
    return 0;
}

static int check_features(const struct qcow2 *q, struct error *error)
{
    bool data_file = q->incompatible_features & QCOW2_INCOMPATIBLE_DATA_FILE;
    bool compression =
        q->incompatible_features & QCOW2_INCOMPATIBLE_COMPRESSION;

    if (q->autoclear_features & QCOW2_AUTOCLEAR_DATA_FILE_RAW && !data_file)
        return qcow2_broken(q, EINVAL, error,
                            "the data file is marked as raw, but there is "
                            "none");
    if (q->compression_type > 1)
        return error_set(error, ENOTSUP,
                         "%s: qcow2 compression type %u is not supported",
                         q->layer->reader->name, q->compression_type);
    if (compression != (q->compression_type != 0))
        return qcow2_broken(
            q, EINVAL, error,
            "the compression type is %u, but its feature bit is "
            "%d",
            q->compression_type, compression);
    if (q->subclusters &&
        q->cluster_size / QCOW2_SUBCLUSTERS < 1u << QCOW2_MIN_CLUSTER_BITS)
        return qcow2_broken(q, EINVAL, error,
                            "clusters of %u bytes are too small for extended "
                            "L2 entries",
                            q->cluster_size);
    if (q->refcount_order > 6)
        return qcow2_broken(q, EINVAL, error,
                            "refcount_order is %u, but must be 0 to 6",
                            q->refcount_order);
    if (q->encryption > 2)
        return qcow2_broken(q, EINVAL, error, "unknown encryption method %u",
                            q->encryption);
    if (q->encryption)
        return error_set(error, ENOTSUP,
                         "%s: the image is encrypted; give its key with "
                         "--object secret,id=ID,file=PATH --image-opts "
                         "driver=qcow2,encrypt.key-secret=ID,file.filename=...",
                         q->layer->reader->name);
    return 0;
}

/* How many L1 entries the disk needs. */
static uint64_t l1_entries_needed(const struct qcow2 *q)
{
    unsigned shift = q->cluster_bits + q->l2_bits;

    return (q->size >> shift) + ((q->size & ((UINT64_C(1) << shift) - 1)) != 0);
}

static int check_tables(const struct qcow2 *q, struct error *error)
{
    int err;

    if (q->refcount_table_clusters == 0)
        return qcow2_broken(q, EINVAL, error, "there is no refcount table");
    err = qcow2_check_table(q, "refcount table", q->refcount_table_offset,
                            (uint64_t)q->refcount_table_clusters *
                                (q->cluster_size / sizeof(uint64_t)),
                            sizeof(uint64_t), QCOW2_MAX_REFCOUNT_TABLE_SIZE,
                            error);
    if (err)
        return err;
    err = qcow2_check_l1(q, "L1 table", q->l1_offset, q->l1_entries, error);
    if (err)
        return err;
    if (l1_entries_needed(q) > q->l1_entries)
        return qcow2_broken(q, EINVAL, error,
                            "the L1 table has %u entries, too few for %" PRIu64
                            " bytes",
                            q->l1_entries, q->size);
    return 0;
}

int qcow2_read_header(struct qcow2 *q, struct error *error)
{
    unsigned char h[HEADER_READ];
    uint64_t unknown;
    int err = metadata_read(q->layer->reader, 0, h, sizeof(h), error);

    if (err)
        return err;
    if (get_be32(h) != QCOW2_MAGIC)
        return error_set(error, EINVAL, "%s: not a qcow2 image",
                         q->layer->reader->name);
    parse(q, h);
    err = check_shape(q, error);
    if (err)
        return err;

    q->cluster_size = 1u << q->cluster_bits;
    q->subclusters = q->incompatible_features & QCOW2_INCOMPATIBLE_EXTENDED_L2;
    q->entry_size = q->subclusters ? 16 : 8;
    q->l2_bits = q->cluster_bits - (q->subclusters ? 4 : 3);
    q->codec = q->compression_type ? CODEC_ZSTD : CODEC_DEFLATE;

    unknown = q->incompatible_features & ~QCOW2_INCOMPATIBLE_KNOWN;
    if (unknown)
        return qcow2_refuse_features(q, unknown, error);
    err = check_features(q, error);
    return err ? err : check_tables(q, error);
}
