/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LD_PRELOAD: a process that puts another group in the foreground does not run
 * again for half a second.
 */
#include <dlfcn.h>
#include <unistd.h>

int tcsetpgrp(int fd, pid_t group)
{
    int (*real)(int, pid_t) = dlsym(RTLD_NEXT, "tcsetpgrp");
    int result = real(fd, group);

    usleep(500000);
    return result;
}
