/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A thread that is cancelled (pthread_cancel()) where it waits or writes under
 * a lock of ours, or of OpenSSL's, would leave the lock behind, and the next
 * call would wait for ever. So a public function that takes a lock or waits
 * holds cancellation off: the thread is cancelled after the call.
 */
#ifndef LIB_CANCEL_H
#define LIB_CANCEL_H

#include <pthread.h>

static inline int cancel_hold(void)
{
    int before;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

static inline void cancel_restore(const int *before)
{
    pthread_setcancelstate(*before, NULL);
}

/* Until the end of the function; the first of its declarations. */
#define HOLD_CANCEL                                                            \
    __attribute__((cleanup(cancel_restore), unused)) const int cancel_before = \
        cancel_hold()

#endif
