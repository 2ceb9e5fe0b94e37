/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reader/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>

#include "common/signals.h"

/* All leases. One thread changes the list, by single stores, so the handler
 * always finds a consistent list. */
static struct lease *_Atomic leases;

static bool handler_installed;

/* The signal does not say which file it is for, and is not queued, so all
 * leases are checked. A lease that is released here still counts as broken. */
static void handle_sigio(int number, siginfo_t *info, void *context)
{
    int saved_errno = errno;

    (void)context;
    if (signal_was_sent(info))
        signal_end_by(number);
    for (const struct lease *l = leases; l; l = l->next) {
        if (fcntl(l->fd, F_GETLEASE) != F_RDLCK)
            (void)fcntl(l->fd, F_SETLEASE, F_UNLCK);
    }
    errno = saved_errno;
}

static void install_handler(void)
{
    struct sigaction action = {
        .sa_sigaction = handle_sigio,
        .sa_flags = SA_SIGINFO | SA_RESTART,
    };
    sigset_t set;

    sigemptyset(&action.sa_mask);
    sigemptyset(&set);
    sigaddset(&set, SIGIO);
    handler_installed = sigaction(SIGIO, &action, NULL) == 0 &&
                        pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0;
}

int lease_take(struct lease *lease, int fd)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int err = 0;

    pthread_once(&once, install_handler);
    if (!handler_installed)
        return ENOTSUP;
    /* Before it is taken: it may be broken at once. */
    *lease = (struct lease){ .fd = fd, .next = leases };
    leases = lease;
    if (fcntl(fd, F_SETLEASE, F_RDLCK) != 0) {
        err = errno;
        leases = lease->next;
    }
    return err;
}

int lease_check(const struct lease *lease, bool *broken)
{
    int type = fcntl(lease->fd, F_GETLEASE);

    *broken = type != F_RDLCK;
    return type < 0 ? errno : 0;
}

void lease_release(struct lease *lease)
{
    (void)fcntl(lease->fd, F_SETLEASE, F_UNLCK);
    if (leases == lease) {
        leases = lease->next;
        return;
    }
    for (struct lease *l = leases; l; l = l->next) {
        if (l->next == lease) {
            l->next = lease->next;
            return;
        }
    }
}
