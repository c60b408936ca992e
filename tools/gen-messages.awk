# gen-messages.awk - turns proto/*.proto into the model's C structs and their descriptors.
#
#   awk -f tools/gen-messages.awk -v mode=header   FILE... > lib/model/messages.h
#   awk -f tools/gen-messages.awk -v mode=source   FILE... > lib/model/messages.c
#   awk -f tools/gen-messages.awk -v mode=wire     FILE... > lib/wire/wire_bindings.c
#   awk -f tools/gen-messages.awk -v mode=services FILE... > lib/services/calls.h
#
# FILEs come in import order. What is understood is written at the top of proto/common.proto;
# anything else stops the build with the file and line. Runs with mawk; comments of the .proto are
# carried into the header.

function fail(text)
{
    printf "%s:%d: %s\n", FILENAME, FNR, text > "/dev/stderr"
    failed = 1
    exit 1
}

# CreateRequest -> create_request
function snake(name,    out, i, c)
{
    out = ""
    for (i = 1; i <= length(name); i++) {
        c = substr(name, i, 1)
        if (c ~ /[A-Z]/ && i > 1)
            out = out "_"
        out = out tolower(c)
    }
    return out
}

# Package "dfs", name "CreateRequest" -> dfs_create_request; common has no prefix.
function c_name(package, name)
{
    return (package == "common" ? "" : package "_") snake(name)
}

function trim(text)
{
    sub(/^[ \t]+/, "", text)
    sub(/[ \t]+$/, "", text)
    return text
}

