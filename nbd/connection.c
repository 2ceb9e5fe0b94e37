/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One lock covers a connection and its client. Nothing waits while it has the
 * lock: only poll() waits, without it. Of the threads that wait for requests
 * one *drives*: it polls, and receives what comes, also for the others,
 * straight into their buffers. When its own requests are complete, another
 * waiting thread drives. So one connection keeps many threads busy, and needs
 * no thread of its own.
 */
#include "nbd/connection.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct nbd_connection {
    struct nbd_client *client;
    unsigned timeout; /* seconds; 0: none */
    int wake_fd;      /* wakes the driver from its poll() */

    pthread_mutex_t lock;   /* for the client, and for: */
    pthread_cond_t changed; /* requests completed, or nobody drives */
    unsigned waiters;       /* for changed */
    unsigned in_flight;     /* requests that are not complete */
    bool driven;
    short polled; /* the events that the driver waits for */
};

/* --- connect ------------------------------------------------------------ */

int nbd_connection_begin(const struct nbd_target *target,
                         struct nbd_connection **connection,
                         struct error *error)
{
    struct nbd_connection *c = calloc(1, sizeof(*c));
    int err;

    if (!c)
        return error_no_memory(error, target->name);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    c->timeout = target->options->timeout;
    c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->wake_fd < 0)
        err = error_set(error, errno, "%s: cannot connect: %s", target->name,
                        strerror(errno));
    else
        err = nbd_client_new(target, &c->client, error);
    if (err)
        nbd_connection_close(c);
    else
        *connection = c;
    return err;
}

int nbd_connection_complete(struct nbd_connection *c, int64_t deadline,
                            struct nbd_export *export, struct error *error)
{
    return nbd_client_handshake(c->client, deadline, export, error);
}

void nbd_connection_close(struct nbd_connection *c)
{
    if (!c)
        return;
    assert(c->in_flight == 0 && !c->driven && c->waiters == 0);
    nbd_client_free(c->client);
    if (c->wake_fd >= 0)
        close(c->wake_fd);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* --- requests ----------------------------------------------------------- */

void nbd_connection_lock(struct nbd_connection *c)
{
    pthread_mutex_lock(&c->lock);
}

void nbd_connection_unlock(struct nbd_connection *c)
{
    pthread_mutex_unlock(&c->lock);
}

const char *nbd_connection_reason(const struct nbd_connection *c)
{
    return nbd_client_reason(c->client);
}

/* The client took the request, or refused it. */
static void note_start(struct nbd_connection *c, struct nbd_request *request,
                       int error)
{
    if (!error)
        c->in_flight++;
    /* The driver must learn of the end of the connection, and poll until the
     * request can be sent. */
    if (c->driven && (nbd_client_error(c->client) ||
                      (nbd_client_events(c->client) & ~c->polled & POLLOUT)))
        eventfd_write(c->wake_fd, 1);
    if (error)
        request->on_completion(request, error);
}

void nbd_connection_read(struct nbd_connection *c, struct nbd_request *request,
                         void *buf, size_t len, uint64_t offset)
{
    note_start(c, request,
               nbd_client_read(c->client, request, buf, len, offset));
}

void nbd_connection_block_status(struct nbd_connection *c,
                                 struct nbd_block_status *status,
                                 uint64_t offset, uint64_t len)
{
    note_start(c, &status->request,
               nbd_client_block_status(c->client, status, offset, len));
}

/* Call the completion callbacks that are due. */
static void complete_requests(struct nbd_connection *c)
{
    struct nbd_request *request;
    int error;

    while ((request = nbd_client_next_completed(c->client, &error))) {
        assert(c->in_flight > 0);
        c->in_flight--;
        request->on_completion(request, error);
        if (c->waiters)
            pthread_cond_broadcast(&c->changed);
    }
}

/* --- wait --------------------------------------------------------------- */

/* One round of the driver. */
static void drive(struct nbd_connection *c)
{
    struct pollfd fds[2] = {
        { .fd = nbd_client_fd(c->client),
          .events = nbd_client_events(c->client) },
        { .fd = c->wake_fd, .events = POLLIN },
    };
    /* After an error there is nothing to wait for but the end. */
    bool waits_on = c->timeout == 0 || nbd_client_error(c->client);
    int timeout = waits_on ? -1 : (int)c->timeout * 1000;
    eventfd_t ignored;
    int ready, err;

    c->polled = fds[0].events;
    pthread_mutex_unlock(&c->lock);
    ready = poll(fds, 2, timeout);
    err = ready < 0 ? errno : 0;
    pthread_mutex_lock(&c->lock);

    /* Without poll(), the end is all that can be received. */
    if (err && err != EINTR) {
        if (!nbd_client_error(c->client))
            nbd_client_fail(c->client, err);
        nbd_client_proceed(c->client, POLLIN | POLLOUT);
        return;
    }

    /* The server is silent. If the connection ended meanwhile, its error
     * stays. */
    if (ready == 0 && !nbd_client_error(c->client))
        nbd_client_give_up(c->client, c->timeout);
    if (ready <= 0)
        return;
    if (fds[1].revents)
        eventfd_read(c->wake_fd, &ignored);
    if (fds[0].revents)
        nbd_client_proceed(c->client, fds[0].revents);
}

void nbd_connection_wait(struct nbd_connection *c, const bool *done)
{
    complete_requests(c);
    while (!*done) {
        assert(c->in_flight > 0);
        if (c->driven) {
            c->waiters++;
            pthread_cond_wait(&c->changed, &c->lock);
            c->waiters--;
            continue;
        }
        c->driven = true;
        while (!*done) {
            drive(c);
            complete_requests(c);
        }
        c->driven = false;
        if (c->waiters)
            pthread_cond_broadcast(&c->changed);
    }
}
