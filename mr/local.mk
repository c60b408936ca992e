# The headers that job authors include; add them when they exist:
# jobheader_HEADERS += mr/mr.h
