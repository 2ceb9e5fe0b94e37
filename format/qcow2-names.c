/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/qcow2-names.h"

#include <string.h>

#include "common/bytes.h"
#include "format/qcow2.h"

#define HEADER_V2 72
#define EXTENSION_BACKING_FORMAT 0xe2792aca
#define EXTENSION_DATA_FILE 0x44415441

/* A name of at most max bytes; name has one more. */
static int read_name(struct reader *r, uint64_t offset, uint64_t length,
                     char *name, size_t max, struct error *error)
{
    if (length > max)
        length = max;
    memset(name, 0, max + 1);
    return metadata_read(r, offset, name, length, error);
}

/* Of several extensions of a kind the last counts. */
static int read_extensions(struct reader *r, uint64_t offset, uint64_t end,
                           struct qcow2_names *names, struct error *error)
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
        if (get_be32(head) == EXTENSION_BACKING_FORMAT)
            err = read_name(r, offset, length, names->backing_format,
                            QCOW2_MAX_FORMAT, error);
        else if (get_be32(head) == EXTENSION_DATA_FILE)
            err = read_name(r, offset, length, names->data_file, QCOW2_MAX_NAME,
                            error);
        if (err)
            return err;
        offset += round_up(length, 8);
    }
    return 0;
}

int qcow2_find_names(struct reader *r, struct qcow2_names *names,
                     struct error *error)
{
    unsigned char h[112];
    int err = metadata_read(r, 0, h, sizeof(h), error);
    uint64_t backing_at = get_be64(h + 8);
    uint32_t cluster_bits = get_be32(h + 20);
    uint32_t header = get_be32(h + 4) == 2 ? HEADER_V2 : get_be32(h + 100);
    uint64_t end = backing_at;

    memset(names, 0, sizeof(*names));
    /* Else QEMU refuses it. */
    if (err || memcmp(h, "QFI\xfb", 4) != 0 ||
        cluster_bits > QCOW2_MAX_CLUSTER_BITS)
        return err;
    if (end == 0 || end > UINT64_C(1) << cluster_bits)
        end = UINT64_C(1) << cluster_bits;
    err = read_extensions(r, header, end, names, error);
    if (!err && backing_at)
        err = read_name(r, backing_at, get_be32(h + 16), names->backing,
                        QCOW2_MAX_NAME, error);
    return err;
}
