/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The message for a broken image, and the checksums in it: for all that reads a
 * part of a VHDX image.
 */
#include <errno.h>
#include <stdarg.h>

#include "common/bytes.h"
#include "common/crc32c.h"
#include "format/vhdx.h"

int vhdx_broken(const struct vhdx *v, int code, struct error *error,
                const char *format, ...)
{
    va_list args;

    va_start(args, format);
    layer_broken(v->layer, "VHDX", code, error, format, args);
    va_end(args);
    return code;
}

int vhdx_refuse_log(const struct vhdx *v, const char *why, struct error *error)
{
    const char *name = v->layer->reader->name;

    return error_set(
        error, ENOTSUP,
        "%s: the log of the VHDX image must be replayed, but %s; "
        "to replay it in the image, use qemu-img check -r all '%s'",
        name, why, name);
}

bool vhdx_is_intact(const unsigned char *p, size_t size, const char *signature)
{
    static const unsigned char no_crc[4];
    uint32_t crc;

    if (memcmp(p, signature, 4) != 0)
        return false;
    crc = crc32c(0, p, 4);
    crc = crc32c(crc, no_crc, sizeof(no_crc));
    return crc32c(crc, p + 8, size - 8) == get_le32(p + 4);
}
