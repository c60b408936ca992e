# The messages and services, and what is made from them: protobuf code by protoc-c in a library of its
# own, private to lib/wire, and our own structs, bindings and stubs by tools/gen-messages.awk.

# In import order.
PROTO_FILES = \
	proto/common.proto \
	proto/rm.proto \
	proto/nm.proto \
	proto/am.proto \
	proto/dfs.proto \
	proto/journal.proto

EXTRA_DIST += $(PROTO_FILES) tools/gen-messages.awk

PB_C_FILES = $(PROTO_FILES:proto/%.proto=lib/wire/%.pb-c.c)
PB_H_FILES = $(PROTO_FILES:proto/%.proto=lib/wire/%.pb-c.h)
GENERATED_FILES = \
	lib/model/messages.h \
	lib/model/messages.c \
	lib/wire/wire_bindings.c \
	lib/services/calls.h

noinst_LIBRARIES += lib/libpb.a
nodist_lib_libpb_a_SOURCES = \
	lib/wire/common.pb-c.c \
	lib/wire/rm.pb-c.c \
	lib/wire/nm.pb-c.c \
	lib/wire/am.pb-c.c \
	lib/wire/dfs.pb-c.c \
	lib/wire/journal.pb-c.c
lib_libpb_a_CFLAGS = $(GENERATED_CFLAGS)
# protoc-c writes #include "common.pb-c.h", without the folder.
lib_libpb_a_CPPFLAGS = $(AM_CPPFLAGS) -Ilib/wire

BUILT_SOURCES += $(PB_H_FILES) $(GENERATED_FILES)
CLEANFILES += $(PB_C_FILES) $(PB_H_FILES) $(GENERATED_FILES)

lib/wire/%.pb-c.c lib/wire/%.pb-c.h: proto/%.proto
	@$(MKDIR_P) lib/wire
	$(AM_V_GEN)$(PROTOC_C) -I$(top_srcdir)/proto --c_out=lib/wire $(top_srcdir)/proto/$*.proto

# Written aside first, so that a failure leaves no half file with a new time.
RUN_GEN_MESSAGES = $(AM_V_GEN)$(MKDIR_P) $(@D) && \
	$(AWK) -f $(top_srcdir)/tools/gen-messages.awk -v mode=$(1) \
	    $(PROTO_FILES:%=$(top_srcdir)/%) > $@.new && mv $@.new $@

lib/model/messages.h: $(PROTO_FILES) tools/gen-messages.awk
	$(call RUN_GEN_MESSAGES,header)

lib/model/messages.c: $(PROTO_FILES) tools/gen-messages.awk
	$(call RUN_GEN_MESSAGES,source)

lib/wire/wire_bindings.c: $(PROTO_FILES) tools/gen-messages.awk
	$(call RUN_GEN_MESSAGES,wire)

lib/services/calls.h: $(PROTO_FILES) tools/gen-messages.awk
	$(call RUN_GEN_MESSAGES,services)
