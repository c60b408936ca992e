/*
 * mr.h - the whole interface between a MapReduce job and Millrace.
 *
 * A job is a shared object that fills in one struct mr_job and exports it:
 *
 *     #include <mr/mr.h>
 *
 *     static void map(struct mr_context *context, struct mr_slice key, struct mr_slice line)
 *     {
 *         (void)key;
 *         mr_emit_u64(context, line, 1);
 *     }
 *
 *     static const struct mr_job job = {
 *         MR_JOB_HEADER,
 *         .name = "count-lines",
 *         .map = map,
 *         .value_type = MR_VALUE_U64,
 *         .aggregator = MR_AGGREGATE_SUM,
 *     };
 *     MR_JOB_EXPORT(job);
 *
 * Build it with   cc -shared -fPIC $(pkg-config --cflags millrace) -o count.so count.c
 * and run it with mrsubmit count.so -i INPUT -o OUTPUT -r 4   (add --local to stay in one process).
 * Nothing needs to be linked: every call below goes through the context.
 *
 * What you may rely on
 *   - Order is total: a reduce sees keys in ascending order (bytes, or your compare) and the values
 *     of one key in the order (map index, emission number). Map indexes follow the input: paths as
 *     given, files of a directory by name, offsets. The same input, code, parameters, number of
 *     reduces and sort memory give the same output bytes, whatever failed or ran twice on the way.
 *   - The engine checks every byte it stored or moved; your functions never see a corrupt record.
 *   - A function may run more than once for the same input (retries, backup attempts), in different
 *     processes; only one attempt's output is kept. So keep no state outside context->user, and
 *     write nothing outside the output. With --local several tasks run as threads of one process.
 *   - Slices handed to you are read-only and valid until your function returns (values: until the
 *     next mr_next). Slices you emit are copied before the call returns.
 *   - What you write to stdout and stderr goes to the container's logs.
 */
#ifndef MILLRACE_MR_MR_H
#define MILLRACE_MR_MR_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised whenever a struct below changes its meaning; a job of another version is refused. */
#define MR_ABI_VERSION 1u

/* A borrowed run of bytes; not NUL-terminated, any byte may occur in it. */
struct mr_slice {
    const char *data; /* NULL: absent, see mr_emit */
    size_t length;
};

/* What the values between map and reduce are. */
enum mr_value_type {
    MR_VALUE_BYTES = 0, /* emitted with mr_emit, read with mr_next */
    MR_VALUE_U64 = 1,   /* mr_emit_u64, mr_next_u64 */
    MR_VALUE_I64 = 2,   /* mr_emit_i64, mr_next_i64 */
    MR_VALUE_F64 = 3    /* mr_emit_f64, mr_next_f64 */
};

/*
 * Built-in ways to make one number of all numbers of a key. With one of these neither combine nor
 * reduce need be written, and the map side combines in a hash table instead of sorting every
 * record. Integers wrap around at 64 bits; doubles are added in record order within a map and in
 * map order across maps, so that the sum is the same to the last bit each time.
 */
enum mr_aggregator {
    MR_AGGREGATE_NONE = 0,
    MR_AGGREGATE_SUM = 1,
    MR_AGGREGATE_MIN = 2,
    MR_AGGREGATE_MAX = 3,
    MR_AGGREGATE_COUNT =
        4 /* of emissions, whatever their values; value_type must be MR_VALUE_U64 */
};

/* How input bytes become records. A split owns the records that begin in it. */
enum mr_input {
    MR_INPUT_TEXT = 0, /* value: a line without its LF or CR LF; key: absent */
    MR_INPUT_KEY_VALUE =
        1,             /* a line; key: up to the first TAB, value: behind it (absent: no TAB) */
    MR_INPUT_FIXED = 2 /* record_bytes each; key: the first key_bytes, value: the rest */
};

/* How pairs become output bytes. */
enum mr_output {
    MR_OUTPUT_TEXT = 0, /* key TAB value LF; an absent key or value is left out with the TAB */
    MR_OUTPUT_RAW = 1   /* key, value, nothing between or behind */
};

/* What a task is; from mr_task(). Valid as long as the context. */
struct mr_task {
    bool is_reduce;
    uint32_t index;         /* of this map or reduce, from 0 */
    uint32_t attempt;       /* from 0 */
    uint32_t reduces;       /* of the job */
    const char *input_path; /* maps; NULL in reduces */
    uint64_t split_offset;
    uint64_t split_length;
};

struct mr_context;
struct mr_values;

/*
 * The job. Start it with MR_JOB_HEADER and name the members; what is not named is zero, which
 * always means "none" or "the default". One of map and map_split is required.
 */
struct mr_job {
    uint32_t abi_version; /* MR_ABI_VERSION */
    uint32_t struct_bytes;
    const char *name; /* what mrsubmit calls the job unless --name is given */

