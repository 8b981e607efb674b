/* src/ctl/cmd_spam.h: `spam learn`, `spam limits`. */
#ifndef SRC_CTL_CMD_SPAM_H
#define SRC_CTL_CMD_SPAM_H
#include "src/ctl/ctl.h"

int cmd_spam_learn(int argc, char **argv);
int cmd_spam_limits(int argc, char **argv);
#endif
