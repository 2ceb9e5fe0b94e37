/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qcow, version 1, which QEMU reads: how it is recognised, and the name in it.
 */
#include <string.h>

#include "common/bytes.h"
#include "format/format.h"

#define HEADER_SIZE 20 /* up to the length of the backing file's name */

static bool has_magic(const unsigned char *start)
{
    return memcmp(start, "QFI\xfb", 4) == 0;
}

/* qcow2 has the same magic, and other versions. */
bool qcow_probe(const unsigned char *start, size_t len)
{
    return len >= 8 && has_magic(start) && get_be32(start + 4) == 1;
}

int qcow_names(struct reader *r, const struct name_visitor *visitor,
               struct error *error)
{
    unsigned char h[HEADER_SIZE];
    int err = metadata_read(r, 0, h, sizeof(h), error);

    if (err || !has_magic(h) || get_be64(h + 8) == 0)
        return err;
    return names_visit_backing(r, get_be64(h + 8), get_be32(h + 16), NULL,
                               visitor, error);
}
