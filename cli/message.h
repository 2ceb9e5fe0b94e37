/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lines on stderr. Control characters in them are made harmless, and secrets
 * are masked.
 */
#ifndef CLI_MESSAGE_H
#define CLI_MESSAGE_H

/* The name of the program, which begins each line. */
#ifndef PROGRAM
#define PROGRAM "disksum"
#endif

/* Set the name of the image that messages are about, or NULL. If a secret is in
 * it, no guess is needed where the name ends. The name must stay valid. */
void message_know_name(const char *name);

/* Print "disksum: line\n", from any thread, also while a bar is drawn. */
void message_line(const char *line);

/* Call a function before each message: it wipes what is drawn on the line. */
void message_clear_with(void (*clear)(void));

/* Print "disksum: message\n". */
void message(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, and a line that refers to --help. */
void usage_message(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

#endif
