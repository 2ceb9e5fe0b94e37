/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/start.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/diff.h"
#include "cli/message.h"
#include "cli/run.h"
#include "common/debug.h"
#include "common/mask.h"
#include "common/secrets.h"
#include "common/units.h"

/* An image must not get the descriptor of a standard stream that the caller
 * closed: put something there that fails when it is used. There may be no /dev,
 * but there is always a root directory. */
static void hold_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
            (void)!open("/", O_PATH);
    }
}

/* The stack that is needed below main(): to look at the names in a chain of 200
 * images takes 96 KiB, all else less than 40. */
#define MIN_STACK (112 * KiB)

/* Whether the stack may become large enough: otherwise there would be a crash
 * later. */
static bool has_stack(void)
{
    /* The name of the program is at the other end of the stack. */
    uintptr_t end = getauxval(AT_EXECFN);
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    rlim_t needed = (end > here ? end - here : 0) + MIN_STACK;
    struct rlimit limit;

    if (getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur >= needed)
        return true;
    if (limit.rlim_max < needed)
        return false;
    limit.rlim_cur = needed;
    return setrlimit(RLIMIT_STACK, &limit) == 0;
}

/* Wipe the secrets in a text, also those behind escapes. False: there are none,
 * and then the text may have lost its escapes. */
static bool wipe(char *text)
{
    bool found = has_secret(text);

    if (found)
        wipe_secrets(text);
    if (secrets_unescape(text) && has_secret(text)) {
        wipe_secrets(text);
        found = true;
    }
    return found;
}

/* Other users of the host can see the arguments. Wipe the secrets in them, and
 * use copies. */
static bool hide_secrets(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        char *copy = strdup(argv[i]);

        if (!copy)
            return false;
        if (wipe(argv[i])) {
            argv[i] = copy;
        } else {
            strcpy(argv[i], copy);
            free(copy);
        }
    }
    return true;
}

/* Fail before the options are known. With --diff, the status of a failure says
 * that disks differ. */
static void fail(char **argv, const char *why)
{
    int status = EXIT_FAILURE;

    while (*++argv) {
        if (strncmp(*argv, "--dif", 5) == 0)
            status = EXIT_TROUBLE;
    }
    message_line(why);
    exit(status);
}

static void ignore(int signal)
{
    (void)signal;
}

/* A file that reaches the limit of 'ulimit -f' shall be an error of write().
 * Servers that are started do not inherit a handler: they have what they would
 * have without us. */
static void catch_file_size_limit(void)
{
    struct sigaction action = { .sa_handler = ignore, .sa_flags = SA_RESTART };
    struct sigaction before;

    sigemptyset(&action.sa_mask);
    sigaction(SIGXFSZ, &action, &before);
    if (before.sa_handler == SIG_IGN)
        sigaction(SIGXFSZ, &before, NULL);
}

void start_process(int argc, char **argv)
{
    hold_standard_streams();
    if (!has_stack())
        fail(argv, "the stack is too small: ulimit -s must allow 128 KiB");
    if (!hide_secrets(argc, argv))
        fail(argv, "out of memory");
    run_catch_signals();
    catch_file_size_limit();
    signal(SIGCHLD, SIG_DFL); /* for the exit status of a server */
    debug_start(getenv("DISKSUM_DEBUG"), message_line);
}
