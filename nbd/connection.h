/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A connection to an NBD server, with many commands in flight. Any thread may
 * start commands and wait for them.
 */
#ifndef NBD_CONNECTION_H
#define NBD_CONNECTION_H

#include "nbd/tls.h"
#include "nbd/nbd.h"

struct nbd_connection;

/* Where a server is. */
struct nbd_target {
    const char *name;          /* for messages */
    const char *uri;           /* this, */
    const char *socket;        /* or the path of a unix socket */
    const struct nbd_tls *tls; /* of the URI; NULL: not over TLS */
    bool quiet; /* no words are looked for that say why it failed */
    const struct nbd_options *options;
};

/* What the server says of the export. */
struct nbd_export {
    uint64_t size;
    uint32_t least;   /* reads are multiples of this, a power of 2 */
    uint32_t most;    /* and best not longer than this, a multiple of it */
    uint32_t limit;   /* but the server takes so much */
    bool has_extents; /* it knows holes */
    bool multi_conn;  /* and allows several connections */
};

/* Connecting begins; many can be on their way at once. */
int nbd_connection_begin(const struct nbd_target *target,
                         struct nbd_connection **connection,
                         struct error *error);

/* Wait until it is connected, or the deadline (common/deadline.h). */
int nbd_connection_complete(struct nbd_connection *c, int64_t deadline,
                            struct nbd_export *export, struct error *error);

/* No command may be in flight. NULL is accepted. */
void nbd_connection_close(struct nbd_connection *c);

/*
 * Whoever waits for commands. Its fields are under the connection's lock,
 * which is held when a command calls its answered(), too.
 */
struct nbd_command {
    /* error: 0 or a positive errno value. The command may be freed. */
    void (*answered)(struct nbd_command *command, int error);

    /* Of a read: a part of the answer is in the buffer, len bytes of offset.
     * 0: the server could not read what is there. */
    void (*came)(struct nbd_command *command, uint64_t offset, size_t len);

    int64_t cookie;
    struct nbd_connection *connection;
    struct nbd_command *next;
};

void nbd_connection_lock(struct nbd_connection *c);
void nbd_connection_unlock(struct nbd_connection *c);

/* The rest is called with the lock. */

/* Start a read, which keeps to the limits of the export. If it cannot be
 * started, answered() is called at once. */
void nbd_connection_read(struct nbd_connection *c, struct nbd_command *command,
                         void *buf, size_t len, uint64_t offset);

/* Ask for extents. */
typedef void nbd_extent_function(void *arg, uint64_t length, bool hole);
struct nbd_status {
    struct nbd_command command;
    nbd_extent_function *add; /* called for each, in order */
    void *arg;
};
void nbd_connection_status(struct nbd_connection *c, struct nbd_status *status,
                           uint64_t offset, uint64_t len);

/* What was wrong with the server's answers when the connection ended; NULL:
 * nothing, or an errno value says it. It lives as long as the connection. */
const char *nbd_connection_reason(const struct nbd_connection *c);

/* Wait until *done, which an answered() sets. The lock is released
 * meanwhile. */
void nbd_connection_wait(struct nbd_connection *c, const bool *done);

#endif
