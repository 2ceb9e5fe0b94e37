/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The terminal is lent to a process group when it asks for it.
 *
 * A process in the background that reads from the terminal, or sets its modes,
 * is stopped by SIGTTIN or SIGTTOU, and so is its whole group. Here the leader
 * of the group blocks these signals and takes them instead. It asks the owner
 * of the terminal, a process of another group (the owner's home), to put the
 * group in the foreground, and lets it go on. What the user types then (^C, ^Z)
 * comes to that group alone, and is passed on to the home.
 *
 * Only the owner may put the group in the foreground. The shell takes the
 * terminal when the home is stopped, and the kernel lets nobody of a stopped
 * group, or of one in the background, take it away again.
 */
#ifndef PROCESS_TERMINAL_H
#define PROCESS_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/signalfd.h>
#include <sys/types.h>
#include <termios.h>

/* The owner: lend the terminal to the group of this leader, when it asks; and
 * no longer. For one group at a time. */
void terminal_offer(pid_t leader);
void terminal_withdraw(void);

/* The leader's side. */
struct terminal {
    int fd; /* the controlling terminal; -1: none, or not to be lent */
    pid_t owner;
    pid_t home;
    bool wanted;      /* the group waits for it */
    bool lent;        /* the group has it, or had when the user stopped it */
    bool stopped;     /* by the user */
    int64_t deadline; /* see terminal_tick() */
    struct termios home_modes, group_modes;
};

/* All signals are blocked. */
void terminal_open(struct terminal *t, pid_t owner, pid_t home);

/* A signal that came, but SIGCHLD. */
void terminal_signal(struct terminal *t, const struct signalfd_siginfo *info);

/* Milliseconds until terminal_tick() is to be called; -1: not at all. */
int terminal_timeout(const struct terminal *t);
void terminal_tick(struct terminal *t);

/* Give it back, with the modes that it had, and lend it no more. */
void terminal_close(struct terminal *t);

#endif
