/*
 * test_log.c - log lines: form, levels, escaping, limits, disks that fail.
 */
#include <stdio.h>
#include <string.h>

#include "lib/base/fault.h"
#include "lib/daemon/log.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/thread.h"
#include "tests/support/unit.h"

struct fixture {
    struct arena *arena;
    const char *directory;
    const char *path;
    struct log *log;
    struct buf content;
    struct error error;
};

static struct fixture f;

static void setup(void)
{
    f = (struct fixture){.arena = arena_open(0)};
    CU_ASSERT_EQUAL_FATAL(
        directory_make_temporary("/tmp/millrace-test-", f.arena, &f.directory, &f.error), OK);
    f.path = path_join(f.arena, f.directory, "log");
    CU_ASSERT_EQUAL_FATAL(log_open(f.path, "rm", LOG_LEVEL_INFO, &f.log, &f.error), OK);
}

static void teardown(void)
{
    fault_disarm_all();
    log_close(f.log);
    buf_close(&f.content);
    CU_ASSERT_EQUAL(directory_remove_tree(f.directory, &f.error), OK);
    arena_close(f.arena);
}

/* The file without the time at the start of its only line. */
static const char *line(void)
{
    buf_clear(&f.content);
    CU_ASSERT_EQUAL_FATAL(file_read_whole(f.path, &f.content, &f.error), OK);
    CU_ASSERT_TRUE_FATAL(f.content.length > 25);
    CU_ASSERT_EQUAL(f.content.data[10], 'T');
    CU_ASSERT_EQUAL(f.content.data[23], 'Z');
    return buf_string(&f.content) + 25;
}

static void test_log__line_has_its_form(void)
{
    log_event(f.log, LOG_LEVEL_WARN, "node_lost", log_text("node", "n17"),
              log_number("silent_ms", -5), log_unsigned("bytes", UINT64_MAX),
              log_status("status", ERR_IO));
    CU_ASSERT_STRING_EQUAL(
        line(),
        "WARN rm node_lost node=n17 silent_ms=-5 bytes=18446744073709551615 status=ERR_IO\n");
}

static void test_log__values_are_escaped(void)
{
    log_event(f.log, LOG_LEVEL_ERROR, "e", log_text("a", "two words"), log_text("b", ""),
              log_text("c", "q\"\\="), log_text("d", "x\ny\x01"),
              log_slice("e", slice_make("\xc3\xa9", 2)));
    CU_ASSERT_STRING_EQUAL(
        line(), "ERROR rm e a=\"two words\" b=\"\" c=\"q\\\"\\\\=\" d=\"x\\ny\\x01\" e=\xc3\xa9\n");
}

static void test_log__levels_below_are_silent(void)
{
    log_event(f.log, LOG_LEVEL_DEBUG, "quiet", log_text("a", "b"));
    log_set_level(f.log, LOG_LEVEL_DEBUG);
    log_write(f.log, LOG_LEVEL_DEBUG, "loud", NULL, 0);
    CU_ASSERT_STRING_EQUAL(line(), "DEBUG rm loud\n");
    log_write(NULL, LOG_LEVEL_ERROR, "nowhere", NULL, 0);
    enum log_level level = LOG_LEVEL_INFO;
    CU_ASSERT_EQUAL(log_level_from_name("debug", &level, &f.error), OK);
    CU_ASSERT_EQUAL(level, LOG_LEVEL_DEBUG);
    CU_ASSERT_EQUAL(log_level_from_name("loud", &level, &f.error), ERR_INVALID);
}

static void test_log__long_line_is_cut_and_says_so(void)
{
    static char text[2 * LOG_LINE_BYTES];
    memset(text, 'x', sizeof(text) - 1);
    log_event(f.log, LOG_LEVEL_INFO, "long", log_text("a", "kept"), log_text("b", text));
    const char *written = line();
    CU_ASSERT_TRUE(strlen(written) < LOG_LINE_BYTES);
    CU_ASSERT_STRING_EQUAL(written, "INFO rm long a=kept b= cut=true\n");
}

static void test_log__lost_lines_are_told_later(void)
{
    fault_arm(FAULT_FILE_WRITE, 1, 2);
    log_write(f.log, LOG_LEVEL_INFO, "lost", NULL, 0);
    log_write(f.log, LOG_LEVEL_INFO, "lost", NULL, 0); /* fails to tell, then is written */
    fault_disarm_all();
    log_write(f.log, LOG_LEVEL_INFO, "back", NULL, 0);
    (void)line();
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&f.content), "WARN rm log_lines_lost lines=1\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&f.content), "INFO rm back\n"));
}

static void test_log__moved_file_is_opened_again(void)
{
    const char *moved = path_join(f.arena, f.directory, "log.1");
    log_write(f.log, LOG_LEVEL_INFO, "first", NULL, 0);
    CU_ASSERT_EQUAL(file_rename(f.path, moved, &f.error), OK);
    CU_ASSERT_EQUAL(log_reopen(f.log, &f.error), OK);
    log_write(f.log, LOG_LEVEL_INFO, "second", NULL, 0);
    CU_ASSERT_STRING_EQUAL(line(), "INFO rm second\n");
}

static void write_many(void *argument)
{
    for (int i = 0; i < 500; i++)
        log_event(f.log, LOG_LEVEL_INFO, "many", log_text("who", argument));
}

static void test_log__threads_write_whole_lines(void)
{
    static char names[4][2] = {"a", "b", "c", "d"};
    struct thread *threads[4];
    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL_FATAL(thread_open("writer", write_many, names[i], &threads[i], NULL), OK);
    for (int i = 0; i < 4; i++)
        thread_join(threads[i]);
    CU_ASSERT_EQUAL(file_read_whole(f.path, &f.content, &f.error), OK);
    const size_t length = strlen("2026-01-31T10:00:00.123Z INFO rm many who=a\n");
    CU_ASSERT_EQUAL(f.content.length, 2000 * length);
    for (size_t at = length - 1; at < f.content.length; at += length)
        CU_ASSERT_EQUAL_FATAL(f.content.data[at], '\n');
}

static const struct unit_test tests[] = {
    {"test_log__line_has_its_form",            "A line has its form.",                              test_log__line_has_its_form},
    {"test_log__values_are_escaped",           "Values are quoted and escaped, one line an event.",
     test_log__values_are_escaped                                                                                              },
    {"test_log__levels_below_are_silent",      "Levels below the chosen one are silent.",
     test_log__levels_below_are_silent                                                                                         },
    {"test_log__long_line_is_cut_and_says_so", "A line that is too long is cut and says so.",
     test_log__long_line_is_cut_and_says_so                                                                                    },
    {"test_log__lost_lines_are_told_later",    "Lines that could not be written are told later.",
     test_log__lost_lines_are_told_later                                                                                       },
    {"test_log__moved_file_is_opened_again",   "A file that was moved away is opened again.",
     test_log__moved_file_is_opened_again                                                                                      },
    {"test_log__threads_write_whole_lines",    "Lines of several threads do not mix.",
     test_log__threads_write_whole_lines                                                                                       },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "daemon/log", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
