/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "process/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "common/deadline.h"
#include "process/descendants.h"

#define TICK_MS 50

/* Some programs, as ssh, catch SIGTTIN, and stop only after they restored the
 * modes of the terminal. A SIGCONT may come too early for them, so it is sent
 * again for this long. */
#define CONTINUE_MS 500

/* A process of the group may catch SIGTSTP, and stop only after that, or never.
 * It gets this long. */
#define STOP_MS 200

/* A shell that controls jobs takes the terminal from a stopped job well within
 * this time. */
#define SHELL_MS 1000

/* The leader's request for the terminal, and the owner's reply. By default a
 * process ignores it. */
#define REQUEST SIGURG

/* --- the owner's side --------------------------------------------------- */

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
        kill(offer.leader, REQUEST);
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
    sigaction(REQUEST, &action, NULL);
    sigemptyset(&set);
    sigaddset(&set, REQUEST);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void terminal_withdraw(void)
{
    if (offer.fd < 0)
        return;
    signal(REQUEST, SIG_DFL);
    close(offer.fd);
    offer.fd = -1;
}

/* --- the leader's side -------------------------------------------------- */

void terminal_open(struct terminal *t, pid_t owner, pid_t owner_group)
{
    *t = (struct terminal){ .fd = -1,
                            .owner = owner,
                            .owner_group = owner_group };
    /* 0: the group is of another PID namespace. */
    if (owner_group > 0)
        t->fd = open_terminal();
}

/* As PID 1, as in a container, the owner is in group 1: kill(-1) would reach
 * every process. */
static void signal_owner(const struct terminal *t, int number)
{
    kill(t->owner_group > 1 ? -t->owner_group : t->owner, number);
}

static bool has_terminal(const struct terminal *t, pid_t group)
{
    return tcgetpgrp(t->fd) == group;
}

/* A SIGCONT takes back a SIGTSTP that nobody has read yet, and the user would
 * have typed it in vain. */
static void send_continue(void)
{
    sigset_t pending;

    if (sigpending(&pending) != 0 || !sigismember(&pending, SIGTSTP))
        kill(0, SIGCONT);
}

static void continue_group(struct terminal *t)
{
    t->wanted = t->asked = t->stopped = false;
    t->deadline = deadline_in(CONTINUE_MS);
    send_continue();
}

static void ask_owner(struct terminal *t)
{
    t->asked = true;
    kill(t->owner, REQUEST);
}

/* The group needs the terminal. If the owner's group is in the background, it
 * gets the signal, and stops as if it had used the terminal itself. */
static void request_terminal(struct terminal *t, int number)
{
    pid_t group;

    t->wanted = true;
    /* Once asked, the owner may lend it, and the group set its modes. */
    if (!t->lent && !t->asked && tcgetattr(t->fd, &t->owner_modes) != 0)
        return;
    group = tcgetpgrp(t->fd);
    if (group == t->owner_group)
        ask_owner(t);
    else if (group != getpgrp()) { /* else it is lent: the reply is under way */
        t->shell_modes = true;
        signal_owner(t, number);
    }
}

static void use_terminal(struct terminal *t)
{
    /* A prompt without echo stays one. A job that comes to the foreground has
     * its modes back from the shell. */
    if (t->stopped)
        tcsetattr(t->fd, TCSANOW, &t->group_modes);
    else if (t->shell_modes && !t->lent)
        tcgetattr(t->fd, &t->owner_modes);
    t->shell_modes = false;
    t->lent = true;
    continue_group(t);
}

static void ignore(int number)
{
    (void)number;
}

/*
 * Put the owner's group in the foreground. If the owner died, the shell may
 * take the terminal at any moment, and must keep it. With SIGTTOU blocked, as
 * it is here, the kernel would let us take the terminal from the shell. With a
 * handler for SIGTTOU it refuses (EINTR) unless we are in the foreground.
 */
static void return_terminal(const struct terminal *t)
{
    struct sigaction action = { .sa_handler = ignore }, before;
    sigset_t set;

    sigemptyset(&action.sa_mask);
    sigaction(SIGTTOU, &action, &before);
    sigemptyset(&set);
    sigaddset(&set, SIGTTOU);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    if (tcsetattr(t->fd, TCSANOW, &t->owner_modes) != 0 ||
        tcsetpgrp(t->fd, t->owner_group) != 0)
        kill(0, SIGCONT); /* SIGTTOU went to the whole group */
    sigprocmask(SIG_BLOCK, &set, NULL);
    sigaction(SIGTTOU, &before, NULL);
}

static void stop_lending(struct terminal *t)
{
    /* The shell may have it already. */
    if (has_terminal(t, getpgrp()))
        return_terminal(t);
    t->lent = t->wanted = t->asked = t->stopped = t->shell_modes = false;
    t->deadline = 0;
}

/* The user stopped the group: stop the owner's group too. A process that waits
 * in a read of the terminal would take what is typed for the shell: so first
 * see that it stops, and let no reply from before continue it. */
static void stop_owner(struct terminal *t)
{
    int64_t deadline = deadline_in(STOP_MS);

    while (!descendants_stopped() && deadline_left(deadline) != 0)
        poll(NULL, 0, 1);
    t->wanted = true;
    t->asked = false;
    t->stopped = tcgetattr(t->fd, &t->group_modes) == 0;
    t->deadline = deadline_in(SHELL_MS);
    signal_owner(t, SIGTSTP);
}

/* A signal that the kernel sent to the group: the user typed something, or a
 * process of the group needs the terminal. What is typed reaches the group as
 * soon as it is in the foreground, which may be before the owner's reply. */
static void pass_on(struct terminal *t, int number)
{
    if (number == SIGTTIN || number == SIGTTOU) {
        request_terminal(t, number);
        return;
    }
    if (!t->lent && !has_terminal(t, getpgrp()))
        return;
    t->lent = true;
    if (number == SIGTSTP)
        stop_owner(t);
    else
        t->interrupt = number;
}

void terminal_signal(struct terminal *t, const struct signalfd_siginfo *info)
{
    if (t->fd < 0)
        return;
    if (info->ssi_signo == REQUEST) {
        if (info->ssi_pid == (uint32_t)t->owner && t->asked &&
            has_terminal(t, getpgrp()))
            use_terminal(t);
    } else if (info->ssi_code == SI_KERNEL) {
        pass_on(t, info->ssi_signo);
    }
}

void terminal_interrupt(struct terminal *t)
{
    stop_lending(t);
    signal_owner(t, t->interrupt);
    t->interrupt = 0;
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
        send_continue();
    else if (!has_terminal(t, getpgrp()))
        ask_owner(t); /* its group may be in the foreground now */
    else if (deadline_left(t->deadline) == 0)
        use_terminal(t); /* no shell controls jobs */
}

void terminal_close(struct terminal *t)
{
    if (t->fd < 0)
        return;
    stop_lending(t);
    close(t->fd);
    t->fd = -1;
}
