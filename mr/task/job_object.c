/*
 * job_object.c - looks at the file first, because what dlopen says about a wrong one is for
 * linkers, not for people.
 */
#include "mr/task/job_object.h"

#include <dlfcn.h>
#include <elf.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "mr/core/task_context.h"

struct job_object {
    void *handle;
    const struct mr_job *job;
};

#if defined(__x86_64__)
enum {
    OUR_MACHINE = EM_X86_64
};
#elif defined(__aarch64__)
enum {
    OUR_MACHINE = EM_AARCH64
};
#else
enum {
    OUR_MACHINE = EM_NONE /* not compared; dlopen will tell */
};
#endif

static enum status check_header(const char *path,
                                const unsigned char *bytes,
                                size_t length,
                                struct error *reterr_error)
{
    unsigned type;
    unsigned machine;

    if (length < 4 || memcmp(bytes, ELFMAG, SELFMAG) != 0)
        return error_set(reterr_error, ERR_INVALID,
                         "%s is not a shared object; build it with cc -shared -fPIC", path);
    if (length < sizeof(Elf64_Ehdr) || bytes[EI_CLASS] != ELFCLASS64 ||
        bytes[EI_DATA] != ELFDATA2LSB)
        return error_set(reterr_error, ERR_INVALID,
                         "%s is not a 64-bit little-endian shared object", path);
    type = bytes[16] | (unsigned)bytes[17] << 8;
    machine = bytes[18] | (unsigned)bytes[19] << 8;
    if (type == ET_REL)
        return error_set(reterr_error, ERR_INVALID,
                         "%s is an object file that is not linked; link it with cc -shared", path);
    if (type != ET_DYN)
        return error_set(reterr_error, ERR_INVALID,
                         "%s is a program, not a shared object; build it with cc -shared -fPIC",
                         path);
    if (OUR_MACHINE != EM_NONE && machine != OUR_MACHINE)
        return error_set(reterr_error, ERR_INVALID,
                         "%s was built for another processor (ELF machine %u, here %d)", path,
                         machine, (int)OUR_MACHINE);
    return OK;
}

static enum status check_file(const char *path, struct error *reterr_error)
{
    unsigned char bytes[sizeof(Elf64_Ehdr)];
    struct file_info info;
    struct file *file;
    size_t length;
    enum status status = file_info_get(path, true, &info, reterr_error);

    if (status != OK)
        return error_prefix(reterr_error, status, "job object");
    if (!info.is_regular)
        return error_set(reterr_error, ERR_INVALID, "job object %s is not a file", path);
    status = file_open(path, FILE_MODE_READ, 0, &file, reterr_error);
    if (status != OK)
        return error_prefix(reterr_error, status, "job object");
    status = file_read_at(file, 0, bytes, sizeof(bytes), &length, reterr_error);
    file_close(file);
    if (status != OK)
        return error_prefix(reterr_error, status, "job object");
    return check_header(path, bytes, length, reterr_error);
}

/* dlerror begins with the path it was given; the sentence has it already. */
static const char *loader_text(const char *path)
{
    const char *text = dlerror();
    size_t length = strlen(path);
    if (text == NULL)
        return "the loader does not say why";
    if (strncmp(text, path, length) == 0 && strncmp(text + length, ": ", 2) == 0)
        text += length + 2;
    return text;
}

static enum status load(const char *path, void **ret_handle, struct error *reterr_error)
{
    const char *text;
    const char *colon;

    *ret_handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (*ret_handle != NULL)
        return OK;
    text = loader_text(path);
    colon = strstr(text, ": cannot open shared object file");
    if (colon != NULL)
        return error_set(reterr_error, ERR_UNAVAILABLE,
                         "%s needs the library %.*s, which is not found on this host", path,
                         (int)(colon - text), text);
    if (strncmp(text, "undefined symbol: ", 18) == 0)
        return error_set(reterr_error, ERR_UNAVAILABLE,
                         "%s uses %s, which neither it nor a library it names defines", path,
                         text + 18);
    return error_set(reterr_error, ERR_INVALID, "%s cannot be loaded: %s", path, text);
}

static enum status find_job(const char *path,
                            void *handle,
                            const struct mr_job **ret_job,
                            struct error *reterr_error)
{
    void *symbol = dlsym(handle, "mr_job_export");
    const struct mr_job *job;
    enum status status;

    if (symbol == NULL)
        return error_set(reterr_error, ERR_INVALID,
                         "%s exports no job; end its source with MR_JOB_EXPORT(job)", path);
    memcpy(&job, symbol, sizeof(job));
    if (job == NULL)
        return error_set(reterr_error, ERR_INVALID, "%s exports no job but NULL", path);
    if (job->abi_version != MR_ABI_VERSION)
        return error_set(reterr_error, ERR_UNSUPPORTED,
                         "%s was built with version %u of mr/mr.h; this is version %u: build it "
                         "again",
                         path, job->abi_version, MR_ABI_VERSION);
    if (job->struct_bytes != sizeof(*job))
        return error_set(reterr_error, ERR_UNSUPPORTED,
                         "%s has a struct mr_job of %u bytes, not %zu; start it with MR_JOB_HEADER",
                         path, job->struct_bytes, sizeof(*job));
    status = task_job_check(job, reterr_error);
    if (status != OK)
        return error_prefix(reterr_error, status, "%s", path);
    *ret_job = job;
    return OK;
}

enum status job_object_open(const char *path,
                            struct job_object **ret_object,
                            struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    const struct mr_job *job = NULL;
    const char *absolute = NULL;
    void *handle = NULL;
    enum status status = check_file(path, reterr_error);

    /* A name without a slash would be searched in the system's library folders. */
    if (status == OK)
        status = path_absolute(arena, path, &absolute, reterr_error);
    if (status == OK)
        status = load(absolute, &handle, reterr_error);
    if (status == OK)
        status = find_job(path, handle, &job, reterr_error);
    arena_close(arena);
    if (status != OK) {
        if (handle != NULL)
            (void)dlclose(handle); /* the object is refused already */
        return status;
    }
    *ret_object = MEM_NEW(struct job_object);
    (*ret_object)->handle = handle;
    (*ret_object)->job = job;
    return OK;
}

const struct mr_job *job_object_job(const struct job_object *object)
{
    return object->job;
}

void job_object_close(struct job_object *object)
{
    if (object == NULL)
        return;
    (void)dlclose(object->handle); /* it was loaded; nothing is to be done if it stays */
    mem_free(object);
}
