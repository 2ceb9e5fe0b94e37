/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "process/descendants.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/proc.h"

/* proc_pid_stat(5): "PID (NAME) STATE PPID ...". The name has up to 64 bytes of
 * any value, also ')' and line breaks. Returns 0 if the process is gone. */
static pid_t parent_of(const char *pid)
{
    char path[32], line[256];
    const char *p = NULL;
    FILE *file;
    long parent;

    snprintf(path, sizeof(path), "/proc/%.10s/stat", pid);
    file = fopen(path, "re");
    if (!file)
        return 0;
    line[fread(line, 1, sizeof(line) - 1, file)] = '\0';
    fclose(file);
    p = strrchr(line, ')');
    return p && sscanf(p, ") %*c %ld", &parent) == 1 ? parent : 0;
}

bool descendants_signal(int number)
{
    DIR *dir = proc_is_ours() ? opendir("/proc") : NULL;
    struct dirent *entry;
    bool found_self = false;

    while (dir && (entry = readdir(dir))) {
        pid_t pid =
            isdigit((unsigned char)*entry->d_name) ? atol(entry->d_name) : 0;

        found_self |= pid == getpid();
        if (pid && parent_of(entry->d_name) == getpid())
            kill(pid, number);
    }
    if (dir)
        closedir(dir);
    return found_self;
}
