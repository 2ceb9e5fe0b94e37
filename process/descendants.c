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

struct process {
    char state;
    long parent, group;
};

/* proc_pid_stat(5): "PID (NAME) STATE PPID PGRP ...". The name has up to 64
 * bytes of any value, also ')' and line breaks. Returns whether the process is
 * still there. */
static bool get_process(const char *pid, struct process *process)
{
    char path[32], line[256];
    const char *p = NULL;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%.10s/stat", pid);
    file = fopen(path, "re");
    if (!file)
        return false;
    line[fread(line, 1, sizeof(line) - 1, file)] = '\0';
    fclose(file);
    p = strrchr(line, ')');
    return p && sscanf(p, ") %c %ld %ld", &process->state, &process->parent,
                       &process->group) == 3;
}

/* The ID of the next process. Returns 0 when there are no more. */
static pid_t next_process(DIR *dir, struct process *process)
{
    struct dirent *entry;

    while ((entry = readdir(dir))) {
        if (isdigit((unsigned char)*entry->d_name) &&
            get_process(entry->d_name, process))
            return atol(entry->d_name);
    }
    return 0;
}

static DIR *open_proc(void)
{
    return proc_is_ours() ? opendir("/proc") : NULL;
}

bool descendants_signal(int number)
{
    DIR *dir = open_proc();
    bool found_self = false;
    struct process process;
    pid_t pid;

    while (dir && (pid = next_process(dir, &process))) {
        found_self |= pid == getpid();
        if (process.parent == getpid())
            kill(pid, number);
    }
    if (dir)
        closedir(dir);
    return found_self;
}

bool descendants_stopped(void)
{
    DIR *dir = open_proc();
    bool stopped = true;
    struct process process;
    pid_t pid;

    while (dir && stopped && (pid = next_process(dir, &process)))
        stopped = process.group != getpgrp() || pid == getpid() ||
                  strchr("TtZX", process.state);
    if (dir)
        closedir(dir);
    return stopped;
}
