/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages between the ranks of a job. Only this file's implementation knows
 * MPI.
 *
 * A rank may share its cores with others, and with its own workers. So nobody
 * waits in MPI, which would keep a core busy: the waiting is in comm_wait(),
 * which sleeps.
 *
 * Threads: only the one that called comm_begin().
 */
#ifndef MPI_COMM_H
#define MPI_COMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Join the job. Before any thread starts, and before the process is confined:
 * MPI makes files and connections. Afterwards rank 0 can exchange messages with
 * all others, and no other two ranks can. */
void comm_begin(void);

int comm_rank(void);
int comm_size(void);

/* The name of this rank's host. */
const char *comm_host(void);

/* Rank 0 gives a number to all others. */
int comm_share(int number);

struct comm_message {
    int rank; /* the sender */
    size_t len;
    unsigned char *data; /* for free() */
};

/* Send a message, which is freed when it has left. A rank may send to itself.
 * Messages from one rank to another arrive in order. */
void comm_send(int rank, unsigned char *data, size_t len);

/* Get the next message, if one is there. */
bool comm_receive(struct comm_message *m);

/* Sleep until a message may be there, a descriptor is readable (-1: none), or
 * some milliseconds have passed (-1: no limit; at most a few are slept). */
void comm_wait(int fd);

/* What this rank has sent to others and received from them. */
struct comm_figures {
    uint64_t messages;
    uint64_t bytes;
};

void comm_figures(struct comm_figures *figures);

/* End all ranks of the job at once; a message was printed. */
void comm_abort(void) __attribute__((noreturn));

/* Print that this rank is out of memory, and do that. */
void comm_out_of_memory(void) __attribute__((noreturn));

/* Leave the job. All ranks do so at about the same time, and no message is on
 * its way. */
void comm_end(void);

#endif
