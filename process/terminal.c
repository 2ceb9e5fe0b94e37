/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "process/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "common/deadline.h"

#define TICK_MS 50

/* Some programs catch SIGTTIN, and stop only after they set the modes of the
 * terminal back: ssh does. One SIGCONT may come too early for them. */
#define CONTINUE_MS 500

/* The shell takes the terminal from a job that stops long before this. */
#define SHELL_MS 1000

/* What the leader asks by, and the owner answers. Whoever else gets it by
 * mistake ignores it. */
#define ASK SIGURG

/* --- the owner ---------------------------------------------------------- */

static struct {
    int fd;
    pid_t leader;
} offer = { .fd = -1 };

static int open_terminal(void)
{
    return open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
}

static void lend(int number)
{
    int err = errno;

    (void)number;
    if (tcgetpgrp(offer.fd) == getpgrp() &&
        tcsetpgrp(offer.fd, offer.leader) == 0)
        kill(offer.leader, ASK);
    errno = err;
}

void terminal_offer(pid_t leader)
{
    struct sigaction action = { .sa_handler = lend, .sa_flags = SA_RESTART };
    sigset_t set;

    offer.fd = open_terminal();
    if (offer.fd < 0)
        return;
    offer.leader = leader;
    sigemptyset(&action.sa_mask);
    sigaction(ASK, &action, NULL);
    sigemptyset(&set);
    sigaddset(&set, ASK);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void terminal_withdraw(void)
{
    if (offer.fd < 0)
        return;
    signal(ASK, SIG_DFL);
    close(offer.fd);
    offer.fd = -1;
}

/* --- the leader --------------------------------------------------------- */

void terminal_open(struct terminal *t, pid_t owner, pid_t home)
{
    *t = (struct terminal){ .fd = -1, .owner = owner, .home = home };
    /* A group of another PID namespace has no number here. */
    if (home > 0)
        t->fd = open_terminal();
}

static bool has_terminal(const struct terminal *t, pid_t group)
{
    return tcgetpgrp(t->fd) == group;
}

static void go_on(struct terminal *t)
{
    t->wanted = t->stopped = false;
    t->deadline = deadline_in(CONTINUE_MS);
    kill(0, SIGCONT);
}

/* The group asks for the terminal. If the home does not have it, it stops as if
 * it had asked itself. */
static void want(struct terminal *t, int number)
{
    t->wanted = true;
    if (!t->lent && tcgetattr(t->fd, &t->home_modes) != 0)
        return;
    if (has_terminal(t, t->home))
        kill(t->owner, ASK);
    else
        kill(-t->home, number);
}

static void use(struct terminal *t)
{
    /* A password that was not echoed before is not echoed now. */
    if (t->stopped)
        tcsetattr(t->fd, TCSANOW, &t->group_modes);
    t->lent = true;
    go_on(t);
}

static void ignore(int number)
{
    (void)number;
}

/*
 * Give the terminal to the home. The shell takes it when the home has died, at
 * any moment, and must keep it then. With SIGTTOU blocked, as it is here, the
 * terminal would be taken from the shell; with a handler the kernel refuses
 * that (EINTR) whoever is not in the foreground at that moment.
 */
static void give_back(const struct terminal *t)
{
    struct sigaction action = { .sa_handler = ignore }, before;
    sigset_t set;

    sigemptyset(&action.sa_mask);
    sigaction(SIGTTOU, &action, &before);
    sigemptyset(&set);
    sigaddset(&set, SIGTTOU);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    if (tcsetattr(t->fd, TCSANOW, &t->home_modes) != 0 ||
        tcsetpgrp(t->fd, t->home) != 0)
        kill(0, SIGCONT); /* the signal went to the whole group */
    sigprocmask(SIG_BLOCK, &set, NULL);
    sigaction(SIGTTOU, &before, NULL);
}

static void take_back(struct terminal *t)
{
    /* The shell may have taken it already. */
    if (has_terminal(t, getpgrp()))
        give_back(t);
    t->lent = t->wanted = t->stopped = false;
    t->deadline = 0;
}

/* The group was stopped by the user: so is the home. */
static void stop(struct terminal *t)
{
    t->wanted = true;
    t->stopped = tcgetattr(t->fd, &t->group_modes) == 0;
    t->deadline = deadline_in(SHELL_MS);
    kill(-t->home, SIGTSTP);
}

/* What the user typed, and what the kernel says of the terminal. */
static void pass_on(struct terminal *t, int number)
{
    if (number == SIGTTIN || number == SIGTTOU) {
        want(t, number);
    } else if (t->lent && number == SIGTSTP) {
        stop(t);
    } else if (t->lent) {
        take_back(t);
        kill(-t->home, number);
    }
}

void terminal_signal(struct terminal *t, const struct signalfd_siginfo *info)
{
    if (t->fd < 0)
        return;
    if (info->ssi_signo == ASK) {
        if (info->ssi_pid == (uint32_t)t->owner && has_terminal(t, getpgrp()))
            use(t);
    } else if (info->ssi_code == SI_KERNEL) {
        pass_on(t, info->ssi_signo);
    }
}

int terminal_timeout(const struct terminal *t)
{
    bool waits = t->wanted || deadline_left(t->deadline) != 0;

    return t->fd >= 0 && waits ? TICK_MS : -1;
}

void terminal_tick(struct terminal *t)
{
    if (terminal_timeout(t) < 0)
        return;
    if (!t->wanted)
        kill(0, SIGCONT);
    else if (!has_terminal(t, getpgrp()))
        kill(t->owner, ASK); /* perhaps the home came to the foreground */
    else if (deadline_left(t->deadline) == 0)
        go_on(t); /* nobody controls jobs here */
}

void terminal_close(struct terminal *t)
{
    if (t->fd < 0)
        return;
    take_back(t);
    close(t->fd);
    t->fd = -1;
}
