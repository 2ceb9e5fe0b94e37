/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VHDX, as Microsoft's [MS-VHDX] specifies it, and as far as QEMU 7.2 follows
 * it. Each part of the format has a file: vhdx-header.c, vhdx-log.c (which
 * entries of the log are to be replayed) and vhdx-replay.c (what they change),
 * vhdx-region.c, vhdx-metadata.c, vhdx-parent.c, vhdx-map.c. An image is opened
 * and closed in vhdx.c. All numbers are little-endian.
 */
#ifndef FORMAT_VHDX_H
#define FORMAT_VHDX_H

#include "common/units.h"
#include "format/blocks.h"
#include "format/ranges.h"

/* As it is stored: three numbers, little-endian, and eight bytes. */
struct vhdx_guid {
    unsigned char bytes[16];
};

#define VHDX_GUID(a, b, c, ...)                                                \
    {                                                                          \
        {                                                                      \
            (a) & 0xff, (a) >> 8 & 0xff, (a) >> 16 & 0xff, (a) >> 24,          \
                (b)&0xff, (b) >> 8, (c)&0xff, (c) >> 8, __VA_ARGS__            \
        }                                                                      \
    }

/* A part of the file: offset + length does not overflow. */
struct vhdx_region {
    uint64_t offset;
    uint64_t length;
};

struct vhdx {
    struct layer *layer;

    /* The header. */
    struct vhdx_guid data_write_guid; /* identifies the content of the disk */
    struct vhdx_guid log_guid;        /* all 0: the log is empty */
    struct vhdx_region log;

    /* The file as it is after its log was replayed. Metadata is read from it.
     * It is the layer's reader, or over that one. */
    struct reader *file;
    struct vhdx_replay *replay; /* NULL: there is nothing to replay */

    /* The region table. */
    struct vhdx_region bat, metadata;
    struct ranges regions; /* where no block may be */

    /* Metadata items. */
    uint32_t block_size;
    uint32_t sector_size;
    bool has_parent;
    struct vhdx_guid linkage[2]; /* what its data_write_guid may be */
    size_t linkage_count;

    /* Derived from these. */
    uint64_t end; /* of v->file: no block may reach beyond it */
    uint64_t chunk_size;
    uint32_t chunk_blocks; /* in a chunk: the chunk ratio */
    struct table entries;  /* of the BAT */
    struct blocks blocks;

    /* With a parent: the bitmap of the sectors that are in this file, for the
     * chunk that was mapped last. */
    struct table bitmap;
    uint64_t bitmap_chunk;
    uint64_t bitmap_offset; /* 0: of no chunk yet */
};

static inline struct vhdx *vhdx_of(const struct layer *layer)
{
    return layer->format_data;
}

/* Where the parts of the header section are, and how large it is. */
#define VHDX_HEADER_1 (64 * KiB)
#define VHDX_HEADER_2 (128 * KiB)
#define VHDX_REGION_TABLE_1 (192 * KiB)
#define VHDX_REGION_TABLE_2 (256 * KiB)
#define VHDX_HEADER_SECTION MiB

/* What is checked by a CRC of the whole. */
#define VHDX_HEADER_SIZE (4 * KiB)
#define VHDX_REGION_TABLE_SIZE (64 * KiB)

#define VHDX_BAT_ENTRY 8

static inline bool vhdx_guid_equal(const struct vhdx_guid *guid,
                                   const unsigned char *bytes)
{
    return memcmp(guid->bytes, bytes, sizeof(guid->bytes)) == 0;
}

/* vhdx-guid.c: the text "{83ed0ec3-24c8-49a6-a959-5e4bf1288bfb}", in upper or
 * lower case. */
#define VHDX_GUID_TEXT 39
bool vhdx_guid_parse(const char *text, struct vhdx_guid *guid);
void vhdx_guid_format(const struct vhdx_guid *guid, char text[VHDX_GUID_TEXT]);

/* vhdx-check.c: set the error "NAME: broken VHDX image: ...". Returns its
 * code. */
int vhdx_broken(const struct vhdx *v, int code, struct error *error,
                const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Whether a structure has its signature, and the CRC of all its bytes. The CRC
 * is behind the signature, which has 4 bytes, and is taken as 0. */
bool vhdx_is_intact(const unsigned char *p, size_t size, const char *signature);

/* vhdx-header.c: choose the newer of the headers. */
int vhdx_read_header(struct vhdx *v, struct error *error);

/* vhdx-log.c: replay the log, in memory, if it is not empty. */
int vhdx_read_log(struct vhdx *v, struct error *error);

/* What the log changes in the file. */
struct vhdx_change {
    uint64_t offset;
    uint64_t length;
    uint64_t sector; /* the offset of the new bytes in the file, but for these:
                      */
    unsigned char leading[8];
    unsigned char trailing[4];
    bool zeros; /* instead */
};

/* vhdx-replay.c: begin, add the changes in their order, and end, after which
 * v->file shows the file as it is then, of `size` bytes or more. */
int vhdx_replay_begin(struct vhdx *v, struct error *error);
int vhdx_replay_add(struct vhdx *v, const struct vhdx_change *change,
                    struct error *error);
void vhdx_replay_end(struct vhdx *v, uint64_t size);
bool vhdx_replay_overlaps(const struct vhdx *v, uint64_t offset,
                          uint64_t length);
void vhdx_replay_free(struct vhdx *v);

/* The bytes of memory that the changes take. */
size_t vhdx_replay_memory(const struct vhdx *v);

/* Set the error for a log that cannot be replayed here. Returns its code. */
int vhdx_refuse_log(const struct vhdx *v, const char *why, struct error *error);

/* vhdx-region.c: find the regions of the file. */
int vhdx_read_regions(struct vhdx *v, struct error *error);

/* vhdx-metadata.c: read and check what describes the disk. Sets the size of the
 * layer. */
int vhdx_read_metadata(struct vhdx *v, struct error *error);

/* vhdx-parent.c: find the names and the identity of the parent in its locator.
 */
int vhdx_read_locator(struct vhdx *v, const unsigned char *locator, size_t len,
                      struct error *error);
int vhdx_check_parent(const struct layer *layer, const struct layer *backing,
                      struct error *error);

/* vhdx-map.c */
void vhdx_set_blocks(struct vhdx *v);
int vhdx_map(struct layer *layer, uint64_t offset, uint64_t length,
             struct extent *extent, struct error *error);

#endif
