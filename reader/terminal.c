/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reader/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#define TICK_MS 50

/* Some programs catch SIGTTIN, and stop only after they set the modes of the
 * terminal back: ssh does. One SIGCONT may come too early for them. */
#define CONTINUES 10

/* The shell takes the terminal from a job that stops long before this. */
#define SHELL_TICKS 20

void terminal_open(struct terminal *t, pid_t home)
{
    *t = (struct terminal){ .fd = -1, .home = home };
    /* A group of another PID namespace has no number here. */
    if (home > 0)
        t->fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
}

static bool has_terminal(const struct terminal *t, pid_t group)
{
    return tcgetpgrp(t->fd) == group;
}

static void go_on(struct terminal *t)
{
    t->wanted = t->stopped = false;
    t->ticks = CONTINUES;
    kill(0, SIGCONT);
}

static void lend(struct terminal *t)
{
    if (!has_terminal(t, t->home) ||
        (!t->lent && tcgetattr(t->fd, &t->home_modes) != 0) ||
        tcsetpgrp(t->fd, getpgrp()) != 0)
        return;
    /* A password that was not echoed before is not echoed now. */
    if (t->stopped)
        tcsetattr(t->fd, TCSANOW, &t->group_modes);
    t->lent = true;
    go_on(t);
}

static void take_back(struct terminal *t)
{
    /* The shell may have taken it already. */
    if (t->lent && has_terminal(t, getpgrp())) {
        tcsetattr(t->fd, TCSANOW, &t->home_modes);
        tcsetpgrp(t->fd, t->home);
    }
    t->lent = t->wanted = t->stopped = false;
    t->ticks = 0;
}

/* The group was stopped by the user: so is the home. */
static void stop(struct terminal *t)
{
    t->wanted = true;
    t->stopped = tcgetattr(t->fd, &t->group_modes) == 0;
    t->ticks = SHELL_TICKS;
    kill(-t->home, SIGTSTP);
}

void terminal_signal(struct terminal *t, int number)
{
    if (t->fd < 0)
        return;
    switch (number) {
    case SIGTTIN:
    case SIGTTOU:
        t->wanted = true;
        lend(t);
        if (t->wanted) /* in the background: stop as if the home had asked */
            kill(-t->home, number);
        break;
    case SIGTSTP:
        if (t->lent)
            stop(t);
        break;
    default:
        if (!t->lent)
            break;
        take_back(t);
        kill(-t->home, number);
    }
}

int terminal_timeout(const struct terminal *t)
{
    return t->fd >= 0 && (t->wanted || t->ticks) ? TICK_MS : -1;
}

void terminal_tick(struct terminal *t)
{
    if (terminal_timeout(t) < 0)
        return;
    if (t->ticks > 0)
        t->ticks--;
    if (!t->wanted)
        kill(0, SIGCONT);
    else if (!has_terminal(t, getpgrp()))
        lend(t); /* if the home came to the foreground */
    else if (t->ticks == 0)
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
