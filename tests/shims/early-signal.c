/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LD_PRELOAD: SIGUSR1 comes while the command line is read.
 */
#include <dlfcn.h>
#include <getopt.h>
#include <signal.h>

int getopt_long(int argc, char *const *argv, const char *letters,
                const struct option *options, int *index)
{
    int (*real)(int, char *const *, const char *, const struct option *,
                int *) = dlsym(RTLD_NEXT, "getopt_long");

    raise(SIGUSR1);
    return real(argc, argv, letters, options, index);
}
