/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The terminal is lent to a process group when it asks for it.
 *
 * A process in the background that reads from the terminal, or sets its modes,
 * is stopped by SIGTTIN or SIGTTOU, and so is its whole group. Here a member of
 * the group that blocks these signals takes them instead: if the group that
 * the command belongs to (its home) is in the foreground, it lets the other
 * group have the terminal and go on. What the user types then (^C, ^Z) comes to
 * that group alone, and is passed on to the home.
 */
#ifndef READER_TERMINAL_H
#define READER_TERMINAL_H

#include <stdbool.h>
#include <sys/types.h>
#include <termios.h>

struct terminal {
    int fd; /* the controlling terminal; -1: none, or not to be lent */
    pid_t home;
    bool wanted;  /* the group waits for it */
    bool lent;    /* the group has it, or had when the user stopped it */
    bool stopped; /* by the user */
    int ticks;    /* see terminal_tick() */
    struct termios home_modes, group_modes;
};

/* To be called by a member of the group that blocks all signals. */
void terminal_open(struct terminal *t, pid_t home);

/* The kernel sent this signal to the group. */
void terminal_signal(struct terminal *t, int number);

/* Milliseconds until terminal_tick() is to be called; -1: not at all. */
int terminal_timeout(const struct terminal *t);
void terminal_tick(struct terminal *t);

/* Give it back, with the modes that it had, and lend it no more. */
void terminal_close(struct terminal *t);

#endif
