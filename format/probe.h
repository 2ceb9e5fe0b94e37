/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FORMAT_PROBE_H
#define FORMAT_PROBE_H

#include "common/error.h"
#include "format/lookalike.h"
#include "reader/reader.h"

struct probe {
    const char *format; /* "raw" if no other is recognised */
    const char *rival; /* another that is recognised as well: which of them QEMU
                        * takes depends on how it was built; or NULL */
    struct lookalike lookalike; /* of what is raw: what the user may mean
                                 * nevertheless */
    bool is_ova;                /* an archive of disks; raw */
    bool is_list;               /* not an image, but the digest list of one */
};

/* Find the format of what a reader has, as QEMU does: by its first bytes, and
 * by the end of its path, which may be NULL. */
int probe_format(struct reader *reader, const char *path, struct probe *found,
                 struct error *error);

/* Check that it is an image, and that its format has no rival. name is that of
 * the image, for messages. */
int probe_check(const struct probe *found, const char *name,
                struct error *error);

/* The format of an image of which these are the first bytes. NULL: none is
 * recognised. */
const char *probe_start(const void *start, size_t len);

/* Find what something raw looks like, by its first bytes. */
void probe_lookalike_start(const void *start, size_t len,
                           struct lookalike *lookalike);

#define PROBE_END_SIZE 512

/* Find what else it looks like by its last PROBE_END_SIZE bytes, unless it was
 * found before. size: of all of it; if that is less, nothing is found. */
void probe_lookalike_end(const void *end, uint64_t size,
                         struct lookalike *lookalike);

/* Whether these are the first bytes of a digest list, which nobody means to
 * hash. */
bool probe_is_list(const void *start, size_t len);

/* Set the error for one that is given as an image. */
int probe_refuse_list(const char *name, struct error *error);

#endif
