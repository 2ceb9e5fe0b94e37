/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QED, which QEMU reads: the name in it.
 */
#include <string.h>

#include "common/bytes.h"
#include "format/format.h"

/* QEMU's docs/interop/qed_spec.txt. All numbers are little-endian. */
#define HEADER_SIZE 64
#define FEATURE_BACKING_FILE 0x01
#define FEATURE_BACKING_IS_RAW 0x04

int qed_names(struct reader *r, const struct name_visitor *visitor,
              struct error *error)
{
    unsigned char h[HEADER_SIZE];
    int err = metadata_read(r, 0, h, sizeof(h), error);
    uint64_t features;

    if (err)
        return err;
    features = get_le64(h + 16);
    if (memcmp(h, "QED", 4) != 0 || !(features & FEATURE_BACKING_FILE))
        return 0;
    return names_visit_backing(r, get_le32(h + 56), get_le32(h + 60),
                               features & FEATURE_BACKING_IS_RAW ? "raw" : NULL,
                               visitor, error);
}