    /* Called before the first record of every task; may emit. */
    void (*setup)(struct mr_context *context);
    /* Called after the last record of a task that went well so far; may emit. */
    void (*finish)(struct mr_context *context);
    /* Called last, after combine and whatever failed, to free what setup got; cannot emit. */
    void (*cleanup)(struct mr_context *context);

    /* Called for each record of the split. */
    void (*map)(struct mr_context *context, struct mr_slice key, struct mr_slice value);
    /*
     * Instead of map: called with runs of whole records as they stand in the input (lines with
     * their line ends; the last line of a file may have none). All runs together are the split.
     */
    void (*map_split)(struct mr_context *context, struct mr_slice records);

    /*
     * Makes fewer values of the values of one key; may run any number of times, also on its own
     * results, so it must be associative. Must emit under the key it was given. Only without
     * aggregator. NULL: none.
     */
    void (*combine)(struct mr_context *context, struct mr_slice key, struct mr_values *values);
    /*
     * Called once for each key (for each group, with group), keys ascending. It need not read all
     * values. With an aggregator there is one value. NULL: each pair is written as it is.
     */
    void (*reduce)(struct mr_context *context, struct mr_slice key, struct mr_values *values);

    /* Which reduce gets the key: 0..reduces-1, by the key alone. NULL: by a hash of its bytes. */
    uint32_t (*partition)(struct mr_context *context, struct mr_slice key, uint32_t reduces);
    /*
     * <0, 0, >0; a total preorder of keys. NULL: unsigned bytes, the shorter first. Keys that
     * compare equal must have the same partition.
     */
    int (*compare)(struct mr_context *context, struct mr_slice left, struct mr_slice right);
    /*
     * 0: the two keys belong to one call of reduce. Keys of a group must be neighbours in the order
     * of compare (secondary sort). NULL: compare decides.
     */
    int (*group)(struct mr_context *context, struct mr_slice left, struct mr_slice right);

    enum mr_value_type value_type;
    enum mr_aggregator aggregator;
    enum mr_input input;
    uint32_t record_bytes; /* MR_INPUT_FIXED: 1.. */
    uint32_t key_bytes;    /* MR_INPUT_FIXED: 0..record_bytes */
    enum mr_output output;
};

#define MR_JOB_HEADER .abi_version = MR_ABI_VERSION, .struct_bytes = (uint32_t)sizeof(struct mr_job)

/* The one symbol that Millrace looks for in a job's shared object. */
extern const struct mr_job *const mr_job_export __attribute__((visibility("default")));

/* Exports a static const struct mr_job. Once in a shared object. */
#define MR_JOB_EXPORT(job) const struct mr_job *const mr_job_export = &(job)

/*
 * What the engine offers to a task. Private: use the functions below. To run a map or reduce
 * function by itself in a unit test, fill in a table of your own.
 */
struct mr_calls {
    void (*emit)(struct mr_context *context, struct mr_slice key, struct mr_slice value);
    void (*emit_u64)(struct mr_context *context, struct mr_slice key, uint64_t value);
    void (*emit_i64)(struct mr_context *context, struct mr_slice key, int64_t value);
    void (*emit_f64)(struct mr_context *context, struct mr_slice key, double value);
    void (*count)(struct mr_context *context, const char *group, const char *name, uint64_t n);
    void (*status)(struct mr_context *context, const char *text);
    const char *(*parameter)(struct mr_context *context, const char *name);
    void (*fail)(struct mr_context *context, const char *format, va_list arguments);
    bool (*has_failed)(struct mr_context *context);
    const struct mr_task *(*task)(struct mr_context *context);
    uint64_t (*offset)(struct mr_context *context);
};

/* One task's own; the first argument of everything. */
struct mr_context {
    const struct mr_calls *calls; /* private */
    void *user;                   /* yours: NULL before setup; free it in cleanup */
};

/* The values of one key, in order, to be read once. */
struct mr_values {
    bool (*next)(struct mr_values *values, struct mr_slice *ret_value); /* private */
    struct mr_slice key; /* of the value read last; differs within a group when group is given */
};

static inline struct mr_slice mr_slice_make(const void *data, size_t length)
{
    struct mr_slice slice;
    slice.data = (const char *)data;
    slice.length = length;
    return slice;
}

/* Of a NUL-terminated string, without its NUL. */
static inline struct mr_slice mr_slice_from_string(const char *string)
{
    return mr_slice_make(string, strlen(string));
}

/* "No key" or "no value" in the output: mr_emit(context, mr_absent(), line) writes line LF. */
static inline struct mr_slice mr_absent(void)
{
    return mr_slice_make(NULL, 0);
}

/*
 * Emits one pair: from map (setup, finish, combine) to the reduces, from reduce (or from map when
 * the job has no reduces) to the output. Between map and reduce absent means empty. value_type must
 * be MR_VALUE_BYTES except when writing the output. Cannot fail: errors end the task.
 */
static inline void mr_emit(struct mr_context *context, struct mr_slice key, struct mr_slice value)
{
    context->calls->emit(context, key, value);
}

