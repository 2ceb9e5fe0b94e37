/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COMMON_THREAD_H
#define COMMON_THREAD_H

#include <pthread.h>

/* Several times what any thread needs, and little against the usual 8 MiB. */
#define THREAD_MIN_STACK ((size_t)256 << 10)

/*
 * Start a thread with a stack that is large enough: by default it is as large
 * as the limit for that of the main thread (ulimit -s), or as the user of the
 * library has chosen, and with little more than nothing the thread crashes.
 * Returns 0 or an errno value.
 */
static inline int thread_start(pthread_t *thread, void *(*run)(void *),
                               void *arg)
{
    pthread_attr_t attr;
    size_t size = 0;
    int err = pthread_attr_init(&attr);

    if (err)
        return err;
    pthread_attr_getstacksize(&attr, &size);
    if (size < THREAD_MIN_STACK)
        pthread_attr_setstacksize(&attr, THREAD_MIN_STACK);
    err = pthread_create(thread, &attr, run, arg);
    pthread_attr_destroy(&attr);
    return err;
}

#endif
