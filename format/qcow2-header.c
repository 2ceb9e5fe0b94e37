/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The header of a qcow2 image and its extensions. Every number is hostile until
 * it is checked here.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "format/qcow2.h"

#define HEADER_V2 72
#define HEADER_V3 104 /* the least; compression_type follows */
#define HEADER_READ 112

#define MAGIC 0x514649fb /* "QFI\xfb" */

enum {
    EXTENSION_END = 0,
    EXTENSION_BACKING_FORMAT = 0xe2792aca,
    EXTENSION_FEATURE_NAMES = 0x6803f857,
    EXTENSION_CRYPTO = 0x0537be77,
    EXTENSION_BITMAPS = 0x23852875,
    EXTENSION_DATA_FILE = 0x44415441,
};

/* QEMU keeps the name of the format in a buffer of 16 bytes. */
#define MAX_BACKING_FORMAT 15

#define FEATURE_NAME_ENTRY 48 /* type, bit, and a name of 46 bytes */
#define BITMAPS_EXTENSION 24
#define CRYPTO_EXTENSION 16

int qcow2_broken(const struct qcow2 *q, int code, struct error *error,
                 const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return error_set(error, code, "%s: broken qcow2 image: %s",
                     q->layer->reader->name, text);
}

int qcow2_check_table(const struct qcow2 *q, const char *what, uint64_t offset,
                      uint64_t count, size_t entry_size, uint64_t max_size,
                      struct error *error)
{
    if (count > max_size / entry_size)
        return qcow2_broken(q, EFBIG, error,
                            "the %s is too large: %" PRIu64 " entries", what,
                            count);
    if (sum_exceeds(offset, count * entry_size,
                    count ? QCOW2_MAX_OFFSET : INT64_MAX) ||
        offset % q->cluster_size != 0)
        return qcow2_broken(q, EINVAL, error,
                            "the %s is misplaced: at %" PRIu64, what, offset);
    return 0;
}

int qcow2_check_l1(const struct qcow2 *q, const char *what, uint64_t offset,
                   uint64_t count, struct error *error)
{
    return qcow2_check_table(q, what, offset, count, sizeof(uint64_t),
                             QCOW2_MAX_L1_SIZE, error);
}

/* --- the header --------------------------------------------------------- */

/* Offsets are those of the specification. */
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
        q->header_length = HEADER_V2;
        return;
    }
    q->incompatible_features = get_be64(h + 72);
    q->autoclear_features = get_be64(h + 88);
    q->refcount_order = get_be32(h + 96);
    q->header_length = get_be32(h + 100);
    if (q->header_length > HEADER_V3)
        q->compression_type = h[104];
}

static int check_shape(const struct qcow2 *q, struct error *error)
{
    if (q->version < 2 || q->version > 3)
        return error_set(error, ENOTSUP,
                         "%s: version %u of qcow2 is not supported",
                         q->layer->reader->name, q->version);
    if (q->cluster_bits < QCOW2_MIN_CLUSTER_BITS ||
        q->cluster_bits > QCOW2_MAX_CLUSTER_BITS)
        return qcow2_broken(
            q, EINVAL, error, "cluster_bits is %u, and must be %d to %d",
            q->cluster_bits, QCOW2_MIN_CLUSTER_BITS, QCOW2_MAX_CLUSTER_BITS);
    if (q->version == 3 && q->header_length < HEADER_V3)
        return qcow2_broken(q, EINVAL, error,
                            "header_length is %u, and must be %d or more",
                            q->header_length, HEADER_V3);
    if (q->header_length > 1u << q->cluster_bits)
        return qcow2_broken(q, EINVAL, error,
                            "header_length is %u, more than a cluster",
                            q->header_length);
    if (q->backing_name_offset > 1u << q->cluster_bits)
        return qcow2_broken(q, EINVAL, error,
                            "the name of the backing file is at %" PRIu64
                            ", outside of the first cluster",
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
                            "it says that its data file is raw, and has none");
    if (q->compression_type > 1)
        return error_set(error, ENOTSUP,
                         "%s: compression type %u of qcow2 is not supported",
                         q->layer->reader->name, q->compression_type);
    if (compression != (q->compression_type != 0))
        return qcow2_broken(q, EINVAL, error,
                            "the compression type is %u, and the feature bit "
                            "for it is %d",
                            q->compression_type, compression);
    if (q->subclusters &&
        q->cluster_size / QCOW2_SUBCLUSTERS < 1u << QCOW2_MIN_CLUSTER_BITS)
        return qcow2_broken(q, EINVAL, error,
                            "clusters of %u bytes are too small for extended "
                            "L2 entries",
                            q->cluster_size);
    if (q->refcount_order > 6)
        return qcow2_broken(q, EINVAL, error,
                            "refcount_order is %u, and must be 0 to 6",
                            q->refcount_order);
    if (q->encryption > 2)
        return qcow2_broken(q, EINVAL, error, "unknown encryption method %u",
                            q->encryption);
    if (q->encryption)
        return error_set(error, ENOTSUP,
                         "%s: the image is encrypted; name its key with "
                         "--object secret,id=ID,file=PATH --image-opts "
                         "driver=qcow2,encrypt.key-secret=ID,file.filename=...",
                         q->layer->reader->name);
    return 0;
}

