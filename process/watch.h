/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process that starts a server, and ends it, with all that the server
 * started, when we are gone, however that came.
 */
#ifndef PROCESS_WATCH_H
#define PROCESS_WATCH_H

#include <stdbool.h>
#include <sys/types.h>

#include "process/private-socket.h"

struct watch_job {
    /* In the new process: become the server. Returns only if that fails, with
     * an errno value. The socket is above descriptor 3. */
    int (*become)(const void *arg, int socket_fd);
    const void *arg;
    int end_signal;      /* what ends it */
    bool lends_terminal; /* it may ask the user for something */
};

struct watch {
    pid_t pid; /* 0: none */
    int fd;    /* it is our end that the watcher waits for */
};

/* What we ask of the watcher. Each gets a report. */
enum watch_request {
    WATCH_RUN,       /* take the socket's name away, and start the server */
    WATCH_RUN_NAMED, /* start the server; the name stays for now */
    WATCH_CONNECTED, /* take the name away, and the terminal back */
    WATCH_HAS_ENDED, /* the server is about to end: wait a little for that */
};

struct watch_report {
    int error;  /* why it failed, an errno value, or 0 */
    pid_t pid;  /* of the server */
    bool ended; /* the server, and all that it started */
    int status; /* then: of the server, as waitpid() has it */
    char path[sizeof(((struct private_socket *)0)->path)]; /* of the socket */
};

/* Start the watcher, which makes a socket and reports that. Only from the first
 * thread of the process, while it is alone. 0 or a positive errno value. */
int watch_start(struct watch *w, const struct watch_job *job);

/* Wait for a report; milliseconds: -1: for ever. 0 or a positive errno value:
 * of the report, or ETIMEDOUT, or EPIPE if the watcher is gone. */
int watch_wait(struct watch *w, int milliseconds, struct watch_report *report);
int watch_ask(struct watch *w, enum watch_request request, int milliseconds,
              struct watch_report *report);

/* End the server, all that it started, and the watcher, and wait for that. */
void watch_end(struct watch *w);

#endif
