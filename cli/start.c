/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/start.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/message.h"
#include "cli/run.h"
#include "common/debug.h"
#include "common/mask.h"
#include "common/secrets.h"

/* An image must not get the descriptor of a standard stream that the caller
 * closed: put something there that fails when it is used. */
static void hold_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0)
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
}

/* Other users of the host can see the arguments. Wipe the secrets in them, and
 * use copies. */
static bool hide_secrets(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        char *copy;

        if (!has_secret(argv[i]))
            continue;
        copy = strdup(argv[i]);
        if (!copy)
            return false;
        wipe_secrets(argv[i]);
        argv[i] = copy;
    }
    return true;
}

void start_process(int argc, char **argv)
{
    if (!hide_secrets(argc, argv)) {
        message("out of memory");
        exit(EXIT_FAILURE);
    }
    run_catch_signals();
    signal(SIGCHLD, SIG_DFL); /* for the exit status of a server */
    hold_standard_streams();
    debug_start(getenv("DISKSUM_DEBUG"), message_line);
}