/* Entries that an L1 table needs for the disk. */
static uint64_t l1_entries_needed(const struct qcow2 *q)
{
    unsigned shift = q->cluster_bits + q->l2_bits;

    return (q->size >> shift) + ((q->size & ((UINT64_C(1) << shift) - 1)) != 0);
}

static int check_tables(const struct qcow2 *q, struct error *error)
{
    int err;

    if (q->refcount_table_clusters == 0)
        return qcow2_broken(q, EINVAL, error, "it has no refcount table");
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

static int report_unknown_features(struct qcow2 *q, uint64_t unknown,
                                   struct error *error);

int qcow2_read_header(struct qcow2 *q, struct error *error)
{
    unsigned char h[HEADER_READ];
    uint64_t unknown;
    int err = metadata_read(q->layer->reader, 0, h, sizeof(h), error);

    if (err)
        return err;
    if (get_be32(h) != MAGIC)
        return error_set(error, EINVAL, "%s: is not a qcow2 image",
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
        return report_unknown_features(q, unknown, error);
    err = check_features(q, error);
    return err ? err : check_tables(q, error);
}

/* --- header extensions -------------------------------------------------- */

struct extension {
    uint32_t type;
    uint32_t length;
    uint64_t offset; /* of its data; of the next extension before */
};

/* Where the extensions end: at the name of the backing file, or with the
 * cluster. */
static uint64_t extensions_end(const struct qcow2 *q)
{
    return q->backing_name_offset ? q->backing_name_offset : q->cluster_size;
}

/* The extension at e->offset. False at the end, or after an error. */
static bool next_extension(struct qcow2 *q, struct extension *e, int *err,
                           struct error *error)
{
    uint64_t end = extensions_end(q);
    unsigned char head[8];

    if (e->offset >= end)
        return false;
    *err =
        metadata_read(q->layer->reader, e->offset, head, sizeof(head), error);
    if (*err)
        return false;
    e->type = get_be32(head);
    e->length = get_be32(head + 4);
    e->offset += sizeof(head);
    if (sum_exceeds(e->offset, e->length, end)) {
        *err = qcow2_broken(q, EINVAL, error,
                            "a header extension of %u bytes at %" PRIu64
                            " is too long",
                            e->length, e->offset - sizeof(head));
        return false;
    }
    return e->type != EXTENSION_END;
}

static void skip_extension(struct extension *e)
{
    e->offset += round_up(e->length, 8);
}

/* A text of the extension, or of what stands where it says, as a string; a NUL
 * ends it. It takes the place of an earlier one. */
static int read_text(struct qcow2 *q, uint64_t offset, size_t length,
                     char **text, struct error *error)
{
    char *copy = calloc(1, length + 1);
    int err;

    if (!copy)
        return error_no_memory(error, q->layer->reader->name);
    err = metadata_read(q->layer->reader, offset, copy, length, error);
    if (err) {
        free(copy);
        return err;
    }
    free(*text);
    *text = copy;
    return 0;
}

/* A reader needs no bitmaps; QEMU refuses the image. */
static int check_bitmaps(struct qcow2 *q, const struct extension *e,
                         struct error *error)
{
    unsigned char data[BITMAPS_EXTENSION];
    uint64_t directory_size, directory_offset;
    uint32_t count;
    int err;

    if (e->length != BITMAPS_EXTENSION)
        return qcow2_broken(q, EINVAL, error,
                            "the bitmaps extension has %u bytes", e->length);
    if (!(q->autoclear_features & QCOW2_AUTOCLEAR_BITMAPS))
        return 0; /* out of date, and ignored */
    err = metadata_read(q->layer->reader, e->offset, data, sizeof(data), error);
    if (err)
        return err;
    count = get_be32(data);
    directory_size = get_be64(data + 8);
    directory_offset = get_be64(data + 16);
    if (get_be32(data + 4) != 0 || count == 0 || count > QCOW2_MAX_BITMAPS ||
        directory_offset % q->cluster_size != 0 ||
        directory_size > QCOW2_MAX_BITMAP_DIRECTORY)
        return qcow2_broken(q, EINVAL, error,
                            "the bitmaps extension is out of bounds");
    if (directory_offset >= q->layer->reader->size)
        return qcow2_broken(q, EINVAL, error,
                            "the directory of its bitmaps begins beyond the "
                            "end of the file: at %" PRIu64,
                            directory_offset);
    return 0;
}

static int read_extension(struct qcow2 *q, const struct extension *e,
                          struct error *error)
{
    switch (e->type) {
    case EXTENSION_BACKING_FORMAT:
        if (e->length > MAX_BACKING_FORMAT)
            return qcow2_broken(q, EINVAL, error,
                                "the name of the backing format has %u bytes",
                                e->length);
        return read_text(q, e->offset, e->length, &q->layer->backing_format,
                         error);
    case EXTENSION_CRYPTO:
        return qcow2_broken(q, EINVAL, error,
                            "it has a header for encryption, and is not "
                            "encrypted");
    case EXTENSION_BITMAPS:
        return check_bitmaps(q, e, error);
    case EXTENSION_DATA_FILE:
        return read_text(q, e->offset, e->length, &q->data_file_name, error);
    default: /* "unknown extensions can be ignored" */
        return 0;
    }
}

static int read_backing_name(struct qcow2 *q, struct error *error)
{
    uint32_t room = q->cluster_size - q->backing_name_offset;

    if (q->backing_name_offset == 0)
        return 0;
    if (q->backing_name_length > QCOW2_MAX_BACKING_NAME ||
        q->backing_name_length > room)
        return qcow2_broken(q, EINVAL, error,
                            "the name of the backing file has %u bytes",
                            q->backing_name_length);
    return read_text(q, q->backing_name_offset, q->backing_name_length,
                     &q->layer->backing_name, error);
}

int qcow2_read_extensions(struct qcow2 *q, struct error *error)
{
    struct extension e = { .offset = q->header_length };
    struct layer *layer = q->layer;
    int err = 0;

    while (next_extension(q, &e, &err, error)) {
        err = read_extension(q, &e, error);
        if (err)
            return err;
        skip_extension(&e);
    }
    if (!err)
        err = read_backing_name(q, error);
    if (err)
        return err;

    /* An empty name is none. */
    if (layer->backing_name && !*layer->backing_name) {
        free(layer->backing_name);
        layer->backing_name = NULL;
    }
    if (layer->backing_format && !*layer->backing_format) {
        free(layer->backing_format);
        layer->backing_format = NULL;
    }
    return 0;
}

/* --- names of features -------------------------------------------------- */

/* The name that the image has for an incompatible feature, if any. */
static bool feature_name(struct qcow2 *q, const struct extension *e,
                         unsigned bit, char name[FEATURE_NAME_ENTRY - 1])
{
    for (uint32_t at = 0; at + FEATURE_NAME_ENTRY <= e->length;
         at += FEATURE_NAME_ENTRY) {
        unsigned char entry[FEATURE_NAME_ENTRY];
        struct error ignored = ERROR_INIT;

        if (metadata_read(q->layer->reader, e->offset + at, entry,
                          sizeof(entry), &ignored)) {
            error_clear(&ignored);
            return false;
        }
        if (entry[0] == 0 && entry[1] == bit) { /* type: incompatible */
            memcpy(name, entry + 2, FEATURE_NAME_ENTRY - 2);
            name[FEATURE_NAME_ENTRY - 2] = '\0';
            return true;
        }
    }
    return false;
}

static int report_unknown_features(struct qcow2 *q, uint64_t unknown,
                                   struct error *error)
{
    struct extension e = { .offset = q->header_length };
    struct error ignored = ERROR_INIT;
    char name[FEATURE_NAME_ENTRY - 1] = "";
    unsigned bit = __builtin_ctzll(unknown);
    int err = 0;

    while (next_extension(q, &e, &err, &ignored)) {
        if (e.type == EXTENSION_FEATURE_NAMES && feature_name(q, &e, bit, name))
            break;
        skip_extension(&e);
    }
    error_clear(&ignored);
    return error_set(error, ENOTSUP,
                     "%s: needs a feature of qcow2 that is not supported: bit "
                     "%u%s%s%s",
                     q->layer->reader->name, bit, *name ? ", '" : "", name,
                     *name ? "'" : "");
}
