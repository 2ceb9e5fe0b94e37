/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The names of other files that QEMU finds in a qcow2 image, even in one that
 * qcow2_open() refuses, because it is encrypted or for another reason.
 */
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "format/format.h"
#include "format/qcow2.h"

/* QEMU takes no longer name of a backing file. That of a data file may be as
 * long as its extension, but no path is longer than this. */
#define MAX_NAME 4096

/* QEMU refuses longer names of formats. */
#define MAX_FORMAT 15

struct names {
    char backing[MAX_NAME + 1];          /* empty: there is none */
    char backing_format[MAX_FORMAT + 1]; /* empty: QEMU probes */
    char data_file[MAX_NAME + 1];
};

/* Read a name of at most max bytes, and add a NUL. */
static int read_name(struct reader *r, uint64_t offset, uint64_t length,
                     char *name, size_t max, struct error *error)
{
    if (length > max)
        length = max;
    memset(name, 0, max + 1);
    return metadata_read(r, offset, name, length, error);
}

/* If there are several extensions of a type, the last one counts. */
static int read_extensions(struct reader *r, uint64_t offset, uint64_t end,
                           struct names *names, struct error *error)
{
    while (offset < end) {
        unsigned char head[8];
        int err = metadata_read(r, offset, head, sizeof(head), error);
        uint32_t length = get_be32(head + 4);

        if (err)
            return err;
        offset += sizeof(head);
        if (get_be32(head) == 0 || sum_exceeds(offset, length, end))
            break;
        if (get_be32(head) == QCOW2_EXTENSION_BACKING_FORMAT)
            err = read_name(r, offset, length, names->backing_format,
                            MAX_FORMAT, error);
        else if (get_be32(head) == QCOW2_EXTENSION_DATA_FILE)
            err =
                read_name(r, offset, length, names->data_file, MAX_NAME, error);
        if (err)
            return err;
        offset += round_up(length, 8);
    }
    return 0;
}

/* Not inline: a walk from image to image keeps the caller's part of the stack
 * at each step, but not the header. */
__attribute__((noinline)) static int find_names(struct reader *r,
                                                struct names *names,
                                                struct error *error)
{
    unsigned char h[112];
    int err = metadata_read(r, 0, h, sizeof(h), error);
    uint64_t backing_at = get_be64(h + 8);
    uint32_t cluster_bits = get_be32(h + 20);
    uint32_t header =
        get_be32(h + 4) == 2 ? QCOW2_HEADER_V2 : get_be32(h + 100);
    uint64_t end = backing_at;

    memset(names, 0, sizeof(*names));
    /* QEMU refuses any other image. */
    if (err || memcmp(h, "QFI\xfb", 4) != 0 ||
        cluster_bits > QCOW2_MAX_CLUSTER_BITS)
        return err;
    if (end == 0 || end > UINT64_C(1) << cluster_bits)
        end = UINT64_C(1) << cluster_bits;
    err = read_extensions(r, header, end, names, error);
    if (!err && backing_at)
        err = read_name(r, backing_at, get_be32(h + 16), names->backing,
                        MAX_NAME, error);
    return err;
}

int qcow2_names(struct reader *r, const struct name_visitor *visitor,
                struct error *error)
{
    /* Not on the stack: the visitor goes on to the names in that image. */
    struct names *names = calloc(1, sizeof(*names));
    int err;

    if (!names)
        return error_no_memory(error, r->name);
    err = find_names(r, names, error);
    if (!err && *names->backing)
        err = names_visit(visitor, NAME_IMAGE, "backing file", names->backing,
                          *names->backing_format ? names->backing_format : NULL,
                          error);
    if (!err && *names->data_file)
        err = names_visit(visitor, NAME_DATA, "data file", names->data_file,
                          "raw", error);
    free(names);
    return err;
}
