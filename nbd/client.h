/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The client of one NBD connection: libnbd behind a small interface. One thread
 * at a time may use a client, and no function waits, except
 * nbd_client_handshake().
 */
#ifndef NBD_CLIENT_H
#define NBD_CLIENT_H

#include "nbd/context.h"
#include "nbd/export.h"
#include "nbd/nbd.h"
#include "nbd/tls.h"

struct nbd_client;
struct nbd_server;

/* Where a server is. */
struct nbd_target {
    const char *name;          /* for messages */
    const struct nbd_uri *uri; /* this, */
    const char *socket;        /* or the path of a unix socket */
    const struct nbd_tls *tls; /* of the URI; NULL: not over TLS */
    struct nbd_server *server; /* that disksum started, or NULL; it stays as
                                * long as the client */
    bool quiet;                /* the error is not shown: do not look for a
                                * better reason than libnbd's */
    const struct nbd_options *options;
};

/* A request. The caller owns it, and keeps it in place until it is complete. */
struct nbd_request {
    /* The completion callback. error: 0 or a positive errno value. It may free
     * the request, or start it again. */
    void (*on_completion)(struct nbd_request *request, int error);

    /* The chunk callback of a read: len bytes of the reply, at this offset of
     * the export, are in the buffer. 0: the server could not read there. */
    void (*on_chunk)(struct nbd_request *request, uint64_t offset, size_t len);

    int64_t cookie;     /* of libnbd */
    uint64_t range;     /* bytes that the reply has not covered yet */
    uint64_t errors;    /* error chunks that it may still have */
    uint64_t allowance; /* see client.c */
    struct nbd_client *client;
    struct nbd_request *next;
};

/* A block status request, for the extents of a range. */
struct nbd_block_status {
    struct nbd_request request; /* first */
    enum nbd_context context;

    /* Called for each extent of the reply, in order. state: of the context. */
    void (*on_extent)(struct nbd_block_status *status, uint64_t length,
                      bool state);
};

/* Start to connect. The target must stay in place during the handshake. */
int nbd_client_new(const struct nbd_target *target, struct nbd_client **client,
                   struct error *error);

/* Wait until the handshake is complete, or for the deadline
 * (common/deadline.h). */
int nbd_client_handshake(struct nbd_client *c, int64_t deadline,
                         struct nbd_export *export, struct error *error);

/* No request may be in flight. NULL is accepted. */
void nbd_client_free(struct nbd_client *c);

/* --- after the handshake -------------------------------------------------- */

/* Start a read, which must keep to the block size constraints of the export, or
 * a block status request. 0 or a positive errno value; then the request is not
 * in flight, and nothing is called back. */
int nbd_client_read(struct nbd_client *c, struct nbd_request *request,
                    void *buf, size_t len, uint64_t offset);
int nbd_client_block_status(struct nbd_client *c,
                            struct nbd_block_status *status, uint64_t offset,
                            uint64_t len);

/* What to poll(), and for which events. */
int nbd_client_fd(const struct nbd_client *c);
short nbd_client_events(const struct nbd_client *c);

/* Send and receive after poll(). The chunk and extent callbacks are called
 * here. */
void nbd_client_proceed(struct nbd_client *c, short events);

/* The next of the requests that became complete, and its error: whoever takes
 * it calls the completion callback. NULL: none. */
struct nbd_request *nbd_client_next_completed(struct nbd_client *c, int *error);

/* End the connection because the server was silent for `seconds`. All
 * requests in flight become complete at the next nbd_client_proceed(). */
void nbd_client_give_up(struct nbd_client *c, unsigned seconds);

/* Likewise because this end fails. err is a positive errno value. */
void nbd_client_fail(struct nbd_client *c, int err);

/* Why the connection ended: a positive errno value; 0: it did not. */
int nbd_client_error(const struct nbd_client *c);

/* The same in words, where the errno value says too little; or NULL. Of a
 * connection that goes on, what the server has written about failed reads. */
const char *nbd_client_reason(const struct nbd_client *c);

#endif
