/* app.h - the process: command line, configuration, signals, service manager, wiring. */
#ifndef TWS_APP_APP_H
#define TWS_APP_APP_H

/* Runs the program. The result is its exit code: 0 done, 1 failed at run time, 2 usage, 78
 * configuration. */
int tws_app_main(int argc, char **argv);

#endif