/* The same for numbers of the job's value_type; in the output they are decimal. */
static inline void mr_emit_u64(struct mr_context *context, struct mr_slice key, uint64_t value)
{
    context->calls->emit_u64(context, key, value);
}

static inline void mr_emit_i64(struct mr_context *context, struct mr_slice key, int64_t value)
{
    context->calls->emit_i64(context, key, value);
}

static inline void mr_emit_f64(struct mr_context *context, struct mr_slice key, double value)
{
    context->calls->emit_f64(context, key, value);
}

/* False at the end of the values; then *ret_value is untouched. Valid until the next call. */
static inline bool mr_next(struct mr_values *values, struct mr_slice *ret_value)
{
    return values->next(values, ret_value);
}

static inline bool mr_next_u64(struct mr_values *values, uint64_t *ret_value)
{
    struct mr_slice bytes;
    uint64_t value = 0;
    size_t i;
    if (!values->next(values, &bytes))
        return false;
    for (i = 0; i < bytes.length && i < 8; i++)
        value |= (uint64_t)(unsigned char)bytes.data[i] << (8 * i);
    *ret_value = value;
    return true;
}

static inline bool mr_next_i64(struct mr_values *values, int64_t *ret_value)
{
    uint64_t bits;
    if (!mr_next_u64(values, &bits))
        return false;
    memcpy(ret_value, &bits, sizeof(bits));
    return true;
}

static inline bool mr_next_f64(struct mr_values *values, double *ret_value)
{
    uint64_t bits;
    if (!mr_next_u64(values, &bits))
        return false;
    memcpy(ret_value, &bits, sizeof(bits));
    return true;
}

/* Adds n to a counter of the job; only the attempts that count are summed up. */
static inline void mr_count(struct mr_context *context,
                            const char *group,
                            const char *name,
                            uint64_t n)
{
    context->calls->count(context, group, name, n);
}

/* Sets the line that people see beside the task; cut at 255 bytes. */
static inline void mr_status(struct mr_context *context, const char *text)
{
    context->calls->status(context, text);
}

/*
 * Ends the task with a sentence (printf style) that mrsubmit shows. It returns, so return from your
 * function too; what is emitted afterwards is thrown away. The first call counts. A failed task is
 * tried again, on another host if there is one; a call in setup, where parameters are judged, ends
 * the whole job at once.
 */
static inline void mr_fail(struct mr_context *context, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline void mr_fail(struct mr_context *context, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    context->calls->fail(context, format, arguments);
    va_end(arguments);
}

/* True once the task has failed or is to stop: long loops may leave early. */
static inline bool mr_has_failed(struct mr_context *context)
{
    return context->calls->has_failed(context);
}

static inline const struct mr_task *mr_task(struct mr_context *context)
{
    return context->calls->task(context);
}

/* Where in the input the record (or run of records) begins that is being mapped. */
static inline uint64_t mr_offset(struct mr_context *context)
{
    return context->calls->offset(context);
}

/* The value given with -D name=value, or NULL. Valid as long as the context. */
static inline const char *mr_parameter(struct mr_context *context, const char *name)
{
    return context->calls->parameter(context, name);
}

/* The same with a default, and with the type checked: a malformed value fails the task. */
static inline const char *mr_parameter_string(struct mr_context *context,
                                              const char *name,
                                              const char *otherwise)
{
    const char *text = mr_parameter(context, name);
    return text != NULL ? text : otherwise;
}

static inline uint64_t mr_parameter_u64(struct mr_context *context,
                                        const char *name,
                                        uint64_t otherwise)
{
    const char *text = mr_parameter(context, name);
    char *end = NULL;
    unsigned long long value;
    if (text == NULL)
        return otherwise;
    errno = 0;
    value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0) {
        mr_fail(context, "parameter %s=%s is not a number from 0 to 2^64-1", name, text);
        return otherwise;
    }
    return (uint64_t)value;
}

static inline double mr_parameter_f64(struct mr_context *context,
                                      const char *name,
                                      double otherwise)
{
    const char *text = mr_parameter(context, name);
    char *end = NULL;
    double value;
    if (text == NULL)
        return otherwise;
    value = strtod(text, &end);
    if (end == text || *end != '\0') {
        mr_fail(context, "parameter %s=%s is not a number", name, text);
        return otherwise;
    }
    return value;
}

/* true, yes, 1 or false, no, 0. */
static inline bool mr_parameter_bool(struct mr_context *context, const char *name, bool otherwise)
{
    const char *text = mr_parameter(context, name);
    if (text == NULL)
        return otherwise;
    if (strcmp(text, "true") == 0 || strcmp(text, "yes") == 0 || strcmp(text, "1") == 0)
        return true;
    if (strcmp(text, "false") == 0 || strcmp(text, "no") == 0 || strcmp(text, "0") == 0)
        return false;
    mr_fail(context, "parameter %s=%s is neither true nor false", name, text);
    return otherwise;
}

#ifdef __cplusplus
}
#endif

#endif
