/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What vhdx-log.c, which finds the entries of the log to be replayed, and
 * vhdx-entry.c, which checks and reads one of them, share.
 */
#ifndef FORMAT_VHDX_LOG_H
#define FORMAT_VHDX_LOG_H

#include "format/vhdx.h"

#define VHDX_LOG_SECTOR (4 * KiB)

/* An entry, and where it begins in the log. */
struct vhdx_entry {
    uint64_t at;
    uint64_t number; /* 0: no entry begins here */
    uint32_t length;
    uint32_t tail;
    uint32_t descriptors;
    bool known; /* it was looked for */
};

struct vhdx_log {
    struct vhdx *v;
    uint64_t length;
    struct table descriptors;   /* its slice, */
    struct table data;          /* and another, since both are read in turn */
    struct vhdx_entry *entries; /* for each sector */
    uint64_t checked;           /* bytes whose CRC was computed */
    bool has_entry;
};

/*
 * Find the entry that begins at a sector. Its number is 0 if there is none. It
 * is an error if an entry has the right CRC but is wrong in another way: no
 * crash left that.
 */
int vhdx_find_entry(struct vhdx_log *log, uint64_t at,
                    const struct vhdx_entry **entry, struct error *error);

/* Add what an entry changes to the replay. */
int vhdx_replay_entry(struct vhdx_log *log, const struct vhdx_entry *entry,
                      struct error *error);

/* The sizes of the file that an entry has: the least that it had when the entry
 * was written, and the least that it has after the replay. */
int vhdx_entry_sizes(struct vhdx_log *log, const struct vhdx_entry *entry,
                     uint64_t *flushed, uint64_t *last, struct error *error);

#endif