function safe_comment(text)
{
    gsub(/\*\//, "* /", text)
    gsub(/\/\*/, "/ *", text)
    return text
}

# Lines joined by \n become one C comment at the given indent.
function print_comment(text, indent,    lines, count, i)
{
    if (text == "")
        return
    count = split(safe_comment(text), lines, "\n")
    if (count == 1) {
        printf "%s/* %s */\n", indent, lines[1]
        return
    }
    printf "%s/*\n", indent
    for (i = 1; i <= count; i++)
        printf "%s *%s\n", indent, lines[i] == "" ? "" : " " lines[i]
    printf "%s */\n", indent
}

function add_item(kind, name)
{
    items++
    item_kind[items] = kind
    item_package[items] = package
    item_name[items] = name
    item_comment[items] = pending
    item_place[items] = FILENAME ":" FNR
    part_count[items] = 0
    pending = ""
    if (kind == "message" || kind == "enum") {
        if ((package, name) in declared)
            fail(name " is declared twice")
        declared[package, name] = items
    }
}

function add_part(name, trailing,    part)
{
    part = ++part_count[items]
    part_name[items, part] = name
    part_comment[items, part] = pending
    part_trailing[items, part] = trailing
    pending = ""
    return part
}

function parse_field(code, trailing,    words, count, part, repeated, number)
{
    count = split(code, words, /[ \t=;]+/)
    repeated = words[1] == "repeated"
    if (code !~ /^(repeated )?[A-Za-z0-9_.]+ [a-z][a-z0-9_]* = [0-9]+;$/)
        fail("not a field this generator understands: " code)
    part = add_part(words[2 + repeated], trailing)
    part_type[items, part] = words[1 + repeated]
    part_repeated[items, part] = repeated
    number = words[3 + repeated] + 0
    part_number[items, part] = number
    if ((items, "number", number) in seen || (items, "name", words[2 + repeated]) in seen)
        fail("field number or name is used twice: " code)
    seen[items, "number", number] = 1
    seen[items, "name", words[2 + repeated]] = 1
}

function parse_value(code, trailing,    words, part)
{
    if (code !~ /^[A-Z][A-Z0-9_]* = [0-9]+;$/)
        fail("not an enum value this generator understands: " code)
    split(code, words, /[ =;]+/)
    part = add_part(words[1], trailing)
    if (words[2] + 0 != part - 1)
        fail("enum values count up from 0 without gaps: " code)
    if (words[1] in value_names)
        fail("enum value is used twice: " words[1])
    value_names[words[1]] = 1
}

function parse_rpc(code, trailing,    words, part)
{
    if (code !~ /^rpc [A-Za-z0-9]+\([A-Za-z0-9_.]+\) returns \([A-Za-z0-9_.]+\);$/)
        fail("not an rpc this generator understands: " code)
    split(code, words, /[ ();]+/)
    part = add_part(words[2], trailing)
    part_type[items, part] = words[3]
    part_response[items, part] = words[5]
}

FNR == 1 {
    package = ""
    pending = ""
    inside = ""
}

{
    comment = ""
    code = $0
    at = index(code, "//")
    if (at > 0) {
        comment = substr(code, at + 2)
        sub(/^ /, "", comment)
        sub(/[ \t]+$/, "", comment)
        code = substr(code, 1, at - 1)
    }
    gsub(/[ \t]+/, " ", code)
    code = trim(code)
    if (code == "") {
        if (at > 0)
            pending = pending (pending == "" ? "" : "\n") comment
        else if (pending != "" && inside == "") {
            # A comment followed by an empty line belongs to the file, not to the next message.
            add_item("text", "")
        }
        next
    }
    if (inside != "") {
        if (code == "}")
            inside = ""
        else if (inside == "message")
            parse_field(code, comment)
        else if (inside == "enum")
            parse_value(code, comment)
        else
            parse_rpc(code, comment)
        next
    }
    if (code ~ /^syntax = "proto3";$/) {
        if (pending != "")
            add_item("text", "")
    } else if (code ~ /^package millrace\.[a-z]+;$/) {
        package = code
        sub(/^package millrace\./, "", package)
        sub(/;$/, "", package)
    } else if (code ~ /^import "[a-z]+\.proto";$/) {
        # The order of the files on the command line takes care of it.
    } else if (code ~ /^(message|enum|service) [A-Za-z0-9]+ \{$/) {
        split(code, words, " ")
        inside = words[1]
        add_item(inside, words[2])
    } else
        fail("not understood: " code)
}

# Sets found_package and found_item of a type as it is written inside the given package.
function find_type(package, type,    words)
{
    if (split(type, words, ".") == 2) {
        found_package = words[1]
        type = words[2]
    } else
        found_package = package
    if (!((found_package, type) in declared)) {
        printf "gen-messages: no such type: %s.%s\n", found_package, type > "/dev/stderr"
        failed = 1
        exit 1
    }
    found_item = declared[found_package, type]
    found_name = c_name(found_package, type)
}

# The C type of one element of a field; sets found_kind to its FIELD_ constant.
function element_type(package, type)
{
    if (type in scalar_type) {
        found_kind = scalar_kind[type]
        found_item = 0
        return scalar_type[type]
    }
    find_type(package, type)
    if (item_kind[found_item] == "enum") {
        found_kind = "FIELD_ENUM"
        return "enum " found_name
    }
    found_kind = "FIELD_MESSAGE"
    return "struct " found_name
}

function print_declaration(declaration, trailing)
{
    if (trailing == "")
        printf "    %s\n", declaration
    else
        printf "    %s /* %s */\n", declaration, safe_comment(trailing)
}

function print_enum(i,    name, j)
{
    name = c_name(item_package[i], item_name[i])
    print_comment(item_comment[i], "")
    printf "enum %s {\n", name
    for (j = 1; j <= part_count[i]; j++) {
        print_comment(part_comment[i, j], "    ")
        print_declaration(part_name[i, j] " = " (j - 1) ",", part_trailing[i, j])
    }
    printf "    %s_COUNT\n};\n\n", toupper(name)
    printf "extern const struct message_enum %s_enum;\n", name
    printf "/* The value as written above; \"?\" when out of range. */\n"
    printf "const char *%s_name(enum %s value);\n\n", name, name
}

function print_struct(i,    name, j, type, space)
{
    name = c_name(item_package[i], item_name[i])
    print_comment(item_comment[i], "")
    printf "struct %s {\n", name
    for (j = 1; j <= part_count[i]; j++) {
        type = element_type(item_package[i], part_type[i, j])
        print_comment(part_comment[i, j], "    ")
        if (part_repeated[i, j]) {
            print_declaration("const " type " *" part_name[i, j] ";", part_trailing[i, j])
            printf "    size_t %s_count;\n", part_name[i, j]
            continue
        }
        if (found_kind == "FIELD_MESSAGE" && found_item >= i) {
            printf "%s: %s is embedded before it is declared\n", item_place[i], type > "/dev/stderr"
            failed = 1
            exit 1
        }
        print_declaration(type " " part_name[i, j] ";", part_trailing[i, j])
    }
    if (part_count[i] == 0)
        print "    uint8_t unused; /* C has no empty struct */"
    printf "};\n\nextern const struct message_type %s_type;\n\n", name
}

function banner(title)
{
    print "/*"
    print " * " title
    print " * Generated by tools/gen-messages.awk from proto/; do not edit."
    print " */"
}

function method_name(i, j)
{
    return "METHOD_" toupper(snake(item_name[i])) "_" toupper(snake(part_name[i, j]))
}

function print_method_enum(    i, j)
{
    print "/* One value a remote call. */"
    print "enum method {"
    for (i = 1; i <= items; i++) {
        if (item_kind[i] != "service")
            continue
        for (j = 1; j <= part_count[i]; j++) {
            find_type(item_package[i], part_type[i, j])
            printf "    %s, /* %s", method_name(i, j), found_name
            find_type(item_package[i], part_response[i, j])
            printf " -> %s */\n", found_name
        }
    }
    print "    METHOD_COUNT\n};\n"
    print "/* Static storage; CHECKs that method is in range. */"
    print "const struct method_info *method_info(enum method method);"
    print "/* Finds the call with this path, \"/millrace.dfs.Namenode/Create\". False when there is none. */"
    print "bool method_from_path(struct slice path, enum method *ret_method);\n"
}

function print_header(    i)
{
    banner("messages.h - every message, enum and remote call of proto/ as C.")
    print "#ifndef MILLRACE_LIB_MODEL_MESSAGES_H\n#define MILLRACE_LIB_MODEL_MESSAGES_H\n"
    print "#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n"
    print "#include \"lib/base/slice.h\"\n#include \"lib/model/message.h\"\n"
    for (i = 1; i <= items; i++) {
        if (item_kind[i] == "text") {
            print_comment(item_comment[i], "")
            print ""
        } else if (item_kind[i] == "enum")
            print_enum(i)
        else if (item_kind[i] == "message")
            print_struct(i)
    }
    print_method_enum()
    printf "enum {\n    MESSAGE_TYPE_COUNT = %d /* of message_types */\n};\n\n", messages
    print "/* Every message type; a type's index is its place here. */"
    print "extern const struct message_type *const message_types[];\n"
    print "/* NULL when no message has this name, \"millrace.dfs.CreateRequest\". */"
    print "const struct message_type *message_type_by_name(struct slice name);\n"
    print "#endif"
}

function print_enum_source(i,    name, j)
{
    name = c_name(item_package[i], item_name[i])
    printf "static const char *const %s_names[] = {\n", name
    for (j = 1; j <= part_count[i]; j++)
        printf "    \"%s\",\n", part_name[i, j]
    printf "};\n\nconst struct message_enum %s_enum = {\n", name
    printf "    .name = \"millrace.%s.%s\",\n", item_package[i], item_name[i]
    printf "    .value_names = %s_names,\n    .count = %s_COUNT,\n};\n\n", name, toupper(name)
    printf "const char *%s_name(enum %s value)\n{\n", name, name
    printf "    return message_enum_name(&%s_enum, (uint32_t)value);\n}\n\n", name
}

function print_field_source(i, j, name)
{
    element_type(item_package[i], part_type[i, j])
    printf "    {.name = \"%s\",\n     .number = %d,\n", part_name[i, j], part_number[i, j]
    printf "     .kind = %s,\n     .offset = offsetof(struct %s, %s),\n", found_kind, name, part_name[i, j]
    if (part_repeated[i, j]) {
        printf "     .is_repeated = true,\n"
        printf "     .count_offset = offsetof(struct %s, %s_count),\n", name, part_name[i, j]
    }
    if (found_kind == "FIELD_MESSAGE")
        printf "     .subtype = &%s_type,\n", found_name
    if (found_kind == "FIELD_ENUM")
        printf "     .enumeration = &%s_enum,\n", found_name
    print "    },"
}

function print_message_source(i, number,    name, j)
{
    name = c_name(item_package[i], item_name[i])
    if (part_count[i] > 0) {
        printf "static const struct message_field %s_fields[] = {\n", name
        for (j = 1; j <= part_count[i]; j++)
            print_field_source(i, j, name)
        print "};\n"
    }
    printf "const struct message_type %s_type = {\n", name
    printf "    .name = \"millrace.%s.%s\",\n    .index = %d,\n", item_package[i], item_name[i], number
    printf "    .size = sizeof(struct %s),\n", name
    if (part_count[i] > 0)
        printf "    .fields = %s_fields,\n    .field_count = %d,\n", name, part_count[i]
    print "};\n"
}

# Insertion sort of keys[1..count] with their values; bytes order needs LC_ALL=C in other awks.
function sort_pairs(keys, values, count,    i, j, key, value)
{
    for (i = 2; i <= count; i++) {
        key = keys[i]
        value = values[i]
        for (j = i - 1; j >= 1 && keys[j] > key; j--) {
            keys[j + 1] = keys[j]
            values[j + 1] = values[j]
        }
        keys[j + 1] = key
        values[j + 1] = value
    }
}

function print_type_tables(    i, count)
{
    print "const struct message_type *const message_types[] = {"
    count = 0
    for (i = 1; i <= items; i++) {
        if (item_kind[i] != "message")
            continue
        count++
        sort_key[count] = item_package[i] "." item_name[i]
        sort_value[count] = c_name(item_package[i], item_name[i])
        printf "    &%s_type,\n", sort_value[count]
    }
    print "};\n"
    sort_pairs(sort_key, sort_value, count)
    print "static const struct message_type *const message_types_sorted[] = {"
    for (i = 1; i <= count; i++)
        printf "    &%s_type,\n", sort_value[i]
    print "};\n"
    print "const struct message_type *message_type_by_name(struct slice name)\n{"
    print "    return message_type_find(message_types_sorted, MESSAGE_TYPE_COUNT, name);\n}\n"
}

function print_method_tables(    i, j, count)
{
    print "static const struct method_info method_infos[] = {"
    count = 0
    for (i = 1; i <= items; i++) {
        if (item_kind[i] != "service")
            continue
        for (j = 1; j <= part_count[i]; j++) {
            count++
            sort_key[count] = "/millrace." item_package[i] "." item_name[i] "/" part_name[i, j]
            sort_value[count] = method_name(i, j)
            printf "    {.path = \"%s\",\n", sort_key[count]
            printf "     .service = \"%s\",\n     .name = \"%s\",\n", item_name[i], part_name[i, j]
            find_type(item_package[i], part_type[i, j])
            printf "     .request = &%s_type,\n", found_name
            find_type(item_package[i], part_response[i, j])
            printf "     .response = &%s_type},\n", found_name
        }
    }
    print "};\n"
    sort_pairs(sort_key, sort_value, count)
    print "static const enum method methods_sorted[] = {"
    for (i = 1; i <= count; i++)
        printf "    %s,\n", sort_value[i]
    print "};\n"
    print "const struct method_info *method_info(enum method method)\n{"
    print "    CHECK((unsigned)method < METHOD_COUNT);"
    print "    return &method_infos[method];\n}\n"
    print "bool method_from_path(struct slice path, enum method *ret_method)\n{"
    print "    size_t low = 0;\n    size_t high = METHOD_COUNT;"
    print "    while (low < high) {"
    print "        size_t middle = low + (high - low) / 2;"
    print "        enum method method = methods_sorted[middle];"
    print "        int order = slice_compare(path, slice_from_string(method_infos[method].path));"
    print "        if (order == 0) {\n            *ret_method = method;\n            return true;\n        }"
    print "        if (order < 0)\n            high = middle;\n        else\n            low = middle + 1;"
    print "    }\n    return false;\n}"
}

function print_source(    i, number)
{
    banner("messages.c - descriptors of every message, enum and remote call of proto/.")
    print "#include \"lib/model/messages.h\"\n\n#include \"lib/base/check.h\"\n"
    for (i = 1; i <= items; i++) {
        if (item_kind[i] == "enum")
            print_enum_source(i)
    }
    number = 0
    for (i = 1; i <= items; i++) {
        if (item_kind[i] == "message")
            print_message_source(i, number++)
    }
    print_type_tables()
    print_method_tables()
}

function print_wire(    i, last)
{
    banner("wire_bindings.c - which protobuf-c descriptor belongs to which message type.")
    print "#include \"lib/wire/wire_bindings.h\"\n"
    last = ""
    for (i = 1; i <= items; i++) {
        if (item_kind[i] == "message" && item_package[i] != last) {
            last = item_package[i]
            printf "#include \"lib/wire/%s.pb-c.h\"\n", last
        }
    }
    print "\nconst ProtobufCMessageDescriptor *const wire_bindings[] = {"
    for (i = 1; i <= items; i++) {
        if (item_kind[i] == "message")
            printf "    &millrace__%s__%s__descriptor,\n", item_package[i], snake(item_name[i])
    }
    print "};"
}

function print_call(i, j,    name, request, response)
{
    name = snake(item_name[i]) "_" snake(part_name[i, j])
    find_type(item_package[i], part_type[i, j])
    request = found_name
    find_type(item_package[i], part_response[i, j])
    response = found_name
    print_comment(part_comment[i, j], "")
    printf "MUST_USE static inline enum status services_%s(\n", name
    print "    const struct service_target *target,"
    printf "    const struct %s *request,\n", request
    printf "    const struct %s **ret_response,\n", response
    print "    struct error *reterr_error)\n{"
    print "    const void *response = NULL;"
    print "    enum status status ="
    printf "        service_call(target, %s, request, &response, reterr_error);\n", method_name(i, j)
    print "    if (status == OK)"
    print "        *ret_response = response;"
    print "    return status;\n}\n"
}

function print_services(    i, j)
{
    banner("calls.h - one typed, blocking function a remote call; see service_call.")
    print "#ifndef MILLRACE_LIB_SERVICES_CALLS_H\n#define MILLRACE_LIB_SERVICES_CALLS_H\n"
    print "#include \"lib/model/messages.h\"\n#include \"lib/services/client.h\"\n"
    for (i = 1; i <= items; i++) {
        if (item_kind[i] != "service")
            continue
        print_comment(item_comment[i], "")
        for (j = 1; j <= part_count[i]; j++)
            print_call(i, j)
    }
    print "#endif"
}

# No message may contain itself: code that walks messages recurses once a level.
function refuse_cycles(i,    j, inner)
{
    if (visit[i] == "done")
        return
    if (visit[i] == "open") {
        printf "%s: %s contains itself\n", item_place[i], item_name[i] > "/dev/stderr"
        failed = 1
        exit 1
    }
    visit[i] = "open"
    for (j = 1; j <= part_count[i]; j++) {
        element_type(item_package[i], part_type[i, j])
        inner = found_item
        if (found_kind == "FIELD_MESSAGE")
            refuse_cycles(inner)
    }
    visit[i] = "done"
}

function scalar(proto, c, kind)
{
    scalar_type[proto] = c
    scalar_kind[proto] = kind
}

END {
    if (failed)
        exit 1
    scalar("bool", "bool", "FIELD_BOOL")
    scalar("int32", "int32_t", "FIELD_INT32")
    scalar("int64", "int64_t", "FIELD_INT64")
    scalar("uint32", "uint32_t", "FIELD_UINT32")
    scalar("uint64", "uint64_t", "FIELD_UINT64")
    scalar("float", "float", "FIELD_FLOAT")
    scalar("double", "double", "FIELD_DOUBLE")
    scalar("string", "struct slice", "FIELD_STRING")
    scalar("bytes", "struct slice", "FIELD_BYTES")
    messages = 0
    for (i = 1; i <= items; i++) {
        if (item_kind[i] == "message") {
            messages++
            refuse_cycles(i)
        }
    }
    if (mode == "header")
        print_header()
    else if (mode == "source")
        print_source()
    else if (mode == "wire")
        print_wire()
    else if (mode == "services")
        print_services()
    else {
        print "gen-messages: mode is one of header, source, wire, services" > "/dev/stderr"
        exit 1
    }
}
