/*
 * test_drill.c - plans of lib/os/drill.h. A plan is read at a process's first call, so each test
 * runs its calls in children, and this process itself makes none through lib/os.
 */
#include "lib/os/drill.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/os/file.h"
#include "tests/support/unit.h"

enum {
    PATH_ROOM = 256,
    LINE_ROOM = 512,
    TEXT_ROOM = 4096
};

struct fixture {
    char folder[PATH_ROOM];
    char plan[2 * PATH_ROOM];
    char claim[2 * PATH_ROOM];
    char file[2 * PATH_ROOM];
};

static struct fixture f;

static void setup(void)
{
    (void)snprintf(f.folder, sizeof(f.folder), "/tmp/millrace-drill-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(f.folder));
    (void)snprintf(f.plan, sizeof(f.plan), "%s/plan", f.folder);
    (void)snprintf(f.claim, sizeof(f.claim), "%s/claim", f.folder);
    (void)snprintf(f.file, sizeof(f.file), "%s/file", f.folder);
}

static void teardown(void)
{
    char command[3 * PATH_ROOM];
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", f.folder);
    CU_ASSERT_EQUAL(system(command), 0);
}

static void given_plan(const char *text)
{
    FILE *file = fopen(f.plan, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_TRUE(fputs(text, file) >= 0);
    CU_ASSERT_EQUAL(fclose(file), 0);
}

static void given_failure(const char *site, int nth, const char *what)
{
    char text[4 * PATH_ROOM];
    (void)snprintf(text, sizeof(text), "fail %s %s %d 1 %s %s\n", program_invocation_short_name,
                   site, nth, what, f.claim);
    given_plan(text);
}

struct replacements {
    int times;
    int failures;
};

static void *replace(void *argument)
{
    struct replacements *replacements = argument;
    for (int i = 0; i < replacements->times; i++)
        replacements->failures +=
            file_replace(f.file, slice_from_string("some text"), FILE_PUBLIC, NULL) != OK;
    return NULL;
}

/*
 * Replaces the file `times` times in a child: how many of them failed, or with what it ended. On a
 * thread of its own, so that who asks for it is no part of the sites.
 */
static int when_replaced(int times)
{
    int status = 0;
    pid_t pid = fork();
    CU_ASSERT_TRUE_FATAL(pid >= 0);
    if (pid == 0) {
        struct replacements replacements = {.times = times};
        pthread_t thread;
        (void)setenv("MILLRACE_DRILL", f.plan, 1);
        if (freopen("/dev/null", "w", stderr) == NULL ||
            pthread_create(&thread, NULL, replace, &replacements) != 0 ||
            pthread_join(thread, NULL) != 0)
            _exit(99);
        _exit(replacements.failures);
    }
    CU_ASSERT_EQUAL_FATAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_TRUE(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static bool is_claimed(void)
{
    return access(f.claim, F_OK) == 0;
}

/* The site of the first call of that name; "" when none was recorded. */
static void read_site(const char *call, char *ret_site)
{
    char command[6 * PATH_ROOM];
    (void)snprintf(command, sizeof(command), "grep -h ' %s ' %s/%s.*", call, f.folder,
                   program_invocation_short_name);
    FILE *lines = popen(command, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(lines);
    char text[LINE_ROOM] = "";
    if (fgets(text, sizeof(text), lines) == NULL)
        text[0] = '\0';
    (void)pclose(lines);
    text[strcspn(text, " ")] = '\0';
    (void)snprintf(ret_site, LINE_ROOM, "%s", text);
}

static void given_record(void)
{
    char text[2 * PATH_ROOM];
    (void)snprintf(text, sizeof(text), "record %s\n", f.folder);
    given_plan(text);
    CU_ASSERT_EQUAL(when_replaced(3), 0);
}

static void test_drill__recorded_site_fails_at_its_nth_hit(void)
{
    char site[LINE_ROOM];
    given_record();
    read_site("rename", site);
    CU_ASSERT_EQUAL_FATAL(strlen(site), 16);
    given_failure(site, 3, "EIO");
    CU_ASSERT_EQUAL(when_replaced(2), 0);
    CU_ASSERT_FALSE(is_claimed());
    CU_ASSERT_EQUAL(when_replaced(4), 1);
    CU_ASSERT_TRUE(is_claimed());
}

static void test_drill__only_one_process_fails(void)
{
    given_failure("*", 1, "ENOSPC");
    CU_ASSERT_EQUAL(when_replaced(1), 1);
    CU_ASSERT_EQUAL(when_replaced(1), 0);
}

static void test_drill__interrupted_and_short_calls_are_continued(void)
{
    static const char *const whats[] = {"EINTR", "short"};
    for (size_t i = 0; i < sizeof(whats) / sizeof(whats[0]); i++) {
        char text[TEXT_ROOM] = "";
        given_failure("*", 1, whats[i]);
        CU_ASSERT_EQUAL(when_replaced(1), 0);
        CU_ASSERT_TRUE(is_claimed());
        CU_ASSERT_EQUAL(unlink(f.claim), 0);
        FILE *file = fopen(f.file, "r");
        CU_ASSERT_PTR_NOT_NULL_FATAL(file);
        CU_ASSERT_PTR_NOT_NULL(fgets(text, sizeof(text), file));
        (void)fclose(file);
        CU_ASSERT_STRING_EQUAL(text, "some text");
    }
}

static void test_drill__each_call_of_a_replacement_can_fail(void)
{
    int failed = 0;
    for (int nth = 1; nth < 100; nth++) {
        given_failure("*", nth, "EIO");
        int failures = when_replaced(1);
        if (!is_claimed())
            break;
        failed++;
        CU_ASSERT_EQUAL(failures, 1);
        CU_ASSERT_EQUAL(unlink(f.claim), 0);
    }
    /* open, fchmod, pwrite, fsync, rename; open and fsync of the folder. */
    CU_ASSERT_EQUAL(failed, 7);
}

static void test_drill__others_run_undisturbed(void)
{
    char text[4 * PATH_ROOM];
    (void)snprintf(text, sizeof(text), "fail mr-other * 1 1 EIO %s\n", f.claim);
    given_plan(text);
    CU_ASSERT_EQUAL(when_replaced(2), 0);
    given_plan("");
    CU_ASSERT_EQUAL(when_replaced(2), 0);
    CU_ASSERT_FALSE(is_claimed());
}

static void test_drill__what_is_no_plan_ends_the_process(void)
{
    static const char *const plans[] = {
        "destroy everything\n",
        "fail x * 0 1 EIO /c\n",
        "fail x * 1 1 EWHAT /c\n",
    };
    for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
        given_plan(plans[i]);
        CU_ASSERT_EQUAL(when_replaced(5), 2);
    }
}

static const struct unit_test tests[] = {
    {"test_drill__recorded_site_fails_at_its_nth_hit",
     "A site that was recorded fails at the hit that the plan names, and nothing else does.",                        test_drill__recorded_site_fails_at_its_nth_hit       },
    {"test_drill__only_one_process_fails",                    "One process takes the failure; the next runs well.",
     test_drill__only_one_process_fails                                                                                                                                   },
    {"test_drill__interrupted_and_short_calls_are_continued",
     "Calls that are interrupted or short are continued.",                                                           test_drill__interrupted_and_short_calls_are_continued},
    {"test_drill__each_call_of_a_replacement_can_fail",
     "Each call of replacing a file can be made to fail, and its failure is told.",                                  test_drill__each_call_of_a_replacement_can_fail      },
    {"test_drill__others_run_undisturbed",                    "Other programs, and an empty plan, are undisturbed.",
     test_drill__others_run_undisturbed                                                                                                                                   },
    {"test_drill__what_is_no_plan_ends_the_process",          "What is no plan ends the process with 2.",
     test_drill__what_is_no_plan_ends_the_process                                                                                                                         },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "os/drill", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
