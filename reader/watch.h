/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process that ends others when we are gone, however that came.
 */
#ifndef READER_WATCH_H
#define READER_WATCH_H

#include <sys/types.h>

/* What does not end when it is asked to is killed after so long. */
#define WATCH_STOP_MS 5000

struct watch {
    pid_t pid;
    int fd; /* it is our end that the watcher waits for */
};

/*
 * Start a watcher of a process group; it joins the group, so that its number is
 * not given away. When this process ends, the leader of the group gets the
 * signal, and when that ended, or after WATCH_STOP_MS, all are killed. Only
 * from the first thread of the process, while it is alone. 0 or a positive
 * errno value.
 */
int watch_start(struct watch *w, pid_t group, int end_signal);

/* Kill what is left of the group, and with it the watcher. */
void watch_end(struct watch *w, pid_t group);

#endif
