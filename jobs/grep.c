/*
 * grep.c - which lines match a pattern, or how often does each match occur?
 *
 *     mrsubmit grep.so -i TEXT -o FOUND -r 0 -D grep.pattern=PATTERN [-D ...]
 *
 * grep.pattern      what to look for (required): a POSIX extended regular expression
 * grep.fixed        true: the pattern is plain text (default: false)
 * grep.ignore_case  true: upper and lower case are the same; not with grep.fixed (default: false)
 * grep.mode         lines (default): the matching lines, as they are. With -r 0 each map writes its
 *                   own part and the parts in order are the lines in order; with -r 1 there is one
 *                   file, in input order.
 *                   count: the matched texts with the number of their occurrences, by text.
 *                   Matches of one line do not overlap; an empty match counts nowhere.
 */
#ifndef _GNU_SOURCE
# define _GNU_SOURCE /* memmem */
#endif
#include "mr/mr.h"

#include <regex.h>

struct grep {
    const char *pattern;
    size_t pattern_length;
    bool is_fixed;
    bool is_counting;
    bool has_regex;
    regex_t regex;
};

static void fail_pattern(struct mr_context *context, const struct grep *grep, int code)
{
    char text[200];
    (void)regerror(code, &grep->regex, text, sizeof(text));
    mr_fail(context, "parameter grep.pattern=%s: %s", grep->pattern, text);
}

static void compile(struct mr_context *context, struct grep *grep)
{
    bool ignore_case = mr_parameter_bool(context, "grep.ignore_case", false);
    int code;

    if (grep->is_fixed && ignore_case) {
        mr_fail(context, "grep.ignore_case=true does not go with grep.fixed=true");
        return;
    }
    /* Most patterns are words: those need no regular expression. */
    if (!ignore_case && strpbrk(grep->pattern, "\\[](){}.*+?^$|") == NULL)
        grep->is_fixed = true;
    if (grep->is_fixed)
        return;
    code = regcomp(&grep->regex, grep->pattern, REG_EXTENDED | (ignore_case ? REG_ICASE : 0));
    if (code != 0)
        fail_pattern(context, grep, code);
    else
        grep->has_regex = true;
}

static void setup(struct mr_context *context)
{
    struct grep *grep = (struct grep *)calloc(1, sizeof(*grep));
    const char *mode = mr_parameter_string(context, "grep.mode", "lines");

    context->user = grep;
    if (grep == NULL) {
        mr_fail(context, "out of memory");
        return;
    }
    grep->pattern = mr_parameter_string(context, "grep.pattern", "");
    grep->pattern_length = strlen(grep->pattern);
    grep->is_fixed = mr_parameter_bool(context, "grep.fixed", false);
    grep->is_counting = strcmp(mode, "count") == 0;
    if (grep->pattern_length == 0)
        mr_fail(context, "say what to look for with -D grep.pattern=PATTERN");
    else if (strcmp(mode, "count") != 0 && strcmp(mode, "lines") != 0)
        mr_fail(context, "parameter grep.mode=%s is neither lines nor count", mode);
    else if (grep->is_counting && mr_task(context)->reduces == 0)
        mr_fail(context, "grep.mode=count needs at least one reduce: -r 1");
    else
        compile(context, grep);
}

static void cleanup(struct mr_context *context)
{
    struct grep *grep = (struct grep *)context->user;
    if (grep == NULL)
        return;
    if (grep->has_regex)
        regfree(&grep->regex);
    free(grep);
}

/* Counts travel as 8 bytes: lines and counts share one job, whose values are bytes. */
static void emit_count(struct mr_context *context, struct mr_slice key, uint64_t count)
{
    char bytes[8];
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (char)(count >> (8 * i) & 0xff);
    mr_emit(context, key, mr_slice_make(bytes, sizeof(bytes)));
}

static struct mr_slice without_line_end(const char *begin, const char *end)
{
    if (end > begin && end[-1] == '\r')
        end--;
    return mr_slice_make(begin, (size_t)(end - begin));
}

