/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Why a connection ended.
 */
#ifndef NBD_END_H
#define NBD_END_H

struct nbd_server;

struct nbd_end {
    unsigned number;           /* of the connection, for events */
    struct nbd_server *server; /* that disksum started, or NULL */
    int error;                 /* a positive errno value; 0: it did not end */
    char *reason;              /* the same in words, or NULL */
};

/* Only while it has not ended. */

/* libnbd ended it. err, text: its error; with a text and no err, the server
 * violated the protocol. text may be NULL. */
void nbd_end_in_libnbd(struct nbd_end *end, int err, const char *text);

/* The server was silent for so long. */
void nbd_end_for_silence(struct nbd_end *end, unsigned seconds);

/* The server violates the protocol in a way that libnbd allows. */
void nbd_end_for_violation(struct nbd_end *end, const char *what);

/* This end fails: err is a positive errno value. */
void nbd_end_for_failure(struct nbd_end *end, int err);

/* In words, where the errno value says too little; or NULL. Of a connection
 * that goes on, what the server has written about failed reads. */
const char *nbd_end_reason(const struct nbd_end *end);

void nbd_end_free(struct nbd_end *end);

#endif
