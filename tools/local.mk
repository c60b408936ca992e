EXTRA_DIST += \
	tools/check-layers \
	tools/check-style-lite \
	tools/install-packages \
	tools/packages \
	tools/run-tests

check_PROGRAMS += tools/draw-states
tools_draw_states_SOURCES = tools/draw_states.c
tools_draw_states_LDADD = $(APPMASTER_CORE_LIBS) $(NODEMGR_CORE_LIBS) $(RM_CORE_LIBS) \
	$(NAMENODE_CORE_LIBS) $(DATANODE_CORE_LIBS)
