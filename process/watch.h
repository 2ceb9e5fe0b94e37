/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A server that runs as long as its owner needs it.
 *
 * Three processes take part:
 *
 *   owner     this process, which reads from the server
 *   watcher   its child, and the parent of the server: process/watcher.c
 *   server    any program that takes a listening socket from its parent
 *
 * The watcher starts the server and stops it, together with all processes that
 * the server started. It does so when the owner asks for it and when the owner
 * is gone, however the owner ended.
 *
 * The owner and the watcher have a socket pair. The watcher sends a report when
 * it is ready, and one for each request, in order. The owner sends one request
 * at a time:
 *
 *   owner                     watcher                      server
 *   watch_start()       ->    makes the listening socket
 *                       <-    report: the path of the socket
 *   WATCH_START         ->    removes the path, forks  ->  executes
 *                       <-    report: the process ID, or why that failed
 *   connects  ------------------------------------------>  accepts
 *   WATCH_RELEASE       ->    removes the path, takes the terminal back
 *                       <-    report
 *   WATCH_CHECK         ->    waits a moment for the end of the server
 *                       <-    report: whether and how it ended
 *   watch_stop()        ->    stops the server, and exits
 *
 * WATCH_START comes first and once; the others come in any order, or not at
 * all. watch_stop() can come at any time. It closes the owner's side of the
 * socket pair, as the kernel does when the owner dies.
 */
#ifndef PROCESS_WATCH_H
#define PROCESS_WATCH_H

#include <stdbool.h>
#include <sys/types.h>

#include "process/private-socket.h"

struct watch_job {
    /* Called in the new process, to execute the server. Returns only if that
     * fails, with an errno value; what the value means is between this function
     * and the owner. The listening socket is above descriptor 3. */
    int (*execute)(const void *arg, int socket_fd);
    const void *arg;
    int stop_signal;     /* the signal that stops the server */
    bool lends_terminal; /* the server may ask the user for a password */
};

struct watch {
    pid_t pid; /* of the watcher; 0: none */
    int fd;    /* the owner's side of the socket pair */
};

enum watch_request {
    WATCH_START,       /* remove the path of the socket, and start the server */
    WATCH_START_NAMED, /* start the server; the path stays for now */
    WATCH_RELEASE,     /* remove the path, and take the terminal back */
    WATCH_CHECK,       /* if the server is about to end, wait for that */
};

struct watch_report {
    int error;  /* 0, an errno value, or what execute() returned */
    pid_t pid;  /* of the server; 0: not started */
    bool ended; /* the server ended, and all that it started */
    int status; /* then: of the server, as waitpid() has it */
    char path[sizeof(((struct private_socket *)0)->path)]; /* of the socket */
};

/* Start the watcher. Its first report tells the path of the socket. Only from
 * the first thread of the process, while it is alone. 0 or a positive errno
 * value. */
int watch_start(struct watch *w, const struct watch_job *job);

/* Wait for a report, up to so many milliseconds; -1: forever. Returns the
 * error of the report, ETIMEDOUT, or EPIPE if the watcher is gone. */
int watch_wait(struct watch *w, int milliseconds, struct watch_report *report);

/* Send a request, and wait for its report. */
int watch_ask(struct watch *w, enum watch_request request, int milliseconds,
              struct watch_report *report);

/* Stop the server, all that it started, and the watcher, and wait until they
 * are gone. Does nothing if the watcher was not started. */
void watch_stop(struct watch *w);

#endif