/* Searches all lines at once, since the pattern holds no line end. */
static void find_fixed(struct mr_context *context, const struct grep *grep, struct mr_slice records)
{
    const char *at = records.data;
    const char *end = at + records.length;

    while (at < end) {
        const char *found =
            (const char *)memmem(at, (size_t)(end - at), grep->pattern, grep->pattern_length);
        const char *line_begin = found;
        const char *line_end;
        if (found == NULL)
            return;
        if (grep->is_counting) {
            emit_count(context, mr_slice_make(grep->pattern, grep->pattern_length), 1);
            at = found + grep->pattern_length;
            continue;
        }
        while (line_begin > at && line_begin[-1] != '\n')
            line_begin--;
        line_end = (const char *)memchr(found, '\n', (size_t)(end - found));
        if (line_end == NULL)
            line_end = end;
        mr_emit(context, mr_absent(), without_line_end(line_begin, line_end));
        at = line_end + 1;
    }
}

/* Counts each match of one line. */
static void count_matches(struct mr_context *context, const struct grep *grep, struct mr_slice line)
{
    size_t from = 0;
    while (from < line.length) {
        regmatch_t match;
        match.rm_so = 0;
        match.rm_eo = (regoff_t)(line.length - from);
        if (regexec(&grep->regex, line.data + from, 1, &match,
                    REG_STARTEND | (from > 0 ? REG_NOTBOL : 0)) != 0)
            return;
        if (match.rm_eo > match.rm_so)
            emit_count(
                context,
                mr_slice_make(line.data + from + match.rm_so, (size_t)(match.rm_eo - match.rm_so)),
                1);
        from += (size_t)(match.rm_eo > match.rm_so ? match.rm_eo : match.rm_eo + 1);
    }
}

static void find_regex(struct mr_context *context, const struct grep *grep, struct mr_slice records)
{
    const char *at = records.data;
    const char *end = at + records.length;

    while (at < end && !mr_has_failed(context)) {
        const char *line_end = (const char *)memchr(at, '\n', (size_t)(end - at));
        struct mr_slice line;
        if (line_end == NULL)
            line_end = end;
        line = without_line_end(at, line_end);
        if (grep->is_counting) {
            count_matches(context, grep, line);
        } else {
            regmatch_t match;
            match.rm_so = 0;
            match.rm_eo = (regoff_t)line.length;
            if (regexec(&grep->regex, line.data, 1, &match, REG_STARTEND) == 0)
                mr_emit(context, mr_absent(), line);
        }
        at = line_end + 1;
    }
}

static void map_split(struct mr_context *context, struct mr_slice records)
{
    const struct grep *grep = (const struct grep *)context->user;
    if (grep->is_fixed)
        find_fixed(context, grep, records);
    else
        find_regex(context, grep, records);
}

static uint64_t sum_counts(struct mr_values *values)
{
    uint64_t sum = 0;
    uint64_t count;
    while (mr_next_u64(values, &count))
        sum += count;
    return sum;
}

static void combine(struct mr_context *context, struct mr_slice key, struct mr_values *values)
{
    const struct grep *grep = (const struct grep *)context->user;
    struct mr_slice line;
    if (grep->is_counting) {
        emit_count(context, key, sum_counts(values));
        return;
    }
    while (mr_next(values, &line))
        mr_emit(context, key, line);
}

static void reduce(struct mr_context *context, struct mr_slice key, struct mr_values *values)
{
    const struct grep *grep = (const struct grep *)context->user;
    struct mr_slice line;
    if (grep->is_counting) {
        mr_emit_u64(context, key, sum_counts(values));
        return;
    }
    while (mr_next(values, &line))
        mr_emit(context, mr_absent(), line);
}

static const struct mr_job job = {
    MR_JOB_HEADER,          .name = "grep",     .setup = setup,   .cleanup = cleanup,
    .map_split = map_split, .combine = combine, .reduce = reduce,
};

MR_JOB_EXPORT(job);
