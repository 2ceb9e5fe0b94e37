/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who makes a call, for failing-call.c. Allocations by some libraries must not
 * fail, since they do not survive without memory. Whoever uses them cannot help
 * it. Each version is that in which it was seen.
 */
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* --- by the caller ------------------------------------------------------ */

/*
 * Where the code of some libraries is, so that a caller is found fast. Seen
 * were
 *
 * ld-linux   the end of the program, if what is local to a thread has no memory
 * libcrypto  3.0: a crash in EVP_MD_fetch(), if it could not load its
 *            algorithms
 * libgmp     6.2: "GNU MP: Cannot allocate memory", and abort(), in
 *            __gmp_default_allocate() and __gmp_default_reallocate()
 * libtasn1   4.19: crashes in asn1_create_element(), asn1_der_decoding2(),
 *            asn1_der_coding() and below, of some 600 of the 1,300 allocations
 *            by which GnuTLS reads five certificates
 */
struct range {
    const char *name;
    uintptr_t begin, end;
};

static struct range libraries[] = {
    { .name = "/ld-linux" },
    { .name = "/libcrypto" },
    { .name = "/libgmp" },
    { .name = "/libtasn1" },
};
static struct range libjson = { .name = "/libjson-c" };
static bool finds_leaks; /* the address sanitizer does */

/* The program, which has no name, and what comes with it. */
static struct range own[] = { { .name = "" }, { .name = "/libblkhash" } };

/* GnuTLS 3.7: a crash in gnutls_x509_rdn_get2(), if this had no memory. */
static struct range dn_init = { .name = "gnutls_x509_dn_init" };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void set_range(struct range *range, const struct dl_phdr_info *object)
{
    if (*range->name ? !strstr(object->dlpi_name, range->name)
                     : *object->dlpi_name)
        return;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];

        if (part->p_type == PT_LOAD && part->p_flags & PF_X) {
            range->begin = object->dlpi_addr + part->p_vaddr;
            range->end = range->begin + part->p_memsz;
        }
    }
}

static int find_ranges(struct dl_phdr_info *object, size_t size, void *data)
{
    (void)size;
    (void)data;
    for (size_t i = 0; i < COUNT(libraries); i++)
        set_range(&libraries[i], object);
    for (size_t i = 0; i < COUNT(own); i++)
        set_range(&own[i], object);
    set_range(&libjson, object);
    return 0;
}

static void callers_begin(void)
{
    void *function = dlsym(RTLD_DEFAULT, dn_init.name);

    finds_leaks = dlsym(RTLD_DEFAULT, "__asan_init") != NULL;
    dl_iterate_phdr(find_ranges, NULL);
    dn_init.begin = (uintptr_t)function;
    dn_init.end = dn_init.begin + (function ? 64 : 0);
}

static bool is_in(const struct range *range, const void *caller)
{
    return (uintptr_t)caller >= range->begin && (uintptr_t)caller < range->end;
}

static bool is_own_call(const void *caller)
{
    return is_in(&own[0], caller) || is_in(&own[1], caller);
}

static bool is_in_function(const void *caller, const char *name)
{
    Dl_info info;

    return dladdr(caller, &info) && info.dli_sname &&
           strncmp(info.dli_sname, name, strlen(name)) == 0;
}

/* json-c 0.16: where these have no memory, the name of a member is not freed,
 * nor the value, if it was parsing. */
static bool is_leak_of_json(const void *caller)
{
    return finds_leaks && is_in(&libjson, caller) &&
           (is_in_function(caller, "lh_") ||
            is_in_function(caller, "array_list_"));
}

/* --- within a function -------------------------------------------------- */

static __thread bool is_spared __attribute__((tls_model("initial-exec")));

static bool spared_memory(const void *caller)
{
    bool spared =
        is_spared || is_in(&dn_init, caller) || is_leak_of_json(caller);

    for (size_t i = 0; i < COUNT(libraries); i++)
        spared = spared || is_in(&libraries[i], caller);
    return spared;
}

/* The address sanitizer asks this when a thread starts, and cannot do without.
 */
int pthread_getattr_np(pthread_t id, pthread_attr_t *attr)
{
    int (*real)(pthread_t, pthread_attr_t *) =
        dlsym(RTLD_NEXT, "pthread_getattr_np");
    int err;

    is_spared = true;
    err = real(id, attr);
    is_spared = false;
    return err;
}

/* When json-c before 0.17 parses, it does not look whether this fails, and
 * crashes. */
char *strdup(const char *text)
{
    char *(*real)(const char *) = dlsym(RTLD_NEXT, "strdup");
    const void *caller = __builtin_return_address(0);
    bool before = is_spared;
    char *copy;

    is_spared =
        before ||
        (is_in(&libjson, caller) &&
         (finds_leaks || is_in_function(caller, "json_tokener_parse_ex")));
    copy = real(text);
    is_spared = before;
    return copy;
}

/* GnuTLS 3.7 has GMP reallocate by a function of its own,
 * gnutls_realloc_zero(), which calls abort() without memory. */
typedef void *gmp_reallocate(void *p, size_t old_size, size_t size);
typedef void gmp_set_functions(void *(*allocate)(size_t), gmp_reallocate *,
                               void (*free)(void *, size_t));

static gmp_reallocate *real_reallocate;

static void *reallocate(void *p, size_t old_size, size_t size)
{
    bool before = is_spared;

    is_spared = true;
    p = real_reallocate(p, old_size, size);
    is_spared = before;
    return p;
}

gmp_set_functions __gmp_set_memory_functions;

void __gmp_set_memory_functions(void *(*allocate)(size_t),
                                gmp_reallocate *reallocate_by,
                                void (*free_by)(void *, size_t))
{
    gmp_set_functions *real = dlsym(RTLD_NEXT, "__gmp_set_memory_functions");

    real_reallocate = reallocate_by;
    real(allocate, reallocate_by ? reallocate : NULL, free_by);
}
