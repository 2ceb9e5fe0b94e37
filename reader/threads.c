/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Direct reads in flight by threads that wait, where io_uring is not available.
 */
#include "reader/queues.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "common/thread.h"

struct list {
    struct read *first;
    struct read **last;
};

struct threads_queue {
    struct read_queue queue;
    pthread_mutex_t lock; /* for all below */
    pthread_cond_t asked;
    pthread_cond_t answered;
    struct list todo;
    struct list done;
    bool stopping;
    unsigned count;
    pthread_t threads[];
};

static void list_init(struct list *list)
{
    list->first = NULL;
    list->last = &list->first;
}

static void list_add(struct list *list, struct read *read)
{
    read->next = NULL;
    *list->last = read;
    list->last = &read->next;
}

static struct read *list_take(struct list *list)
{
    struct read *read = list->first;

    if (read) {
        list->first = read->next;
        if (!list->first)
            list->last = &list->first;
    }
    return read;
}

static void *reading_thread(void *arg)
{
    struct threads_queue *q = arg;

    pthread_mutex_lock(&q->lock);
    while (!q->stopping) {
        struct read *read = list_take(&q->todo);

        if (!read) {
            pthread_cond_wait(&q->asked, &q->lock);
            continue;
        }
        pthread_mutex_unlock(&q->lock);
        read->reader->ops->read_rest(read);
        pthread_mutex_lock(&q->lock);
        list_add(&q->done, read);
        pthread_cond_signal(&q->answered);
    }
    pthread_mutex_unlock(&q->lock);
    return NULL;
}

static void threads_submit(struct read_queue *queue, struct read *reads,
                           size_t count)
{
    struct threads_queue *q = (struct threads_queue *)queue;

    pthread_mutex_lock(&q->lock);
    for (size_t i = 0; i < count; i++) {
        if (reads[i].done < reads[i].len) {
            list_add(&q->todo, &reads[i]);
            pthread_cond_signal(&q->asked);
        }
    }
    pthread_mutex_unlock(&q->lock);
}

static struct read *threads_reap(struct read_queue *queue, bool wait)
{
    struct threads_queue *q = (struct threads_queue *)queue;
    struct read *read;

    pthread_mutex_lock(&q->lock);
    while (!(read = list_take(&q->done)) && wait)
        pthread_cond_wait(&q->answered, &q->lock);
    pthread_mutex_unlock(&q->lock);
    return read;
}

static void threads_free(struct read_queue *queue)
{
    struct threads_queue *q = (struct threads_queue *)queue;

    pthread_mutex_lock(&q->lock);
    q->stopping = true;
    pthread_cond_broadcast(&q->asked);
    pthread_mutex_unlock(&q->lock);
    for (unsigned i = 0; i < q->count; i++)
        pthread_join(q->threads[i], NULL);
    pthread_cond_destroy(&q->answered);
    pthread_cond_destroy(&q->asked);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

static const struct read_queue_ops threads_ops = {
    .name = "threads",
    .submit = threads_submit,
    .reap = threads_reap,
    .free = threads_free,
};

int threads_queue_new(unsigned depth, struct read_queue **queue)
{
    struct threads_queue *q =
        calloc(1, sizeof(*q) + depth * sizeof(q->threads[0]));
    int err = 0;

    if (!q)
        return ENOMEM;
    q->queue.ops = &threads_ops;
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->asked, NULL);
    pthread_cond_init(&q->answered, NULL);
    list_init(&q->todo);
    list_init(&q->done);

    while (!err && q->count < depth) {
        err = thread_start(&q->threads[q->count], reading_thread, q);
        if (!err)
            q->count++;
    }
    /* Fewer threads are slower; none is an error. */
    if (q->count == 0) {
        threads_free(&q->queue);
        return err;
    }
    *queue = &q->queue;
    return 0;
}
