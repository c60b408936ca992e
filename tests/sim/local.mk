# SIM_TESTS += tests/sim/test_<what>
