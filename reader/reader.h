/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A reader reads one host object: a file, a block device or an NBD export.
 *
 * Threads: one thread at a time calls extent(); any thread may call view(),
 * try_read(), read_rest() and queue_new(). A read_queue belongs to one thread.
 */
#ifndef READER_READER_H
#define READER_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "common/changes.h"
#include "common/debug.h"
#include "common/error.h"
#include "reader/window.h"

struct reader;
struct read_queue;

/* A range that is a hole, which reads as zeros, or data. */
struct reader_extent {
    uint64_t length;
    bool hole;
};

/* What a read is for. */
enum read_kind {
    READ_DATA,  /* bytes of the guest's disk */
    READ_ZEROS, /* the same, but known to be zeros: there is no reader */
    READ_INPUT, /* compressed bytes, to be decoded */
};

/* A read of len bytes at offset into buf. The caller owns both the read and the
 * buffer, and keeps them in place from submit() to reap(). */
struct read {
    struct reader *reader;
    unsigned char *buf;
    size_t len;
    uint64_t offset;
    enum read_kind kind; /* for the caller */
    bool hole;           /* for the caller: the object reports a hole */
    void *owner;         /* for the caller */

    const unsigned char *view; /* where the bytes are, if not in buf */
    size_t done;               /* less than len: an error, or an early end */
    int error;          /* 0 or a positive errno value, at offset + done; where
                         * read_rest() needs bytes from elsewhere (a log), it
                         * sets both to the place of the error */
    const char *reason; /* says more than the number of the error, or NULL; it
                         * belongs to the reader */
    struct read *next;  /* for the queue */
};

/* Why a read failed. */
static inline const char *read_reason(const struct read *read)
{
    return read->reason ? read->reason : strerror(read->error);
}

/* Set the error of the first byte that is missing. Returns the errno value. */
int read_fault(const struct read *read, struct error *error);

void read_debug_event(const struct read *read, const char *how);

/* An event for debugging: a read is finished. how: by what means. */
static inline void read_debug(const struct read *read, const char *how)
{
    if (debug_is_on(DEBUG_READ))
        read_debug_event(read, how);
}

/* What a reader reads. */
enum object_kind {
    OBJECT_OTHER,  /* an export, or whatever else has no identity */
    OBJECT_FILE,   /* a regular file */
    OBJECT_DEVICE, /* a block device */
};

/* In which state an object was opened. */
struct object_state {
    enum object_kind kind;
    /* Of a file: */
    uint64_t file_system; /* its ID, which stays when the file system gets
                           * another device number; 0: it has none */
    struct timespec mtime;
    struct timespec ctime;
};

struct reader_ops {
    /*
     * Find what is at offset: an extent of at least one byte and at most
     * length. length is not 0, and the range does not exceed the reader's size.
     */
    int (*extent)(struct reader *r, uint64_t offset, uint64_t length,
                  struct reader_extent *extent, struct error *error);

    /*
     * The address of the bytes of a read in a mapping, without a copy. They
     * were in the page cache a moment ago; window_failed() tells later whether
     * all of them were there. NULL: they are not in the page cache, or cannot
     * be mapped. The address is valid until the window is used again without
     * keep.
     */
    const unsigned char *(*view)(const struct read *read, struct window *w,
                                 bool keep);

    /*
     * Read what can be read without waiting, and add it to read->done. Returns
     * whether that is all. The rest is for a queue.
     */
    bool (*try_read)(struct read *read);

    /* Read the rest and wait for it. The result is in the read. */
    void (*read_rest)(struct read *read);

    /* A hint: these bytes will be read soon. */
    void (*will_need)(struct reader *r, uint64_t offset, uint64_t length);

    /* Make a queue that is meant for depth reads in flight. It takes the reads
     * of all readers with the same queue_group. */
    int (*queue_new)(struct reader *r, unsigned depth,
                     struct read_queue **queue, struct error *error);

    /* Get what a bitmap of the object records, if has_bitmap. Free the changes
     * before the reader is closed. */
    int (*bitmap)(struct reader *r, struct changes **changes,
                  struct error *error);

    /* The cause when data ends before the size, for messages. */
    const char *early_end;

    /* Fails when the object has changed since it was opened. May set the
     * warning. */
    int (*check_unchanged)(struct reader *r, struct error *error);

    /* Get the state. NULL: the object is an OBJECT_OTHER. */
    void (*get_state)(const struct reader *r, struct object_state *state);

    void (*close)(struct reader *r);
};

/* Identifies an object, whatever its name. Both 0: unknown. */
struct object_id {
    uint64_t device;
    uint64_t inode;
};

/* The largest minimum block size of an NBD server. */
#define READER_MAX_ALIGNMENT 65536

struct reader {
    const struct reader_ops *ops;
    char *name; /* for messages */
    uint64_t size;
    size_t alignment;   /* of offsets and lengths for fast reads: a power of 2,
                         * up to READER_MAX_ALIGNMENT; 1: any */
    bool has_bitmap;    /* it was opened with the name of a bitmap */
    bool cached;        /* it reads through the page cache of this host */
    uint64_t begin;     /* whoever has the reader asks for no extents before it,
                         * which would take time to find; 0 at first */
    uint64_t allocated; /* an estimate of the bytes that are not holes; 0:
                         * unknown */
    struct object_id id;
    uint64_t base; /* where the first byte is in the object: not 0 if the reader
                    * has only a slice of it */
    const char *warning; /* for the user, or NULL; whoever prints it clears
                          * it */

    /* Readers with the same group share queues: all files that are read in the
     * same way, or one NBD export. */
    const void *queue_group;
};

/* Whether two readers are known to read the same object, or the same slice of
 * it. */
static inline bool reader_same_object(const struct reader *a,
                                      const struct reader *b)
{
    return (a->id.device || a->id.inode) && a->id.device == b->id.device &&
           a->id.inode == b->id.inode && a->base == b->base;
}

struct read_queue_ops {
    const char *name; /* for debugging */

    /* Start those of count reads that are not finished. reap() returns each of
     * them, also if it fails. */
    void (*submit)(struct read_queue *q, struct read *reads, size_t count);

    /* The next read that is finished; NULL: none yet. With wait, which needs a
     * read in flight, it waits for one. */
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
 * Open a regular file or a block device; name is for messages. Anything else is
 * an error, and so is a file that a QEMU process writes. A file that another
 * process has open for writing gets a warning. Close with reader->ops->close().
 * Call it only while the process has one thread.
 */
int file_open(const char *path, const char *name,
              const struct file_options *options, struct reader **reader,
              struct error *error);

/*
 * Open the file of a descriptor, which stays open, and at its beginning.
 * ESPIPE: the file does not know its size, and can only be read from front to
 * back.
 */
int file_open_fd(int fd, const char *name, const struct file_options *options,
                 struct reader **reader, struct error *error);

#endif
