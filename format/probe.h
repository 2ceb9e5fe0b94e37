/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FORMAT_PROBE_H
#define FORMAT_PROBE_H

#include "common/error.h"
#include "reader/reader.h"

/*
 * The format of what the reader has: a name of qemu-img's, "raw" when no
 * container is recognised. By its first bytes, as QEMU's probing has it, and by
 * the end of its path, which may be NULL: .dmg. *hidden is NULL, or the format
 * of a container that QEMU takes for raw, too.
 */
int probe_format(struct reader *reader, const char *path, const char **format,
                 const char **hidden, struct error *error);

/*
 * The container whose magic stands at buf, the first len bytes of an image.
 * NULL: none is recognised.
 */
const char *probe_magic(const void *buf, size_t len);

/* Whether it is the name of an image format of qemu-img's, rather than of one
 * of QEMU's other drivers. */
bool is_image_format(const char *name);

/* Set the error for a container that is recognised and not supported. */
int probe_refuse(const char *format, const char *name, struct error *error);

#endif
