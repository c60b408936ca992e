/*
 * test_ids.c - lib/model/ids.h and lib/model/rack.h.
 */
#include "lib/model/ids.h"

#include "lib/base/rng.h"
#include "lib/model/rack.h"
#include "tests/support/unit.h"

enum {
    ROUNDS = 2000
};

static const struct app_id app = {.cluster_timestamp = 1700000000000, .sequence = 1};

static void test_ids__are_spelled_as_in_yarn(void)
{
    struct container_id container = {.app = app, .app_attempt = 1, .epoch = 3, .sequence = 2};
    struct attempt_id map = {.app = app, .kind = TASK_MAP, .task = 7};
    struct attempt_id reduce = {.app = app, .kind = TASK_REDUCE, .task = 7, .attempt = 12};
    CU_ASSERT_STRING_EQUAL(app_id_text(app).text, "application_1700000000000_0001");
    CU_ASSERT_STRING_EQUAL(app_id_job_text(app).text, "job_1700000000000_0001");
    CU_ASSERT_STRING_EQUAL(app_attempt_text(app, 2).text, "appattempt_1700000000000_0001_000002");
    CU_ASSERT_STRING_EQUAL(container_id_text(container).text,
                           "container_e03_1700000000000_0001_01_000002");
    CU_ASSERT_STRING_EQUAL(attempt_id_text(map).text, "attempt_1700000000000_0001_m_000007_0");
    CU_ASSERT_STRING_EQUAL(attempt_id_text(reduce).text, "attempt_1700000000000_0001_r_000007_12");
    CU_ASSERT_STRING_EQUAL(attempt_id_task_text(map).text, "task_1700000000000_0001_m_000007");
}

static void test_ids__largest_numbers_fit(void)
{
    struct app_id big = {.cluster_timestamp = UINT64_MAX, .sequence = UINT32_MAX};
    struct container_id container = {
        .app = big, .app_attempt = UINT32_MAX, .epoch = UINT32_MAX, .sequence = UINT64_MAX};
    struct container_id parsed;
    CU_ASSERT_TRUE(
        container_id_parse(slice_from_string(container_id_text(container).text), &parsed));
    CU_ASSERT_TRUE(container_id_equal(parsed, container));
}

/* Few different values, so that equal fields occur. */
static struct app_id random_app(struct rng *rng)
{
    return (struct app_id){.cluster_timestamp = rng_below(rng, 3) * 1700000000000,
                           .sequence = (uint32_t)rng_below(rng, 3) * 9999};
}

static struct container_id random_container(struct rng *rng)
{
    return (struct container_id){.app = random_app(rng),
                                 .app_attempt = (uint32_t)rng_below(rng, 3) * 60,
                                 .epoch = (uint32_t)rng_below(rng, 3) * 60,
                                 .sequence = rng_below(rng, 3) * 600000};
}

static struct attempt_id random_attempt(struct rng *rng)
{
    return (struct attempt_id){.app = random_app(rng),
                               .kind = rng_below(rng, 2) == 0 ? TASK_MAP : TASK_REDUCE,
                               .task = (uint32_t)rng_below(rng, 3) * 600000,
                               .attempt = (uint32_t)rng_below(rng, 3)};
}

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

static void test_ids__text_comes_back_as_the_same_id(void)
{
    struct rng rng = rng_seed(unit_seed());
    for (int round = 0; round < ROUNDS; round++) {
        struct container_id container = random_container(&rng);
        struct attempt_id attempt = random_attempt(&rng);
        struct container_id container_again;
        struct attempt_id attempt_again;
        struct app_id app_again;
        uint32_t number;
        CU_ASSERT_TRUE(container_id_parse(slice_from_string(container_id_text(container).text),
                                          &container_again));
        CU_ASSERT_TRUE(container_id_equal(container, container_again));
        CU_ASSERT_TRUE(
            attempt_id_parse(slice_from_string(attempt_id_text(attempt).text), &attempt_again));
        CU_ASSERT_TRUE(attempt_id_equal(attempt, attempt_again));
        CU_ASSERT_TRUE(app_id_parse(slice_from_string(app_id_text(attempt.app).text), &app_again));
        CU_ASSERT_TRUE(app_id_equal(attempt.app, app_again));
        CU_ASSERT_TRUE(
            app_id_parse_job(slice_from_string(app_id_job_text(attempt.app).text), &app_again));
        CU_ASSERT_TRUE(app_id_equal(attempt.app, app_again));
        CU_ASSERT_TRUE(
            app_attempt_parse(slice_from_string(app_attempt_text(attempt.app, attempt.task).text),
                              &app_again, &number));
        CU_ASSERT_EQUAL(number, attempt.task);
        CU_ASSERT_TRUE(attempt_id_parse_task(slice_from_string(attempt_id_task_text(attempt).text),
                                             &attempt_again));
        attempt.attempt = 0;
        CU_ASSERT_TRUE(attempt_id_equal(attempt, attempt_again));
    }
}

