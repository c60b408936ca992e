jobheader_HEADERS += mr/mr.h
