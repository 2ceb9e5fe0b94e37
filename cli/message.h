/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lines on stderr. Control characters in them are made harmless, and secrets
 * are masked.
 */
#ifndef CLI_MESSAGE_H
#define CLI_MESSAGE_H

#define PROGRAM "disksum"

/* The name of the image that messages are about, or NULL: where it ends is not
 * guessed then, if it has a secret. It must stay. */
void message_know_name(const char *name);

/* Print "disksum: line\n", from any thread, also while a bar is drawn. */
void message_line(const char *line);

/* Call a function before each message: it wipes what is drawn on the line. */
void message_clear_with(void (*clear)(void));

/* Print "disksum: message\n". */
void message(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Print "disksum: message\n", and that there is a --help. */
void usage_message(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

#endif
