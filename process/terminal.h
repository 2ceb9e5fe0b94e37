/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The terminal is lent to a process group in the background when it asks for
 * it.
 *
 * The kernel sends SIGTTIN or SIGTTOU to a background group of which a process
 * reads from the terminal or sets its modes, and so stops the group. Here the
 * leader of the group blocks these signals and takes them from a signalfd. It
 * asks the owner of the terminal, a process of another group, to put the
 * leader's group in the foreground, and then continues its group. What the user
 * types now (^C, ^Z) reaches the leader's group alone, so the leader passes it
 * on to the owner's group.
 *
 * Only the owner may put the leader's group in the foreground. If the user
 * stops the owner's group, the shell takes the terminal, and the kernel does
 * not let a stopped or a background group take it from the shell.
 */
#ifndef PROCESS_TERMINAL_H
#define PROCESS_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/signalfd.h>
#include <sys/types.h>
#include <termios.h>

/* The owner's side. From now on, lend the terminal to the group of this leader
 * whenever the leader asks; or no longer. For one group at a time. */
void terminal_offer(pid_t leader);
void terminal_withdraw(void);

/* The leader's side. */
struct terminal {
    int fd; /* the controlling terminal; -1: none, or not to be lent */
    pid_t owner;
    pid_t owner_group;
    bool wanted;      /* the group waits for the terminal */
    bool asked;       /* the owner, since the group waits */
    bool lent;        /* the group has it, or had it when the user stopped it */
    bool stopped;     /* by the user */
    bool shell_modes; /* owner_modes are those of the shell at its prompt */
    int interrupt;    /* a signal that ends the owner, or 0: see below */
    int64_t deadline; /* wanted: of the shell, to take the terminal;
                       * else: of repeating SIGCONT */
    struct termios owner_modes, group_modes;
};

/* All signals are blocked. */
void terminal_open(struct terminal *t, pid_t owner, pid_t owner_group);

/* A signal that came, other than SIGCHLD. */
void terminal_signal(struct terminal *t, const struct signalfd_siginfo *info);

/*
 * The user typed what ends the group and its owner: t->interrupt is the signal.
 * The owner gets it with terminal_interrupt(). Wait for the end of the group
 * first: a process that waits in a read of the terminal goes on waiting when
 * the group is in the background again, and would take what is typed for the
 * shell.
 */
void terminal_interrupt(struct terminal *t);

/* A tick repeats what may have been too early: the request, while the owner's
 * group is in the background, and SIGCONT. Call terminal_tick() when nothing
 * else happened for terminal_timeout() milliseconds; -1: it is not needed. */
int terminal_timeout(const struct terminal *t);
void terminal_tick(struct terminal *t);

/* Give the terminal back with the modes that it had, and lend it no more. */
void terminal_close(struct terminal *t);

#endif
