EXTRA_DIST += \
	tools/check-layers \
	tools/check-style-lite \
	tools/install-packages \
	tools/packages \
	tools/run-tests
