/*
 * mrsubmit_options.c - the command line of mrsubmit.
 */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "cli/mrsubmit.h"
#include "lib/base/mem.h"
#include "lib/model/limits.h"
#include "lib/model/text.h"

enum option_key {
    KEY_LOCAL = 256,
    KEY_NAME,
    KEY_SPLIT,
    KEY_JSON,
    KEY_DIRECTORY,
    KEY_VERSION
};

static const struct argp_option option_table[] = {
    {"input",                                                'i', "PATH", 0, "input file or directory; repeat it, or name several", 1},
    {"output",                                                'o', "PATH", 0, "directory for the output; must not exist", 1},
    {"reduces", 'r', "N", 0, "number of reduces (1); 0: maps write the output", 1},
    {NULL,                                                      'D', "KEY=VALUE", 0, "a parameter of the job, or a setting of the list below", 1},
    {"name",    KEY_NAME, "NAME", 0, "what people see (the name in the job object)", 1},
    {"split",                                                     KEY_SPLIT, "BYTES", 0, "input of one map, with suffix k, m, g (a block)", 1},
    {"local",                                                     KEY_LOCAL, NULL, 0, "run in this process, on local files, without a cluster", 2},
    {"dir",                                              KEY_DIRECTORY, "DIR", 0, "the cluster's folder (MILLRACE_DIR, ~/.millrace/cluster)", 2},
    {"json",                                                   KEY_JSON, NULL, 0, "print the final report as JSON", 3},
    {"quiet",     'q', NULL, 0, "print no progress", 3},
    {"help",                                                      '?', NULL, 0, "print this text", 4},
    {"version",KEY_VERSION, NULL, 0, "print the version", 4},
    {0                                                    }
};

struct parse {
    struct submit_options options;
    struct arena *arena;
    const char **inputs;
    struct mr_client_parameter *parameters;
    bool after_input; /* the last option was -i */
    bool has_reduces;
    bool has_name;
    struct error *error;
    enum status status;
};

static const char *quoted(struct parse *parse, const char *text)
{
    struct text_quote quote = text_quote(slice_from_string(text));
    return (const char *)arena_copy(parse->arena, slice_from_string(quote.text)).data;
}

/* --- single options --------------------------------------------------------------------------- */

static void add_input(struct parse *parse, const char *path)
{
    parse->inputs[parse->options.job.input_count++] = path;
}

static enum status take_positional(struct parse *parse, const char *argument)
{
    if (parse->options.job.object == NULL) {
        parse->options.job.object = argument;
        return OK;
    }
    if (!parse->after_input)
        return error_set(parse->error, ERR_INVALID,
                         "%s: only one job object can be given; inputs follow -i",
                         quoted(parse, argument));
    add_input(parse, argument);
    return OK;
}

static enum status take_parameter(struct parse *parse, const char *argument)
{
    const char *equals = strchr(argument, '=');
    if (equals == NULL)
        return error_set(parse->error, ERR_INVALID, "-D %s: it is -D KEY=VALUE",
                         quoted(parse, argument));
    struct slice key = slice_make(argument, (size_t)(equals - argument));
    parse->parameters[parse->options.job.parameter_count++] = (struct mr_client_parameter){
        .key = (const char *)arena_copy(parse->arena, key).data,
        .value = equals + 1,
    };
    return OK;
}

static enum status take_reduces(struct parse *parse, const char *argument)
{
    uint64_t reduces;
    if (!slice_parse_u64(slice_from_string(argument), &reduces) || reduces > LIMIT_REDUCES)
        return error_set(parse->error, ERR_INVALID, "-r is a number from 0 to %d, not %s",
                         (int)LIMIT_REDUCES, quoted(parse, argument));
    parse->options.job.reduces = (uint32_t)reduces;
    parse->has_reduces = true;
    return OK;
}

static enum status take_split(struct parse *parse, const char *argument)
{
    uint64_t bytes;
    enum status status = job_settings_bytes("--split", argument, &bytes, parse->error);
    if (status != OK)
        return status;
    if (bytes == 0)
        return error_set(parse->error, ERR_INVALID, "--split is at least 1 byte");
    parse->options.job.split_bytes = bytes;
    return OK;
}

static enum status take_output(struct parse *parse, const char *argument)
{
    if (parse->options.job.output != NULL)
        return error_set(parse->error, ERR_INVALID, "-o is given twice");
    if (argument[0] == '\0')
        return error_set(parse->error, ERR_INVALID, "-o is empty");
    parse->options.job.output = argument;
    return OK;
}

