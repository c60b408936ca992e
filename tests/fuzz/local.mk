# Fuzz entries are built by hand with clang -fsanitize=fuzzer; see each file.
