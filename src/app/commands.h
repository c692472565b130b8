/* commands.h - the subcommands. argv[0] is the subcommand's name; the result is the exit code. */
#ifndef TWS_SRC_APP_COMMANDS_H
#define TWS_SRC_APP_COMMANDS_H

int client_main(int argc, char **argv, unsigned verbose);
int server_main(int argc, char **argv, unsigned verbose);
/* tws check [--client | --server | --keys] FILE...: reads each as the process would. */
int check_main(int argc, char **argv);
/* tws keygen [-o FILE] [-n NAME]: makes a key. */
int keygen_main(int argc, char **argv);
/* tws help [COMMAND | options [--man | --markdown]] */
int help_main(int argc, char **argv);

#endif
