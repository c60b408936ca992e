UNIT_TESTS += \
	tests/unit/base/test_arena \
	tests/unit/base/test_base64 \
	tests/unit/base/test_buf \
	tests/unit/base/test_crc32c \
	tests/unit/base/test_error \
	tests/unit/base/test_fault \
	tests/unit/base/test_heap \
	tests/unit/base/test_list \
	tests/unit/base/test_map \
	tests/unit/base/test_mem \
	tests/unit/base/test_rng \
	tests/unit/base/test_slice \
	tests/unit/base/test_status \
	tests/unit/base/test_trace \
	tests/unit/base/test_transition \
	tests/unit/base/test_varint
