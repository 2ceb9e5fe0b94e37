/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A reader gives the bytes of one host object: a file, a block device, an NBD
 * export.
 *
 * Threads: extent() is called by one thread at a time; view(), try_read(),
 * read_rest() and queue_new() by any; a read_queue belongs to one thread.
 */
#ifndef READER_READER_H
#define READER_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/error.h"
#include "reader/window.h"

struct reader;
struct read_queue;

/* Bytes that are all a hole, which reads as zeros, or all not. */
struct reader_extent {
    uint64_t length;
    bool hole;
};

/* What a read is for. */
enum read_kind {
    READ_DATA,  /* bytes of the guest's disk */
    READ_ZEROS, /* the same, but zeros: there is no reader */
    READ_INPUT, /* compressed bytes, to be decoded */
};

/* A read of len bytes at offset, into buf. The caller owns it and the buffer;
 * they must stay in place from submit to reap. */
struct read {
    struct reader *reader;
    unsigned char *buf;
    size_t len;
    uint64_t offset;
    enum read_kind kind; /* of the caller */
    bool hole;           /* of the caller: the object said so */

    const unsigned char *view; /* where the bytes are, if not in buf */
    size_t done;               /* less than len: the object ended */
    int error;          /* 0 or a positive errno value, at offset + done */
    const char *reason; /* of the error, where its number says too little; or
                         * NULL. The reader has it. */
    void *owner;        /* of the caller */
    struct read *next;
};

/* Why a read failed. */
static inline const char *read_reason(const struct read *read)
{
    return read->reason ? read->reason : strerror(read->error);
}

/* Write the result of a read to the debug log, and how it was read. */
void read_debug(const struct read *read, const char *how);

struct reader_ops {
    /*
     * What is at offset: at least one byte, at most length, which is not 0 and
     * ends not beyond the reader's size.
     */
    int (*extent)(struct reader *r, uint64_t offset, uint64_t length,
                  struct reader_extent *extent, struct error *error);

    /*
     * The bytes of a read where they are, without a copy: they were in memory
     * a moment ago, and window_failed() has the last word. NULL when they are
     * not, or cannot be had so. The address is good until the window is used
     * again without keep.
     */
    const unsigned char *(*view)(const struct read *read, struct window *w,
                                 bool keep);

    /*
     * Read as much as can be had without waiting, and add it to read->done.
     * False when that is not all; the rest goes to a queue.
     */
    bool (*try_read)(struct read *read);

    /* Read the rest, waiting for it. The result is in the read. */
    void (*read_rest)(struct read *read);

    /* Advice: these bytes will be read soon. */
    void (*will_need)(struct reader *r, uint64_t offset, uint64_t length);

    /* A queue that keeps up to depth reads in flight, better than fewer. It
     * takes the reads of all readers of this one's queue_group. */
    int (*queue_new)(struct reader *r, unsigned depth,
                     struct read_queue **queue, struct error *error);

    /* What happened where reads end before the size, for messages. */
    const char *early_end;

    /* An error when the object is not what it was at open. It may set the
     * warning. */
    int (*check_unchanged)(struct reader *r, struct error *error);

    void (*close)(struct reader *r);
};

/* Which object it is, whatever its name; both 0: not known. */
struct object_id {
    uint64_t device;
    uint64_t inode;
};

/* The largest minimum of an NBD server. */
#define READER_MAX_ALIGNMENT 65536

struct reader {
    const struct reader_ops *ops;
    char *name; /* for messages */
    uint64_t size;
    size_t alignment;   /* of offsets and lengths, for fast reads: a power of
                         * 2, up to READER_MAX_ALIGNMENT; 1: any */
    uint64_t allocated; /* bytes that are no hole, about; 0: not known */
    struct object_id id;
    const char *warning; /* what the user should know of it now, or NULL.
                          * Whoever tells it clears it. */

    /* A queue takes the reads of all readers of its group: those of one kind
     * share queues, or one has queues of its own. */
    const void *queue_group;
};

/* Whether two readers are of one object, as far as is known. */
static inline bool reader_same_object(const struct reader *a,
                                      const struct reader *b)
{
    return (a->id.device || a->id.inode) && a->id.device == b->id.device &&
           a->id.inode == b->id.inode;
}

struct read_queue_ops {
    const char *name; /* for debugging */

    /* Start count reads. Each comes back from reap(), also when it failed. */
    void (*submit)(struct read_queue *q, struct read *reads, size_t count);

    /* The next read that is finished. NULL: none yet (not with wait, which may
     * be given only while reads are in flight). */
    struct read *(*reap)(struct read_queue *q, bool wait);

    /* No reads may be in flight. */
    void (*free)(struct read_queue *q);
};

struct read_queue {
    const struct read_queue_ops *ops;
};

/* How files are read. */
enum cache_mode {
    CACHE_BUFFERED,           /* through the page cache */
    CACHE_DIRECT,             /* past it: O_DIRECT */
    CACHE_DIRECT_OR_BUFFERED, /* direct where the file system supports it */
};

struct file_options {
    enum cache_mode cache;
    bool force_share; /* also when another process writes it */
};

/*
 * Open a regular file or a block device; name is for messages. All else is an
 * error, and so is a file that a process of QEMU writes; one that another
 * process has open for writing has a warning. Close with reader->ops->close().
 * Only from the first thread of the process, while it is alone.
 */
int file_open(const char *path, const char *name,
              const struct file_options *options, struct reader **reader,
              struct error *error);

/*
 * The same for what a descriptor is of, which stays open, and at its beginning.
 * ESPIPE: it does not know its size, and can only be read from front to back.
 */
int file_open_fd(int fd, const char *name, const struct file_options *options,
                 struct reader **reader, struct error *error);

#endif
