/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/percent.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/message.h"
#include "common/units.h"
#include "common/write.h"

static struct {
    int fd;
    int last; /* the number written last; -1: none */
} percent;

/* Whether lines on a descriptor would be mixed with the checksums. On a
 * terminal they may be. */
static bool is_stdout(int fd)
{
    struct stat given, out;

    return fd == STDOUT_FILENO ||
           (fstat(fd, &given) == 0 && fstat(STDOUT_FILENO, &out) == 0 &&
            !S_ISCHR(given.st_mode) && given.st_dev == out.st_dev &&
            given.st_ino == out.st_ino);
}

bool percent_parse_fd(const char *text, int *fd)
{
    uint64_t number = 0;
    int flags = -1;

    if (!text[strspn(text, "0123456789")] && parse_size(text, &number) == 0 &&
        number <= INT_MAX && !is_stdout((int)number))
        flags = fcntl((int)number, F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY) {
        usage_message("invalid descriptor for progress '%s': must be open for "
                      "writing, and must not be standard output",
                      text);
        return false;
    }
    *fd = (int)number;
    return true;
}

/* The reader of the lines may go away: that must not stop the checksum. A
 * SIGPIPE of stdout is kept. */
static void write_line(const char *line)
{
    const struct timespec no_wait = { .tv_sec = 0 };
    sigset_t set, before;

    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, &before);
    if (write_all(percent.fd, line, strlen(line)))
        sigtimedwait(&set, NULL, &no_wait);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void write_number(int number)
{
    char line[32];

    if (number == percent.last)
        return;
    percent.last = number;
    snprintf(line, sizeof(line), "%d/100\n", number);
    write_line(line);
}

void percent_begin(int fd)
{
    percent.fd = fd;
    percent.last = -1;
    write_number(0);
}

void percent_write(const struct engine_progress *progress)
{
    if (progress->size)
        write_number((int)(100.0 * progress->done / progress->size));
}

void percent_done(void)
{
    write_number(100);
}
