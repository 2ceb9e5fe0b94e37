/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/checksum.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/sums.h"

/* A standard stream that the caller closed must not become the descriptor of
 * an image: put something there that fails when it is used. */
static void hold_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0)
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
}

/* Whether all that was printed went out. */
static bool flush_stdout(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    message("write error: %s", strerror(errno));
    return false;
}

/* stdout may be a file that reports its errors only now. */
static bool close_stdout(void)
{
    if (fclose(stdout) == 0)
        return true;
    message("write error: %s", strerror(errno));
    return false;
}

static int checksums(const struct options *o)
{
    char dash[] = "-";
    char *standard_input[] = { dash };
    char **images = o->image_count ? o->images : standard_input;
    int count = o->image_count ? o->image_count : 1;
    int status = EXIT_SUCCESS;

    checksum_catch_signals();
    for (int i = 0; i < count; i++) {
        struct engine_result result;

        if (!checksum(o, images[i], &result)) {
            status = EXIT_FAILURE;
            continue;
        }
        sums_write(stdout, result.md, result.md_len, images[i]);
        if (!flush_stdout())
            _exit(EXIT_FAILURE); /* once is enough */
    }
    return status;
}

int main(int argc, char **argv)
{
    struct options options;
    int status = EXIT_SUCCESS;

    hold_standard_streams();
    switch (options_parse(&options, argc, argv)) {
    case OPTIONS_RUN:
        status = checksums(&options);
        break;
    case OPTIONS_DONE:
        break;
    case OPTIONS_BAD:
        return EXIT_USAGE;
    }
    return close_stdout() ? status : EXIT_FAILURE;
}
