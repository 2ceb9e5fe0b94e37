/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The convention for errors: a function that can fail returns 0 or a positive
 * errno value. If there is more to say about a failure, it takes a struct
 * error. The message is set once, where the fault is found, with file, offset
 * and cause. Only cli/ prints it.
 */
#ifndef COMMON_ERROR_H
#define COMMON_ERROR_H

struct error {
    int code; /* 0: none */
    char *message;
};

#define ERROR_INIT ((struct error){ .code = 0 })

/* Set the message, unless one is set, and return the code that is set then.
 * code is not 0. */
int error_set(struct error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Set the error ENOMEM. name is that of the image, list or file concerned. */
int error_no_memory(struct error *error, const char *name);

/* Name the image that the user asked for, if the error, which is set, is that
 * of another file: "NAME: MESSAGE". A message that begins with the name, or
 * with that of a file which the name describes for QEMU, stays. */
void error_name_image(struct error *error, const char *name);

/* The message, never NULL. It is valid until the error is set, moved or
 * cleared. */
const char *error_message(const struct error *error);

/* Likewise, without the name of a file with which it may begin. */
const char *error_message_without(const struct error *error, const char *name);

/* Move an error, unless `to` has one already. Afterwards, `from` is clear. */
void error_move(struct error *to, struct error *from);

void error_clear(struct error *error);

#endif
