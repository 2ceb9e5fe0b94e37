/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the VMDK format share. A disk is a row of extents: parts of
 * files, whose names are in a descriptor, which is a text; or the one extent of
 * the image itself.
 */
#ifndef FORMAT_VMDK_H
#define FORMAT_VMDK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/units.h"
#include "format/blocks.h"
#include "format/layer.h"

/* QEMU reads no more of a descriptor than this. */
#define VMDK_MAX_DESCRIPTOR (MiB - 1)

/* QEMU looks for the parent and for the CIDs in so many bytes, */
#define VMDK_IDENTITY 10240
/* from here on, unless the image is the descriptor alone. */
#define VMDK_EMBEDDED_AT 512

/* QEMU reads nothing beyond 2^63 - 2^30, so the sum of two numbers of sectors
 * that are checked against this does not overflow, in bytes neither. */
#define VMDK_MAX_SECTORS (((UINT64_C(1) << 63) - GiB) / SECTOR_SIZE)

#define VMDK_NAME 512 /* the longest name of an extent, with its NUL */

/* --- the descriptor ----------------------------------------------------- */

/* A line of an extent: ACCESS SECTORS [TYPE ["NAME" [OFFSET]]]. */
struct vmdk_line {
    const char *text; /* for messages: it begins here */
    int fields;       /* how many of these there are */
    char access[11];  /* RW, RDONLY or NOACCESS */
    int64_t sectors;
    char type[11];
    char name[VMDK_NAME];
    int64_t offset;
    unsigned repeats; /* how often QEMU finds it: once more for each empty line
                       * before it */
};

/* Where to look for the next line of an extent. */
struct vmdk_lines {
    const struct reader *reader; /* for messages */
    const char *next;
};

/*
 * Read the text of a descriptor, or of a part of an image that may have one. It
 * ends with a NUL. The caller frees it.
 */
int vmdk_read_text(struct reader *reader, uint64_t offset, uint64_t max,
                   char **text, struct error *error);

/* Find the next line of an extent. *found is false if there is none. */
int vmdk_next_line(struct vmdk_lines *lines, struct vmdk_line *line,
                   bool *found, struct error *error);

/* The length of the text of a line, for messages. */
int vmdk_line_length(const struct vmdk_line *line);

/* Check that the descriptor is of a type that QEMU reads. */
int vmdk_check_type(const struct reader *reader, const char *text,
                    struct error *error);

/* The text in which QEMU looks for the parent and for CIDs: it need not be the
 * descriptor. It may have NULs, and two more follow. */
struct vmdk_identity {
    char text[VMDK_IDENTITY + 2];
};

int vmdk_read_identity(struct reader *reader, uint64_t offset,
                       struct vmdk_identity *identity, struct error *error);

/* The name of the parent; NULL if there is none. It ends at *end, which should
 * have a quote. */
const char *vmdk_find_parent(const struct vmdk_identity *identity,
                             const char **end);

/* Find a CID. key is "CID" or "parentCID"; as in QEMU, the first one found may
 * be a part of the second. */
bool vmdk_find_cid(const struct vmdk_identity *identity, const char *key,
                   uint32_t *cid);

/* --- extents ------------------------------------------------------------ */

enum vmdk_kind {
    VMDK_ZERO,
    VMDK_FLAT,
    VMDK_SPARSE,   /* "KDMV" */
    VMDK_COWD,     /* of VMFS */
    VMDK_SESPARSE, /* "space efficient", of VMFS */
};

struct vmdk_extent {
    enum vmdk_kind kind;
    uint64_t start, end; /* on the guest's disk */
    struct reader *reader;
    uint64_t offset; /* FLAT: of the data */

    /* The others: a grain directory has the places of grain tables, and these
     * those of grains. */
    uint64_t grain_size;  /* in bytes */
    uint32_t gt_entries;  /* of a grain table */
    uint64_t gd_offset;   /* of the grain directory */
    uint64_t gd_entries;  /*     and its size */
    unsigned entry_size;  /* of both tables */
    enum codec codec;     /* of grains */
    bool zeroed_grains;   /* entry 1 of a grain table means zeros */
    uint64_t gt_base;     /* SESPARSE: the first sector of grain tables */
    uint64_t grains_base; /*     and of grains */
};

/* Grain tables that follow each other in the file, as one table. */
struct vmdk_run {
    const struct vmdk_extent *extent; /* NULL: none yet */
    uint64_t first, count;            /* entries of the grain directory */
};

struct vmdk {
    struct layer *layer;
    struct vmdk_extent *extents; /* in the order of the disk */
    size_t extent_count, extent_room;
    uint64_t size; /* of all extents */

    uint32_t cid, parent_cid;

    /* One extent at a time is mapped, so they share these. */
    struct table gd, gt;
    struct vmdk_run run;
};

static inline struct vmdk *vmdk_of(const struct layer *layer)
{
    return layer->format_data;
}

/* vmdk-disk.c: add an extent at the end of the disk, of so many sectors. */
int vmdk_add_extent(struct vmdk *v, const struct vmdk_extent *extent,
                    uint64_t sectors, struct error *error);

/* Check what QEMU checks in all extents with grains, and add the extent. Its
 * grain directory is at a sector. */
int vmdk_add_sparse(struct vmdk *v, struct vmdk_extent *extent,
                    uint64_t sectors, uint64_t gd_sector, struct error *error);

/* vmdk-extents.c: open the extents that a descriptor names. */
int vmdk_open_extents(struct vmdk *v, const char *text,
                      const struct layer_options *options, struct error *error);

/* Check the descriptor in an image that has an extent itself: QEMU uses the
 * extent, and not the descriptor. */
int vmdk_check_embedded(const struct vmdk *v, const char *text,
                        struct error *error);

/* vmdk-sparse.c: the header of a sparse extent. */
struct vmdk_header {
    uint32_t version, flags;
    uint64_t capacity, granularity; /* in sectors */
    uint64_t descriptor_offset, descriptor_size;
    uint32_t gt_entries;
    uint64_t rgd_offset, gd_offset; /* of the redundant grain directory, too */
    uint64_t overhead;              /* sectors before the first grain */
    uint16_t compression;
};

#define VMDK_HEADER_SIZE 79

void vmdk_parse_header(const unsigned char *bytes, struct vmdk_header *header);

/* Whether an extent that has this header is a descriptor only. */
bool vmdk_is_descriptor(const struct vmdk_header *header);

/* Add the extent in a reader, whose header is given. */
int vmdk_open_sparse(struct vmdk *v, struct reader *reader,
                     struct vmdk_header *header, struct error *error);

/* vmdk-vmfs.c: add the extent in a reader. */
int vmdk_open_cowd(struct vmdk *v, struct reader *reader, struct error *error);
int vmdk_open_sesparse(struct vmdk *v, struct reader *reader,
                       struct error *error);

/* vmdk-parent.c: read the CIDs, and the name of the parent, from the text at an
 * offset. */
int vmdk_read_parent(struct vmdk *v, uint64_t offset, struct error *error);

/* The check_backing of struct layer_ops. */
int vmdk_check_backing(const struct layer *layer, const struct layer *backing,
                       struct error *error);

/* vmdk-map.c */
int vmdk_map(struct layer *layer, uint64_t offset, uint64_t length,
             struct extent *extent, struct error *error);

#endif
