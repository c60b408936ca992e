/*
 * test_base64.c - bytes as base64url, and names back.
 */
#include "lib/base/base64.h"

#include <string.h>

#include "tests/support/unit.h"

/* The rows of RFC 4648, 10, without their padding. */
static void test_base64__rfc_vectors(void)
{
    static const char *const rows[][2] = {
        {"",       ""        },
        {"f",      "Zg"      },
        {"fo",     "Zm8"     },
        {"foo",    "Zm9v"    },
        {"foob",   "Zm9vYg"  },
        {"fooba",  "Zm9vYmE" },
        {"foobar", "Zm9vYmFy"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[16];
        char name[16];
        CU_ASSERT_EQUAL(base64_encode(slice_from_string(rows[i][0]), text), strlen(rows[i][1]));
        CU_ASSERT_STRING_EQUAL(text, rows[i][1]);
        CU_ASSERT_EQUAL(strlen(text), BASE64_TEXT_BYTES(strlen(rows[i][0])));
        CU_ASSERT_TRUE(base64_decode_name(slice_from_string(text), name, sizeof(name)));
        CU_ASSERT_STRING_EQUAL(name, rows[i][0]);
    }
}

static void test_base64__other_spellings_are_refused(void)
{
    static const char *const texts[] = {"Zh", "Z", "Zg=", "Zm9=", "Z g", "Zm8+", "AA", "Zm9vAA"};
    char name[16];
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        CU_ASSERT_FALSE(base64_decode_name(slice_from_string(texts[i]), name, sizeof(name)));
    CU_ASSERT_TRUE(base64_decode_name(slice_from_string("Zm9v"), name, 4));
    CU_ASSERT_FALSE(base64_decode_name(slice_from_string("Zm9v"), name, 3));
}

static const struct unit_test tests[] = {
    {"test_base64__rfc_vectors",                 "The RFC's examples go there and back.",  test_base64__rfc_vectors},
    {"test_base64__other_spellings_are_refused", "Nothing but the one spelling is taken.",
     test_base64__other_spellings_are_refused                                                                      },
};

int main(int argc, char **argv)
{
    return unit_main(argc, argv, "base64", tests, UNIT_COUNT(tests), NULL, NULL);
}
