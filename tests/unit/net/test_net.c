/*
 * test_net.c - addresses of lib/net/net.h.
 */
#include "lib/net/net.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/unit.h"

static struct fixture {
    struct net_address address;
    struct error error;
} f;

static void setup(void)
{
    f = (struct fixture){.error = {.status = OK}};
}

static void teardown(void)
{
}

static void test_net__addresses_are_read_and_written(void)
{
    static const struct {
        const char *in;
        const char *out;
        bool is_loopback;
    } rows[] = {
        {"127.0.0.1:80",       "127.0.0.1:80",       true },
        {"127.200.3.4:65535",  "127.200.3.4:65535",  true },
        {"localhost:0",        "127.0.0.1:0",        true },
        {"8020",               "127.0.0.1:8020",     true },
        {"[::1]:9",            "[::1]:9",            true },
        {"[::]:9",             "[::]:9",             false},
        {"0.0.0.0:1",          "0.0.0.0:1",          false},
        {"128.0.0.1:1",        "128.0.0.1:1",        false},
        {"node-1.example:1",   "node-1.example:1",   false},
        {"127.0.0.1.nip.io:1", "127.0.0.1.nip.io:1", false},
    };

    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        char text[NET_ADDRESS_BYTES];
        CU_ASSERT_EQUAL(net_address_parse(rows[i].in, &f.address, &f.error), OK);
        net_address_format(&f.address, text);
        CU_ASSERT_STRING_EQUAL(text, rows[i].out);
        CU_ASSERT_EQUAL(net_address_is_loopback(&f.address), rows[i].is_loopback);
    }
}

static void test_net__other_texts_are_refused_by_name(void)
{
    static const char *const rows[] = {"",           ":",       ":80",   "host:",   "host:-1",
                                       "host:65536", "host:1x", "[::1]", "[::1:80", "::1:80",
                                       "ho st:1",    "a/b:1",   "a@b:1", "a?b:1",   "[]:1",
                                       "host: 1",    "80 "};
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        CU_ASSERT_EQUAL(net_address_parse(rows[i], &f.address, &f.error), ERR_INVALID);
        CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, rows[i]));
    }
}

static void test_net__long_hosts_are_refused(void)
{
    char text[NET_HOST_BYTES + 8];
    memset(text, 'h', NET_HOST_BYTES);
    memcpy(text + NET_HOST_BYTES, ":1", 3);
    CU_ASSERT_EQUAL(net_address_parse(text, &f.address, &f.error), ERR_INVALID);
    CU_ASSERT_EQUAL(net_address_parse(text + 1, &f.address, &f.error), OK);
    CU_ASSERT_EQUAL(strlen(f.address.host), NET_HOST_BYTES - 1);
}

static const struct unit_test tests[] = {
    {"test_net__addresses_are_read_and_written",  "Addresses are read and written.",
     test_net__addresses_are_read_and_written },
    {"test_net__other_texts_are_refused_by_name", "Other texts are refused by name.",
     test_net__other_texts_are_refused_by_name},
    {"test_net__long_hosts_are_refused",          "Long hosts are refused.",
     test_net__long_hosts_are_refused         },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "net/test_net", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