static void test_ids__other_spellings_are_refused(void)
{
    const char *const bad[] = {
        "",
        "application_",
        "application_1_1",
        "application_1_00001",
        "application_01_0001",
        "application_1_0001_",
        "application_1_0001_1",
        "application_1_0001x",
        "application_1_-001",
        "application__0001",
        "application_1_4294967296",
        "application_18446744073709551616_0001",
        "Application_1_0001",
        "job_1_001",
        "appattempt_1_0001_1",
        "container_1_0001_01_000001",
        "container_e1_1_0001_01_000001",
        "container_e01_1_0001_01_00001",
        "attempt_1_0001_x_000001_0",
        "attempt_1_0001_m_000001",
        "attempt_1_0001_m_000001_00",
        "task_1_0001_m_000001_0",
    };
    for (size_t i = 0; i < UNIT_COUNT(bad); i++) {
        struct slice text = slice_from_string(bad[i]);
        struct app_id app_result = app;
        struct container_id container;
        struct attempt_id attempt;
        uint32_t number;
        CU_ASSERT_FALSE(app_id_parse(text, &app_result));
        CU_ASSERT_FALSE(app_id_parse_job(text, &app_result));
        CU_ASSERT_FALSE(app_attempt_parse(text, &app_result, &number));
        CU_ASSERT_FALSE(container_id_parse(text, &container));
        CU_ASSERT_FALSE(attempt_id_parse(text, &attempt));
        CU_ASSERT_FALSE(attempt_id_parse_task(text, &attempt));
        CU_ASSERT_TRUE(app_id_equal(app_result, app));
    }
}

static void test_ids__keys_order_as_the_ids_do(void)
{
    struct rng rng = rng_seed(unit_seed());
    for (int round = 0; round < ROUNDS; round++) {
        struct container_id left = random_container(&rng);
        struct container_id right = random_container(&rng);
        struct id_key left_key = container_id_key(left);
        struct id_key right_key = container_id_key(right);
        CU_ASSERT_EQUAL(sign(container_id_compare(left, right)),
                        sign(slice_compare(id_key_slice(&left_key), id_key_slice(&right_key))));
        struct attempt_id first = random_attempt(&rng);
        struct attempt_id second = random_attempt(&rng);
        struct id_key first_key = attempt_id_key(first);
        struct id_key second_key = attempt_id_key(second);
        CU_ASSERT_EQUAL(sign(attempt_id_compare(first, second)),
                        sign(slice_compare(id_key_slice(&first_key), id_key_slice(&second_key))));
        struct id_key first_app = app_id_key(first.app);
        struct id_key second_app = app_id_key(second.app);
        CU_ASSERT_EQUAL(sign(app_id_compare(first.app, second.app)),
                        sign(slice_compare(id_key_slice(&first_app), id_key_slice(&second_app))));
    }
}

static void test_ids__attempts_of_a_task_share_its_key(void)
{
    struct attempt_id first = {.app = app, .task = 7, .attempt = 0};
    struct attempt_id second = {.app = app, .task = 7, .attempt = 1};
    struct id_key first_key = attempt_id_task_key(first);
    struct id_key second_key = attempt_id_task_key(second);
    CU_ASSERT_TRUE(slice_equal(id_key_slice(&first_key), id_key_slice(&second_key)));
}

static void test_ids__zero_id_names_nothing(void)
{
    struct container_id container = {0};
    CU_ASSERT_TRUE(container_id_is_none(container));
    CU_ASSERT_TRUE(app_id_is_none(container.app));
    container.sequence = 1;
    CU_ASSERT_FALSE(container_id_is_none(container));
    CU_ASSERT_FALSE(app_id_is_none(app));
}

static void test_ids__distance_is_host_then_rack(void)
{
    struct endpoint here = {.host = slice_from_string("h1"), .rack = slice_from_string("/r1")};
    struct endpoint near = {.host = slice_from_string("h2"), .rack = slice_from_string("/r1")};
    struct endpoint far = {.host = slice_from_string("h3"), .rack = slice_from_string("/r2")};
    CU_ASSERT_EQUAL(rack_distance(&here, &here), RACK_SAME_HOST);
    CU_ASSERT_EQUAL(rack_distance(&here, &near), RACK_SAME_RACK);
    CU_ASSERT_EQUAL(rack_distance(&here, &far), RACK_ELSEWHERE);
}

static void test_ids__unknown_places_are_apart(void)
{
    struct endpoint unknown = {0};
    CU_ASSERT_EQUAL(rack_distance(&unknown, &unknown), RACK_ELSEWHERE);
}

static const struct unit_test tests[] = {
    {"test_ids__are_spelled_as_in_yarn",           "Are spelled as in yarn.",
     test_ids__are_spelled_as_in_yarn                                                                                  },
    {"test_ids__largest_numbers_fit",              "Largest numbers fit.",              test_ids__largest_numbers_fit  },
    {"test_ids__text_comes_back_as_the_same_id",   "Text comes back as the same id.",
     test_ids__text_comes_back_as_the_same_id                                                                          },
    {"test_ids__other_spellings_are_refused",      "Other spellings are refused.",
     test_ids__other_spellings_are_refused                                                                             },
    {"test_ids__keys_order_as_the_ids_do",         "Keys order as the ids do.",
     test_ids__keys_order_as_the_ids_do                                                                                },
    {"test_ids__attempts_of_a_task_share_its_key", "Attempts of a task share its key.",
     test_ids__attempts_of_a_task_share_its_key                                                                        },
    {"test_ids__zero_id_names_nothing",            "Zero id names nothing.",            test_ids__zero_id_names_nothing},
    {"test_ids__distance_is_host_then_rack",       "Distance is host then rack.",
     test_ids__distance_is_host_then_rack                                                                              },
    {"test_ids__unknown_places_are_apart",         "Unknown places are apart.",
     test_ids__unknown_places_are_apart                                                                                },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "model/ids", tests, UNIT_COUNT(tests), NULL, NULL);
}
