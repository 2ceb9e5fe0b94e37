/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What messages between ranks are made of: numbers, and bytes with their
 * length. All ranks run the same program.
 */
#ifndef MPI_WIRE_H
#define MPI_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A message that is written. All zeros at first. */
struct wire {
    unsigned char *data; /* for free() */
    size_t len, room;
    bool failed; /* out of memory: what was added since is lost */
};

void wire_put(struct wire *w, const void *bytes, size_t len);
void wire_put_number(struct wire *w, uint64_t n);
void wire_put_bytes(struct wire *w, const void *bytes, size_t len);

/* A text; NULL is another one than "". */
void wire_put_text(struct wire *w, const char *text);

/* Send a message to a rank, and make it empty. A rank that is out of memory
 * ends the job. */
void wire_send(struct wire *w, int rank);

/* A message that is read: from where on, and how much. What is not there is a
 * bug. */
struct wire_rest {
    const unsigned char *data;
    size_t len;
};

uint64_t wire_get_number(struct wire_rest *r);

/* The bytes and the text are in the message; a text ends with a NUL. */
struct wire_rest wire_get_bytes(struct wire_rest *r);
const char *wire_get_text(struct wire_rest *r);

#endif
