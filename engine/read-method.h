/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The faster method to hash bytes in the page cache: in place, through a window
 * on the mapped file, or after a copy into the buffer.
 *
 * In place saves the copy, but costs page faults and the translation of one
 * address for each page. On bare metal that saves a third of the time. In a
 * virtual machine whose memory comes in small pages, data can take twice as
 * long as by copy, and zeros seven times. Nothing that can be looked up tells
 * the one machine from the other, so the first slots try both methods. The
 * faster one is kept, and the trial is repeated from time to time: files differ
 * as well, by the size of the pieces in which the cache holds them.
 *
 * Blocks of zeros are recognised much faster than data is hashed. Slots are
 * therefore classed by what is in them, and only slots of one class are
 * compared.
 *
 * Small slots are always copied: moving a window costs more.
 *
 * Threads: any number may use one choice.
 */
#ifndef ENGINE_READ_METHOD_H
#define ENGINE_READ_METHOD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum read_method { READ_METHOD_MMAP, READ_METHOD_COPY };
#define READ_METHODS 2

/* What is in a slot. */
enum read_content { CONTENT_DATA, CONTENT_MIXED, CONTENT_ZEROS };
#define READ_CONTENTS 3

/* The trial of both methods with one class of slots. */
struct read_trial {
    double cost[READ_METHODS]; /* nanoseconds a byte, of the best slot */
    unsigned slots[READ_METHODS];
};

/* What was chosen, and why. */
struct read_method_figures {
    enum read_method method;
    bool forced;               /* by DISKSUM_READS */
    bool measured;             /* a trial is complete: */
    enum read_content content; /* of its slots */
    double cost[READ_METHODS]; /* nanoseconds a byte */
    uint64_t
        slots[READ_METHODS]; /* from 64 KiB of data, hashed without waiting */
};

struct read_choice {
    pthread_mutex_t lock; /* for all below */
    struct read_trial trials[READ_CONTENTS];
    unsigned turn; /* slots of this trial so far */
    unsigned left; /* slots until the next trial; 0: one is in progress */
    struct read_method_figures figures;
};

/* Free with read_choice_free(). */
void read_choice_init(struct read_choice *c);
void read_choice_free(struct read_choice *c);

/* The choice of this process: it depends on the machine, so all images share
 * it. */
struct read_choice *read_choice_shared(void);

/* The method for the next slot, which has len bytes of data. *measure: whether
 * its time is wanted. */
enum read_method read_choice_next(struct read_choice *c, size_t len,
                                  bool *measure);

/* A slot of len bytes, of which `zeros` were blocks of zeros, took so many
 * nanoseconds of CPU time by this method. 0: not measured. */
void read_choice_note(struct read_choice *c, enum read_method method,
                      uint64_t nanoseconds, size_t len, size_t zeros);

/* What is chosen now, for people. */
void read_choice_figures(struct read_choice *c,
                         struct read_method_figures *figures);

/* For people: "mmap", "copy"; "data", "data and zeros", "zeros". */
const char *read_method_name(enum read_method method);
const char *read_content_name(enum read_content content);

#endif
