noinst_LIBRARIES += lib/libnet.a
lib_libnet_a_SOURCES = \
	lib/net/curl_lazy.c \
	lib/net/fd_pass.c \
	lib/net/fd_pass.h \
	lib/net/http_client.c \
	lib/net/http_client.h \
	lib/net/http_fetcher.c \
	lib/net/http_reply.c \
	lib/net/http_server.c \
	lib/net/http_server.h \
	lib/net/http_server_private.h \
	lib/net/http_status.c \
	lib/net/http_status.h \
	lib/net/http_transfer.c \
	lib/net/http_transfer.h \
	lib/net/mac.c \
	lib/net/mac.h \
	lib/net/net.c \
	lib/net/net.h \
	lib/net/net_private.h \
	lib/net/peer.c \
	lib/net/peer.h \
	lib/net/rpc.h \
	lib/net/rpc_client.c \
	lib/net/rpc_common.c \
	lib/net/rpc_common.h \
	lib/net/rpc_server.c \
	lib/net/token.c \
	lib/net/token.h
