/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qcow2, as QEMU's docs/interop/qcow2.txt specifies it. Where the specification
 * is silent, and where QEMU 7.2 does not follow it, QEMU is right. Each part of
 * the format has a file: qcow2-header.c, qcow2-extensions.c, qcow2-snapshot.c,
 * qcow2-map.c; qcow2-bitmap.h has the bitmaps. An image is opened and closed in
 * qcow2.c. The names of other files are also found without opening it, by
 * qcow2-names.c.
 */
#ifndef FORMAT_QCOW2_H
#define FORMAT_QCOW2_H

#include "common/units.h"
#include "format/table.h"

/* The bitmaps extension. */
struct qcow2_bitmaps {
    bool present;
    uint32_t count; /* this and what follows: 0 if they are out of date */
    uint64_t directory_size;
    uint64_t directory_offset;
};

struct qcow2 {
    struct layer *layer;

    /* The header. */
    unsigned version;
    unsigned cluster_bits;
    uint64_t size;
    uint64_t backing_name_offset;
    uint32_t backing_name_length;
    uint32_t encryption;
    uint32_t l1_entries;
    uint64_t l1_offset;
    uint64_t refcount_table_offset;
    uint32_t refcount_table_clusters;
    uint32_t snapshots;
    uint64_t snapshots_offset;
    uint64_t incompatible_features;
    uint64_t autoclear_features;
    uint32_t refcount_order;
    uint32_t header_length;
    uint8_t compression_type;

    /* Derived from the header. */
    uint32_t cluster_size;
    bool subclusters;    /* extended L2 entries */
    unsigned l2_bits;    /* an L2 table has 1 << l2_bits entries */
    unsigned entry_size; /* bytes of an entry of an L2 table */
    enum codec codec;
    struct qcow2_bitmaps bitmaps;
    char *data_file_name;     /* from its header extension */
    struct reader *data_file; /* NULL: the layer's reader has the data */

    struct table l1, l2;
};

static inline struct qcow2 *qcow2_of(const struct layer *layer)
{
    return layer->format_data;
}

#define QCOW2_MAGIC 0x514649fb /* "QFI\xfb" */

#define QCOW2_HEADER_V2 72
#define QCOW2_HEADER_V3 104 /* at least; compression_type follows */

enum {
    QCOW2_EXTENSION_END = 0,
    QCOW2_EXTENSION_BACKING_FORMAT = 0xe2792aca,
    QCOW2_EXTENSION_FEATURE_NAMES = 0x6803f857,
    QCOW2_EXTENSION_CRYPTO = 0x0537be77,
    QCOW2_EXTENSION_BITMAPS = 0x23852875,
    QCOW2_EXTENSION_DATA_FILE = 0x44415441,
};

#define QCOW2_INCOMPATIBLE_DIRTY (UINT64_C(1) << 0)
#define QCOW2_INCOMPATIBLE_CORRUPT (UINT64_C(1) << 1)
#define QCOW2_INCOMPATIBLE_DATA_FILE (UINT64_C(1) << 2)
#define QCOW2_INCOMPATIBLE_COMPRESSION (UINT64_C(1) << 3)
#define QCOW2_INCOMPATIBLE_EXTENDED_L2 (UINT64_C(1) << 4)
#define QCOW2_INCOMPATIBLE_KNOWN ((UINT64_C(1) << 5) - 1)

#define QCOW2_AUTOCLEAR_BITMAPS (UINT64_C(1) << 0)
#define QCOW2_AUTOCLEAR_DATA_FILE_RAW (UINT64_C(1) << 1)

#define QCOW2_SUBCLUSTERS 32

/* QEMU's limits. They bound what a hostile header can ask for. */
#define QCOW2_MIN_CLUSTER_BITS 9
#define QCOW2_MAX_CLUSTER_BITS 21
#define QCOW2_MAX_L1_SIZE (32 * MiB)
#define QCOW2_MAX_REFCOUNT_TABLE_SIZE (8 * MiB)
#define QCOW2_MAX_SNAPSHOTS 65536
#define QCOW2_MAX_SNAPSHOT_EXTRA 1024
/* 1,024 bytes for each snapshot. */
#define QCOW2_MAX_SNAPSHOT_TABLE (64 * MiB)
#define QCOW2_MAX_BITMAPS 65535
/* 1,024 bytes for each bitmap. */
#define QCOW2_MAX_BITMAP_DIRECTORY (65535 * KiB)
#define QCOW2_MAX_BACKING_NAME 1023

/* QEMU reads nothing beyond this offset: INT64_MAX less 1 GiB, its largest
 * alignment. */
#define QCOW2_MAX_OFFSET ((UINT64_C(1) << 63) - GiB)

/* qcow2-check.c: set the error "NAME: broken qcow2 image: ...". Returns its
 * code. */
int qcow2_broken(const struct qcow2 *q, int code, struct error *error,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

/*
 * Check that a table of count entries is not too large, begins at a cluster,
 * and is at an offset that QEMU can read.
 */
int qcow2_check_table(const struct qcow2 *q, const char *what, uint64_t offset,
                      uint64_t count, size_t entry_size, uint64_t max_size,
                      struct error *error);

/* Check an L1 table likewise. */
int qcow2_check_l1(const struct qcow2 *q, const char *what, uint64_t offset,
                   uint64_t count, struct error *error);

/* qcow2-header.c: read and check the header. */
int qcow2_read_header(struct qcow2 *q, struct error *error);

/* qcow2-extensions.c: read and check what follows the header. */
int qcow2_read_extensions(struct qcow2 *q, struct error *error);

/* Set the error for unknown incompatible features, with the name that the image
 * has for the first of them. Returns its code. */
int qcow2_refuse_features(struct qcow2 *q, uint64_t unknown,
                          struct error *error);

/* qcow2-snapshot.c: check the table of snapshots. If wanted is not NULL, use
 * the snapshot of this id or name instead of the active disk. */
int qcow2_read_snapshots(struct qcow2 *q, const char *wanted,
                         struct error *error);

/* qcow2-map.c */
int qcow2_map(struct layer *layer, uint64_t offset, uint64_t length,
              struct extent *extent, struct error *error);

#endif
