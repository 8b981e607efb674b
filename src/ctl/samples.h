/* src/ctl/samples.h: letters for a first look at the demo. LF line ends; no line starts with a dot. */
#ifndef SRC_CTL_SAMPLES_H
#define SRC_CTL_SAMPLES_H
#include <stddef.h>
extern const char *const samples[];
extern const size_t samples_n;
#endif
