/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * If a thread were cancelled (pthread_cancel()) while it holds a lock of this
 * library or of OpenSSL, the lock would stay locked, and the next call would
 * wait forever. So a public function that takes a lock or waits disables
 * cancellation; the thread is cancelled after the call.
 */
#ifndef LIB_CANCEL_H
#define LIB_CANCEL_H

#include <pthread.h>

static inline int cancel_disable(void)
{
    int before;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

static inline void cancel_restore(const int *before)
{
    pthread_setcancelstate(*before, NULL);
}

/* Disable cancellation until the function returns. Stands before its other
 * declarations. */
#define HOLD_CANCEL                                                            \
    __attribute__((cleanup(cancel_restore), unused)) const int cancel_before = \
        cancel_disable()

#endif
