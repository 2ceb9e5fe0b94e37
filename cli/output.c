/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/message.h"

void output_flush(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return;
    message("write error: %s", strerror(errno));
    _exit(EXIT_FAILURE);
}

bool output_close(void)
{
    if (fclose(stdout) == 0)
        return true;
    message("write error: %s", strerror(errno));
    return false;
}
