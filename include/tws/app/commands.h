/* commands.h - the subcommands. argv[0] is the subcommand's name; the result is the exit code. */
#ifndef TWS_APP_COMMANDS_H
#define TWS_APP_COMMANDS_H

int tws_command_client(int argc, char **argv, unsigned verbose);
int tws_command_server(int argc, char **argv, unsigned verbose);
/* tws check [--client | --server | --keys] FILE...: reads each as the process would. */
int tws_command_check(int argc, char **argv);
/* tws keygen [-o FILE] [-n NAME]: makes a key. */
int tws_command_keygen(int argc, char **argv);
/* tws cleanup: removes what killed clients left in the kernel. */
int tws_command_cleanup(int argc, char **argv);
/* tws help [COMMAND | words COMMAND | options [--man | --markdown]] */
int tws_command_help(int argc, char **argv);

#endif
