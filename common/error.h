/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One convention in the whole project: a function that can fail returns 0 or a
 * positive errno value, and takes a struct error when there is something to
 * say about the failure. The message is set once, where the fault is found,
 * with file, offset and cause. Only the command line prints it.
 */
#ifndef COMMON_ERROR_H
#define COMMON_ERROR_H

struct error {
    int code; /* 0: none */
    char *message;
};

#define ERROR_INIT ((struct error){ .code = 0 })

/* Set the message, unless one is set, and return code. */
int error_set(struct error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for ENOMEM. name: of what could not be read, for lack of memory. */
int error_no_memory(struct error *error, const char *name);

/* The text; never NULL. Valid until the next call for this error. */
const char *error_message(const struct error *error);

/* Move an error; `to` keeps its own if it has one, `from` is clear after. */
void error_move(struct error *to, struct error *from);

void error_clear(struct error *error);

#endif
