# In import order; tools/gen-messages.awk and protoc-c read them with -I proto.
PROTO_FILES = \
	proto/common.proto \
	proto/dfs.proto \
	proto/rm.proto \
	proto/nm.proto \
	proto/am.proto \
	proto/journal.proto
