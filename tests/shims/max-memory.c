/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * max-memory KIB COMMAND ARG...: run a command, and fail with status 99 when it
 * had more in memory at once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define TOO_MUCH 99

int main(int argc, char **argv)
{
    struct rusage usage;
    int status;
    pid_t pid;

    if (argc < 3)
        return EXIT_FAILURE;
    pid = fork();
    if (pid == 0) {
        execvp(argv[2], argv + 2);
        _exit(127);
    }
    if (pid < 0 || wait4(pid, &status, 0, &usage) != pid)
        return EXIT_FAILURE;
    if (usage.ru_maxrss > atol(argv[1])) {
        fprintf(stderr, "max-memory: %ld KiB\n", usage.ru_maxrss);
        return TOO_MUCH;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
