/* src/ctl/cmd_sending.h */
#ifndef SRC_CTL_CMD_SENDING_H
#define SRC_CTL_CMD_SENDING_H
int cmd_sending(int argc, char **argv);
#endif
