/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/output.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/message.h"
#include "common/write.h"

static void (*call_before)(void);
static void (*call_after)(void);

void output_surround(void (*before)(void), void (*after)(void))
{
    call_before = before;
    call_after = after;
}

/* Why the first write that failed did. There is none after it: stdio would try
 * again what may be written in part. */
static int failure;
static bool is_told;

static int write_output(const char *bytes, size_t len)
{
    int err;

    if (call_before)
        call_before();
    err = write_all(STDOUT_FILENO, bytes, len);
    if (call_after)
        call_after();
    /* Workers block signals, but whoever has asked for SIGPIPE, as most do,
     * wants it for whatever is written. */
    if (err == EPIPE)
        kill(getpid(), SIGPIPE);
    return err;
}

static ssize_t write_bytes(void *cookie, const char *bytes, size_t len)
{
    (void)cookie;
    if (!failure)
        failure = write_output(bytes, len);
    if (!failure)
        return (ssize_t)len;
    errno = failure;
    return 0; /* an error, for fopencookie() */
}

static FILE *open_stream(void)
{
    FILE *f =
        fopencookie(NULL, "w", (cookie_io_functions_t){ .write = write_bytes });

    if (!f)
        return stdout;
    setvbuf(f, NULL, output_is_terminal() ? _IOLBF : _IOFBF, BUFSIZ);
    return f;
}

FILE *output(void)
{
    static FILE *stream;

    if (!stream)
        stream = open_stream();
    return stream;
}

static bool forwarded;

void output_is_forwarded(void)
{
    forwarded = true;
}

bool output_is_seen(void)
{
    return output_is_terminal() && !forwarded;
}

bool output_is_terminal(void)
{
    return isatty(STDOUT_FILENO);
}

int output_check(struct error *error)
{
    if (!ferror(output()))
        return 0;
    if (!failure)
        failure = EIO; /* of the stream of stdio */
    is_told = true;
    return error_set(error, failure, "write error: %s", strerror(failure));
}

/* Tell of a failure, once. err: that of the last call. Returns whether all is
 * well. */
static bool tell_failure(int err)
{
    struct error error = ERROR_INIT;
    bool was_told = is_told;

    if (!output_check(&error) && err)
        error_set(&error, err, "write error: %s", strerror(err));
    if (error.code && !was_told)
        message("%s", error_message(&error));
    err = error.code;
    error_clear(&error);
    return !err;
}

void output_flush(void)
{
    if (!tell_failure(fflush(output()) == 0 ? 0 : errno))
        _exit(EXIT_FAILURE);
}

bool output_close(void)
{
    /* The stream does not own the descriptor. */
    return tell_failure(
        fflush(output()) == 0 && close(STDOUT_FILENO) == 0 ? 0 : errno);
}
