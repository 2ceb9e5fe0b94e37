/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Containers by their magic. What QEMU's probing knows, this must know: an
 * image that is taken for raw gets the checksum of its container.
 */
#include "image/probe.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct magic {
    const char *format;
    unsigned offset;
    unsigned length;
    const char *bytes;
};

#define MAGIC(format, offset, bytes)                                           \
    {                                                                          \
        format, offset, sizeof(bytes) - 1, bytes                               \
    }

/* The first that matches. */
static const struct magic magics[] = {
    MAGIC("qcow", 0, "QFI\xfb\0\0\0\1"),
    MAGIC("qcow2", 0, "QFI\xfb"),
    MAGIC("qed", 0, "QED\0"),
    MAGIC("vmdk", 0, "KDMV"),
    MAGIC("vmdk", 0, "COWD"),
    MAGIC("vmdk", 0, "# Disk DescriptorFile"),
    MAGIC("vhdx", 0, "vhdxfile"),
    MAGIC("vpc", 0, "conectix"),
    MAGIC("vdi", 64, "\x7f\x10\xda\xbe"),
    MAGIC("luks", 0, "LUKS\xba\xbe"),
    MAGIC("parallels", 0, "WithoutFreeSpace"),
    MAGIC("parallels", 0, "WithouFreSpacExt"),
    MAGIC("bochs", 0, "Bochs Virtual HD Image"),
    MAGIC("cloop", 0, "#!/bin/sh\n#V2.0 Format\nmodprobe cloop"),
};

/* Bytes of the start that are looked at. */
#define PROBE_SIZE 512

/* A .dmg ends with a trailer of 512 bytes that starts so. */
#define DMG_TRAILER 512
#define DMG_MAGIC "koly"

/* Read what is there of length bytes; the rest of buf is zeros. */
static int peek(struct reader *r, uint64_t offset, void *buf, size_t length,
                struct error *error)
{
    struct read read = {
        .reader = r, .buf = buf, .len = length, .offset = offset
    };

    memset(buf, 0, length);
    r->ops->read_rest(&read);
    if (read.error)
        return error_set(error, read.error,
                         "%s: read error at offset %" PRIu64 ": %s", r->name,
                         offset + read.done, strerror(read.error));
    return 0;
}

const char *probe_magic(const void *buf, size_t len)
{
    const unsigned char *p = buf;

    for (size_t i = 0; i < sizeof(magics) / sizeof(*magics); i++) {
        const struct magic *m = &magics[i];

        if (len >= m->offset + m->length &&
            memcmp(p + m->offset, m->bytes, m->length) == 0)
            return m->format;
    }
    return NULL;
}

int probe_refuse(const char *format, const char *name, struct error *error)
{
    return error_set(error, ENOTSUP,
                     "%s: is a %s image, which is not supported; make a raw "
                     "image of it with 'qemu-img convert -O raw' ('-f raw' "
                     "would hash the container)",
                     name, format);
}

int probe_format(struct reader *r, const char **format, struct error *error)
{
    unsigned char buf[PROBE_SIZE];
    int err = peek(r, 0, buf, sizeof(buf), error);

    if (err)
        return err;
    *format = probe_magic(buf, sizeof(buf));
    if (*format)
        return 0;

    *format = "raw";
    if (r->size < DMG_TRAILER)
        return 0;
    err = peek(r, r->size - DMG_TRAILER, buf, DMG_TRAILER, error);
    if (!err && memcmp(buf, DMG_MAGIC, strlen(DMG_MAGIC)) == 0)
        *format = "dmg";
    return err;
}
