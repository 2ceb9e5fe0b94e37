/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names and messages without the secrets in them, for output.
 */
#ifndef COMMON_MASK_H
#define COMMON_MASK_H

#include <stdbool.h>

/* What takes the place of a secret. */
#define SECRET_MASK "***"

/* Copy a name with *** in the place of each secret. The caller frees the copy.
 * NULL when out of memory. */
char *mask_name(const char *name);

/* Copy a text that has names in it, likewise. known is one of these names, or
 * NULL: only for a known name is it certain where it ends. For others, too much
 * may be masked, but never too little. A name that hides a secret by escapes of
 * JSON is written without them. */
char *mask_text(const char *text, const char *known);

/* Whether a secret of a name is the mask: the name is a masked copy. */
bool has_mask(const char *name);

/* Overwrite each byte of each secret in a name with x. */
void wipe_secrets(char *name);

#endif
