/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Passwords in names, as https://user:password@host/ has one.
 */
#ifndef COMMON_PASSWORD_H
#define COMMON_PASSWORD_H

#include <stdbool.h>

/* Whether there is one in a text. */
bool has_password(const char *text);

/* Put *** in the place of each, in the text itself, which may become shorter:
 * for what is shown to people. */
void mask_passwords(char *text);

#endif
