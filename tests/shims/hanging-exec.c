/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program that cannot be loaded, as from a server of files that is gone. */
#include <unistd.h>

int execvp(const char *file, char *const argv[])
{
    (void)file;
    (void)argv;
    for (;;)
        pause();
}