static enum status take_option(struct parse *parse, int key, char *argument)
{
    struct submit_options *options = &parse->options;
    switch (key) {
    case 'i':
        if (argument[0] == '\0')
            return error_set(parse->error, ERR_INVALID, "-i is empty");
        add_input(parse, argument);
        return OK;
    case 'o':
        return take_output(parse, argument);
    case 'r':
        return take_reduces(parse, argument);
    case 'D':
        return take_parameter(parse, argument);
    case KEY_NAME:
        options->job.name = argument;
        return job_settings_check_name(argument, parse->error);
    case KEY_SPLIT:
        return take_split(parse, argument);
    case KEY_LOCAL:
        options->is_local = true;
        return OK;
    case KEY_DIRECTORY:
        options->directory = argument;
        return OK;
    case KEY_JSON:
        options->is_json = true;
        return OK;
    case 'q':
        options->is_quiet = true;
        return OK;
    case '?':
        options->wants_help = true;
        return OK;
    default:
        options->wants_version = true; /* KEY_VERSION; the table has no others */
        return OK;
    }
}

/* --- the whole line --------------------------------------------------------------------------- */

static error_t parse_key(int key, char *argument, struct argp_state *state)
{
    struct parse *parse = state->input;
    if (key == ARGP_KEY_ARG) {
        if (parse->status == OK)
            parse->status = take_positional(parse, argument);
        return 0;
    }
    if (key == ARGP_KEY_END || key == ARGP_KEY_INIT || key == ARGP_KEY_SUCCESS ||
        key == ARGP_KEY_ERROR || key == ARGP_KEY_FINI || key == ARGP_KEY_NO_ARGS ||
        key == ARGP_KEY_ARGS)
        return ARGP_ERR_UNKNOWN;
    if (parse->status == OK) /* the first complaint counts */
        parse->status = take_option(parse, key, argument);
    parse->after_input = key == 'i';
    return 0;
}

static const struct argp argp_table = {
    .options = option_table,
    .parser = parse_key,
    .args_doc = "JOB.so -i PATH... -o PATH [-r N]",
    .doc = "Runs a MapReduce job on the cluster and follows it to its end.",
};

static enum status check_line(struct parse *parse)
{
    struct submit_options *options = &parse->options;
    struct error *error = parse->error;
    enum status status = parse->status;
    if (status != OK || options->wants_help || options->wants_version)
        return status;
    if (options->job.object == NULL || options->job.object[0] == '\0')
        return error_set(error, ERR_INVALID, "which job? Name its shared object (job.so)");
    if (options->job.input_count == 0)
        return error_set(error, ERR_INVALID, "which input? Name it with -i");
    if (options->job.output == NULL)
        return error_set(error, ERR_INVALID, "where to? Name the output with -o");
    status = job_settings_read(options->job.parameters, options->job.parameter_count,
                               &options->settings, error);
    if (status == OK && options->job.name == NULL && options->settings.name[0] != '\0')
        options->job.name = options->settings.name;
    if (status == OK && options->job.split_bytes == 0)
        options->job.split_bytes = options->settings.split_bytes;
    return status;
}

enum status submit_options_parse(int argc,
                                 char **argv,
                                 struct arena *arena,
                                 struct submit_options *ret_options,
                                 struct error *reterr_error)
{
    struct parse parse = {.arena = arena, .error = reterr_error, .options = {.job.reduces = 1}};
    parse.inputs = ARENA_ARRAY(arena, const char *, (size_t)argc + 1);
    parse.parameters = ARENA_ARRAY(arena, struct mr_client_parameter, (size_t)argc + 1);
    parse.options.job.inputs = parse.inputs;
    parse.options.job.parameters = parse.parameters;
    /* What is no option at all argp and getopt have told about already. */
    if (argp_parse(&argp_table, argc, argv, ARGP_IN_ORDER | ARGP_NO_EXIT | ARGP_NO_HELP, NULL,
                   &parse) != 0)
        return error_set(reterr_error, ERR_INVALID, "%s", "");
    enum status status = check_line(&parse);
    if (status == OK)
        *ret_options = parse.options;
    return status;
}

void submit_options_help(void)
{
    static char name[] = "mrsubmit"; /* argp wants to write it */
    const char *key = NULL;
    const char *text = NULL;
    argp_help(&argp_table, stdout, ARGP_HELP_LONG | ARGP_HELP_USAGE | ARGP_HELP_DOC, name);
    printf("\nSettings for -D (all other names are the job's own, unless they begin with mr. or "
           "job.):\n");
    for (size_t i = 0; job_settings_describe(i, &key, &text); i++)
        printf("  %-20s %s\n", key, text);
    printf("\nExit codes: 0 succeeded, 1 the job failed, 2 usage, 3 no cluster, 4 killed, 5 bad "
           "input,\n"
           "6 the output exists, 7 bad job object, 8 refused, 130 interrupted (the job goes on).\n"
           "An interrupt (Ctrl-C) leaves a submitted job running; `mrjob kill ID` ends it.\n");
}
