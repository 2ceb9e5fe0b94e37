/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/output.h"

#include <errno.h>
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

static ssize_t write_bytes(void *cookie, const char *bytes, size_t len)
{
    int err;

    (void)cookie;
    if (call_before)
        call_before();
    err = write_all(STDOUT_FILENO, bytes, len);
    if (call_after)
        call_after();
    if (!err)
        return (ssize_t)len;
    errno = err;
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

bool output_is_terminal(void)
{
    return isatty(STDOUT_FILENO);
}

void output_flush(void)
{
    if (fflush(output()) == 0 && !ferror(output()))
        return;
    message("write error: %s", strerror(errno));
    _exit(EXIT_FAILURE);
}

bool output_close(void)
{
    bool ok = fflush(output()) == 0 && !ferror(output());

    /* The stream does not own the descriptor. */
    if (ok && close(STDOUT_FILENO) == 0)
        return true;
    message("write error: %s", strerror(errno));
    return false;
}
